// The requests that a simulation plays, one by one, so that an engine is given the very same.
#pragma once

#include "simulate/request.h"

namespace fathom {

// Times begin at 0 with the first request. Priorities and known prefixes of a trace are left out: the engine has neither.
// Throws std::invalid_argument for a closed loop, and for arrivals that cannot be simulated.
RequestTrace arriving_requests(const ServingPool& replica, const ServingLoad& load, const ArrivalPlan& arrivals,
                               std::uint64_t seed);

}  // namespace fathom
