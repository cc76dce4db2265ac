// Findings for people: with their line, caret and terms, or one to a line.
#pragma once

#include <string>

#include "check/check_report.h"

namespace fathom {

struct CheckTextOptions {
  bool colour = false;
  bool all = false;  // not only the gravest of each file
};

std::string check_text(const CheckReport& report, const CheckTextOptions& options);

// file:line:column: error[rule]: message
std::string check_concise(const CheckReport& report);
std::string concise_line(const Finding& finding);  // without a line end

// "checked 3 files, 2 problems: 1 error, 1 warning", without a line end.
std::string check_summary(const CheckReport& report);

}  // namespace fathom
