// Requests as served beside the same as simulated, for people. Prints values, computes none.
#pragma once

#include <string>

#include "compare/arrivals.h"
#include "report/text_table.h"

namespace fathom {

struct ArrivalsTextOptions {
  TextStyle style = TextStyle::kTerminal;
  bool colour = false;  // terminal only
};

std::string arrivals_text(const ArrivalComparison& comparison, const ArrivalsTextOptions& options);

}  // namespace fathom
