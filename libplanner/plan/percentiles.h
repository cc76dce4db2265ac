// Percentiles of the chosen solution by a short simulation, for service levels that name one.
#pragma once

#include <optional>

#include "plan/plan.h"
#include "search/search.h"

namespace fathom {

// Needs the pools with what serves them, and the predictions at the load. Deterministic, a fraction of a second.
// Nothing when the service level binds means, or when the load exceeds what is answered.
std::optional<PlanSimulation> simulated_percentiles(const Plan& plan, const Solution& best);

}  // namespace fathom
