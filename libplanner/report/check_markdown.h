// Findings as Markdown, for the summary of a job or a comment on a merge request. docs/check.md#markdown
#pragma once

#include <string>

#include "check/check_report.h"

namespace fathom {

std::string check_markdown(const CheckReport& report);

}  // namespace fathom
