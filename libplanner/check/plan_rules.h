// Rules on a plan that `fathom plan` saved. docs/check.md#saved-plans
#pragma once

#include <string>

#include "check/findings.h"
#include "input/value.h"

namespace fathom {

// `version` is this program's; empty when nobody asks. Throws InputError for what is no plan of a format that is known here.
void check_saved_plan(const Document& plan, const std::string& version, Findings& findings);

}  // namespace fathom
