// Findings as annotations of GitHub Actions. docs/check.md#github-annotations
#pragma once

#include <string>

#include "check/check_report.h"

namespace fathom {

// At most ten of each level are annotations, because the service drops the others in silence; those follow in the log.
std::string check_github(const CheckReport& report);

}  // namespace fathom
