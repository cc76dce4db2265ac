// Findings as JSON: the contract of `fathom check -f json`. docs/check.md#json
#pragma once

#include <string>

#include "check/check_report.h"

namespace fathom {

std::string check_json(const CheckReport& report);  // ends with a newline

}  // namespace fathom
