// Predicted beside measured as JSON: the contract of `fathom validate -f json` (docs/architecture.md#a-validation-as-json).
#pragma once

#include <string>

#include "compare/compare.h"

namespace fathom {

std::string validate_json(const Comparison& comparison);  // ends with a newline

}  // namespace fathom
