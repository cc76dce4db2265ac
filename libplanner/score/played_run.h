// A serving benchmark played request by request (room simulate): open loops, and percentiles of any load.
// docs/formulas/serving.md#played-runs
#pragma once

#include <optional>

#include "score/setup.h"
#include "timing/engine_profile.h"

namespace fathom {

struct PlayedTimes {
  Seconds mean{}, p50{}, p99{};  // over requests
};
struct PlayedRun {
  PlayedTimes ttft, tpot;
  Seconds e2e{};              // mean
  double requests_per_s = 0;  // all of them over the time from the first arrival to the last answer
};

// The mean of so many runs, each as short as a benchmark's. nullopt where lengths or the number of requests are not stated, where
// playing would take too long, and in a single stream or a batch that goes in step. Deterministic.
std::optional<PlayedRun> play(const Setup& setup, const EngineProfile& engine, int runs);

}  // namespace fathom
