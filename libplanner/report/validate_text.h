// Predicted beside measured for people, in the look of the plan. Prints values, computes none.
#pragma once

#include <string>

#include "compare/compare.h"
#include "report/text_table.h"

namespace fathom {

struct ValidateTextOptions {
  TextStyle style = TextStyle::kTerminal;
  bool colour = false;          // terminal only
  bool every_operator = false;  // instead of the fifteen that take longest
};

std::string validate_text(const Comparison& comparison, const ValidateTextOptions& options);

}  // namespace fathom
