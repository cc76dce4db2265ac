// What is to be simulated, and whether it can be.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "simulate/replica.h"
#include "simulate/request.h"
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

// Tokens of the longest request that the model and every cache take: drawn lengths end there.
double longest_request(const std::vector<ServingPool>& pools);

// Throws std::invalid_argument for a scenario that cannot be played, or whose requests would never be finished.
void check(const Scenario& scenario);

}  // namespace fathom
