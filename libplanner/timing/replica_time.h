// Step times of one replica, pipeline included: the operators of each distinct stage, once, scaled to the stages like it.
#pragma once

#include <vector>

#include "timing/step_time.h"

namespace fathom {

// What the host does between steps that nothing hides.
struct HostWork {
  Seconds per_step{}, per_sequence{};  // each attention group has a process of its own for its sequences
};
HostWork host_work(const EngineProfile& engine);

class ReplicaTimer {
 public:
  ReplicaTimer(const Architecture& architecture, const std::vector<Tensor>& tensors, const Layout& layout,
               const std::vector<Stage>& stages, const DeviceRates& rates, HostWork host);

  // Time between two tokens of one sequence while `sequences` decode on the replica at mean length `context`.
  // With a pipeline, sequences travel in up to `pp` micro-batches: the token period is the longer of one trip through all
  // stages and all micro-batches through the slowest stage, each with the host's overhead.
  Seconds decode_step(double sequences, double context) const;

  // One prompt of `tokens` new tokens in chunks of `chunk` per attention group, alone on the replica.
  struct Prefill {
    Seconds latency;           // until its last chunk leaves the last stage
    double tokens_per_second;  // of the replica when prompts follow each other without gap
    Seconds launching;         // what the host of a stage needs to launch its operators
  };
  Prefill prefill(double tokens, double cached, double chunk) const;

  // `prompts` of them together, packed into chunks.
  Seconds prefill_together(double prompts, double tokens, double cached, double chunk) const;

  // Any batch, prompts and decoding mixed: through all stages, and until the slowest stage takes the next batch.
  struct Step {
    Seconds latency, pace;
  };
  Step step(const Batch& batch) const;

  // The operators behind decode_step, of the stage that takes longest, for the report.
  std::vector<Operator> slowest_decode_operators(double sequences, double context) const;
  std::vector<Operator> slowest_prefill_operators(double tokens, double cached) const;
  const DeviceRates& rates() const { return rates_; }

 private:
  struct Kind {
    StageProgram program;
    int count;  // stages of this shape
  };
  struct Trip {
    Seconds all;      // through every stage, hops included
    Seconds slowest;  // the stage that sets the pace
    double launches;  // operators of all stages, one after the other
    int slowest_kind;
  };
  Trip trip(const Batch& batch) const;
  Trip at_least_launched(Trip trip) const;
  Batch decode_batch(double sequences, double context) const;

  const Layout& layout_;
  DeviceRates rates_;
  HostWork host_;
  std::vector<Kind> kinds_;
};

}  // namespace fathom
