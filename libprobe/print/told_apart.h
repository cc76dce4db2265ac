// Programs join what they read by its name, and two of one name are an error to them: where protocols alone tell results apart
// (two kernels that do the same), the protocol is part of the name.
#pragma once

#include <string>
#include <vector>

#include "harness/result.h"

namespace fathom::probe {

// Of each result its protocol's text, or nothing where case, device and shape are its own.
std::vector<std::string> told_apart(const std::vector<Result>& results);

}  // namespace fathom::probe
