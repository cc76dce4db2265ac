// Findings as SARIF 2.1.0, for code scanning. docs/check.md#sarif
#pragma once

#include <string>

#include "check/check_report.h"

namespace fathom {

std::string check_sarif(const CheckReport& report);  // ends with a newline

}  // namespace fathom
