// The built program, run from outside as a user runs it.
#pragma once

#include <string>

namespace fathom {

struct Answer {
  int code = 0;  // exit code; 128 + signal when it died
  std::string out, err;
};

// `arguments` as in a shell, with `environment` ("NO_COLOR=1") before. The catalogs are those of the source tree.
Answer run_program(const std::string& arguments, const std::string& environment = {});

}  // namespace fathom
