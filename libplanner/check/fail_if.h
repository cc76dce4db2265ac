// What a user's own conditions on the plan of one design come to. docs/check.md#conditions-on-the-plan
#pragma once

#include "check/check.h"
#include "check/expression.h"
#include "check/plan_values.h"

namespace fathom {

// Adds to the file one finding for each condition that is true, that cannot be decided, or that is false only because
// prices are missing.
void check_conditions(const std::vector<Expression>& conditions, const PlanValues& plan,
                      const std::vector<ExchangeRate>& rates, const RuleBook& book, const RuleLevels& levels,
                      CheckedFile& file);

}  // namespace fathom
