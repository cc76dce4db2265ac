// Discrete-event simulation of continuous batching: requests come, are routed, wait, are read and answered.
// Deterministic for a seed; one thread, no clock. docs/formulas/simulate.md
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "simulate/replica.h"
#include "simulate/request.h"
#include "simulate/result.h"
#include "simulate/serving_pool.h"

namespace fathom {

enum class Routing { kRoundRobin, kLeastLoaded, kRandom };

struct Scenario {
  std::vector<ServingPool> pools;  // prefill before decode, or pools that serve side by side
  ServingLoad load;
  ArrivalPlan arrivals;
  ServingLimits limits;
  Routing routing = Routing::kLeastLoaded;
  Preemption preemption = Preemption::kRecompute;
  double swap_bytes_per_s = 25e9;     // between a device and its host
  std::optional<Seconds> mtbf, mttr;  // of one replica
  double warm_up = 0.1;               // share of the requests that come first and are not measured
  std::uint64_t seed = 1;
};

// Throws std::invalid_argument for a scenario that cannot be played: no requests, an empty trace, no load.
SimulationResult simulate(const Scenario& scenario);

}  // namespace fathom
