// Discrete-event simulation of continuous batching: requests come, are routed, wait, are read and answered.
// Deterministic for a seed; one thread, no clock. docs/formulas/simulate.md
#pragma once

#include "simulate/result.h"
#include "simulate/scenario.h"

namespace fathom {

// Throws std::invalid_argument for a scenario that cannot be played: no requests, an empty trace, no load.
SimulationResult simulate(const Scenario& scenario);

}  // namespace fathom
