// The plan for people: a report an architect can paste, for the terminal or as Markdown. Prints values, computes none.
#pragma once

#include <string>

#include "plan/plan.h"
#include "report/text_table.h"

namespace fathom {

struct TextOptions {
  TextStyle style = TextStyle::kTerminal;
  bool colour = false;           // terminal only
  bool every_operator = false;   // instead of the ten that take longest
  bool every_candidate = false;  // each rejected layout with its reason, instead of a summary
};

std::string plan_text(const Plan& plan, const TextOptions& options);

}  // namespace fathom
