// Findings as JUnit XML: a file is a test suite, a rule that found something a test case. docs/check.md#junit
#pragma once

#include <string>

#include "check/check_report.h"

namespace fathom {

std::string check_junit(const CheckReport& report);  // ends with a newline

}  // namespace fathom
