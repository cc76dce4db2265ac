// The plan as JSON: the contract of `fathom plan -f json` and `-o plan.json`. SI numbers, the unit last in the key.
#pragma once

#include <string>

#include "plan/plan.h"

namespace fathom {

std::string plan_json(const Plan& plan);  // ends with a newline

}  // namespace fathom
