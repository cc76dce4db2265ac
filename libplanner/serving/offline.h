// Requests that are all there from the start: a static batch, a burst, a queue that never empties.
// docs/formulas/serving.md#offline
#pragma once

#include "serving/steady_state.h"

namespace fathom {

struct OfflineLoad {
  double requests = 0;                       // at once; 0: more than anybody counts
  double input = 0, cached = 0, output = 0;  // tokens each; `cached` of the input
  bool ragged = false;                       // answers of unequal length, as in traces; else all of `output` tokens
};

struct OfflineRun {
  double prompts = 0;                                // of one replica that `prefill` reads
  Seconds prefill{};                                 // of all prompts, one after the other
  Seconds ttft{};                                    // mean
  Seconds tpot{};                                    // mean over requests, (end - first token) / (output - 1)
  Seconds wall{};                                    // until the last answer ends; 0 when the queue never empties
  double output_tok_per_s = 0, total_tok_per_s = 0;  // all replicas
  double sequences = 0;                              // in the batch while it is full, one replica
};

// A batch in step: all prompts first, then all decode together.
OfflineRun static_batch(const ReplicaTimer& timer, const EngineProfile& engine, const Layout& layout,
                        const OfflineLoad& load);

// Continuous batching of a burst or a full queue; at most `places` sequences decode at once on one replica.
OfflineRun burst(const ReplicaTimer& timer, const EngineProfile& engine, const Layout& layout, const OfflineLoad& load,
                 double places);

// An open loop of `load.requests` arrivals at `rate` per second, all replicas together, from an empty engine until the last
// answer ends: short runs never see the steady state. Arrivals are a fluid; no queue of single prompts.
OfflineRun open_run(const ReplicaTimer& timer, const EngineProfile& engine, const Layout& layout,
                    const OfflineLoad& load, double rate, double places);

// How many sequences of this load one replica keeps at once: what its cache holds as the engine admits requests, and at
// most what the engine schedules.
double places(const ReplicaMemory& memory, const EngineProfile& engine, const Layout& layout, double input,
              double output);

}  // namespace fathom
