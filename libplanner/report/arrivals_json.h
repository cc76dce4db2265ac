// Requests as served beside the same as simulated, for programs: SI numbers, the unit last in the key.
#pragma once

#include <string>

#include "compare/arrivals.h"

namespace fathom {

std::string arrivals_json(const ArrivalComparison& comparison);

}  // namespace fathom
