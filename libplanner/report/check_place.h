// How the files and places of findings are named in each format.
#pragma once

#include <string>

#include "check/check_report.h"

namespace fathom {

// From the folder where the program runs when the file is in or below it, else absolute; "<stdin>" stays.
std::string file_name(const std::string& file, const CheckReport& report);
std::string file_uri(const std::string& file, const CheckReport& report);  // the same as RFC 3986 wants it

int end_column(const Finding& finding);  // behind the last character; 0 when it is not known

}  // namespace fathom
