// The plan for people: a report an architect can paste, for the terminal or as Markdown. Prints values, computes none.
#pragma once

#include <string>

#include "plan/plan.h"
#include "report/text_table.h"

namespace fathom {

struct TextOptions {
  TextStyle style = TextStyle::kTerminal;
  bool colour = false;         // terminal only
  bool every_operator = false; // instead of the ten that take longest
};

std::string plan_text(const Plan& plan, const TextOptions& options);

}  // namespace fathom
