// What a simulation found, as plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "simulate/serving_pool.h"
#include "units/quantity.h"

namespace fathom {

// Of one kind of time, over the measured requests (or tokens).
struct Spread {
  std::int64_t count = 0;
  Seconds mean{}, p50{}, p90{}, p95{}, p99{}, max{};
  Seconds named{};  // at the percentile that the limits bind: the mean for 50
};

struct PoolUse {
  std::string name, part;
  int replicas = 1;
  double utilisation = 0;  // share of time in which a step runs
  double mean_running = 0;
  std::int64_t preemptions = 0;
  double kv_use = 0;  // share of the cache, mean over time
  std::optional<Joules> energy = {};
};

// Means over one slice of simulated time, all replicas together.
struct SeriesRow {
  Seconds begin{}, width{};
  double arrived = 0, finished = 0;  // requests
  double output_tokens = 0;
  double waiting = 0, running = 0;  // requests, mean
  double busy = 0;                  // replicas with a step, mean
  double kv_use = 0;                // share, mean
};

struct SimulationResult {
  std::string arrivals;       // "Poisson, 3.2 requests/s"
  double offered_per_s = 0;   // requests/s that came while it was measured
  std::int64_t requests = 0;  // that came
  std::int64_t measured = 0;  // of those that were answered
  std::int64_t warm_up = 0;   // that came first and are not measured
  std::int64_t finished = 0, rejected = 0, restarted = 0;
  std::int64_t preemptions = 0, failures = 0;
  Seconds simulated{};  // from the first arrival to the last answer
  Seconds window{};     // in which throughput was measured

  Spread ttft, tpot, inter_token, e2e;
  double requests_per_s = 0, output_tok_per_s = 0, prompt_tok_per_s = 0;
  double goodput_per_s = 0;  // requests/s that kept every limit; all when there is none
  double good_share = 0;
  double mean_waiting = 0, mean_running = 0;
  std::int64_t most_waiting = 0;
  double utilisation = 0, kv_use = 0, kv_peak = 0;
  double prefix_found = 0;                   // share of prompt tokens
  std::optional<Joules> energy;              // of the window; absent when a pool's power is not known
  std::optional<Joules> energy_per_token{};  // of an answer
  bool overloaded = false;                   // more came than was answered: the queue grew
  std::vector<PoolUse> pools;
  std::vector<SeriesRow> series;

  ServingLimits limits;
  bool meets = true;
  std::vector<std::string> reasons;  // why not
};

}  // namespace fathom
