// What a benchmark does: one request after the other, a static batch, a burst, a queue that never empties.
// The host's work on a request (`request_overhead`) is part of every TTFT and every wall time, once: for those that wait it is
// done meanwhile. docs/formulas/serving.md#offline
#pragma once

#include "serving/steady_state.h"

namespace fathom {

struct OfflineLoad {
  double requests = 0;                       // at once; 0: more than anybody counts
  double input = 0, cached = 0, output = 0;  // tokens each; `cached` of the input
  double context = 0;                        // mean length while decoding
  double tokens_per_step = 1;                // of one sequence, above 1 with speculation
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

// One request after the other on one replica; the others of the deployment are not asked.
OfflineRun single_stream(const ReplicaTimer& timer, const EngineProfile& engine, const OfflineLoad& load);

// A batch in step: all prompts first, then all decode together.
OfflineRun static_batch(const ReplicaTimer& timer, const EngineProfile& engine, const Layout& layout,
                        const OfflineLoad& load);

// Continuous batching of a burst or a full queue; at most `places` sequences decode at once on one replica.
OfflineRun burst(const ReplicaTimer& timer, const EngineProfile& engine, const Layout& layout, const OfflineLoad& load,
                 double places);

// How many sequences of this load one replica keeps at once: what its cache holds as the engine admits requests, and at
// most what the engine schedules.
double places(const ReplicaMemory& memory, const EngineProfile& engine, const Layout& layout, double input,
              double output);

}  // namespace fathom
