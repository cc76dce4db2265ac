// Continuous batching in closed form: how fast a replica answers when requests keep coming.
//
// One request costs the replica P seconds of prefill and O decode steps that it shares with the b sequences in flight:
//   X = 1 / (P + O t(b) / b)                     requests/s
//   TPOT = t(b) / (1 - X P)                      decode steps wait while prompts are read
//   in flight = X (TTFT + O TPOT)                Little's law
// docs/formulas/serving.md#steady-state
#pragma once

#include <optional>

#include "timing/replica_time.h"
#include "workload/workload.h"

namespace fathom {

// What a pool does with a request.
enum class PoolRole { kServe, kPrefill, kDecode };
std::string to_string(PoolRole role);

struct ServingPoint {
  double sequences = 0;          // decoding at once on one replica
  double requests_per_s = 0;     // all replicas
  double output_tok_per_s = 0;   // all replicas
  double prefill_tok_per_s = 0;  // prompt tokens that all replicas could read if they did nothing else
  Seconds ttft{};
  Seconds ttft_together{};  // mean when all requests in flight start at once, as clients in step do
  Seconds tpot{};
  Seconds e2e{};
  Seconds step_time{};       // one decode step, no prompt in between
  double prefill_share = 0;  // of replica time
  bool kv_limited = false;   // the cache, not the load, caps the batch
  bool saturated = false;    // the load is more than this can answer: the queue grows
};

// One replica's view of the workload, ready to be asked at any batch.
class SteadyState {
 public:
  // `most_sequences`: how many the KV cache holds. `transfer`: time to move one prompt's cache between pools.
  SteadyState(const ReplicaTimer& timer, const Workload& workload, const EngineProfile& engine, const Layout& layout,
              PoolRole role, double most_sequences, Seconds transfer = Seconds(0));

  // Not for a prefill pool. `company`: the chance that a request finds others at work; none of its time is lost to them else.
  ServingPoint at_batch(double sequences, double company = 1) const;
  ServingPoint prefill_at(double requests_per_s) const;  // a prefill pool fed at this rate, all replicas together
  // The given load, spread evenly over the replicas. A prefill pool takes an arrival rate only.
  ServingPoint at_load(std::optional<double> concurrency, std::optional<Hertz> arrival_rate) const;
  // The largest batch that keeps the limits (none given: that the cache holds). nullopt when even one sequence breaks them.
  std::optional<ServingPoint> maximum(const ServiceLevel& limits) const;

 private:
  void answer_exactly(ServingPoint& point, double requests_per_s) const;
  void wait_for_a_place(ServingPoint& point, double busy) const;  // `busy`: share of the places that are taken
  double in_flight(const ServingPoint& point) const;              // on one replica
  double prefill_seconds() const;                                 // replica time that one prompt costs
  Seconds first_token(double busy, Seconds step, double company) const;

  const ReplicaTimer& timer_;
  PoolRole role_;
  double replicas_;
  double input_, new_input_, output_;
  double mean_context_;
  double most_sequences_;
  Seconds overhead_, transfer_;
  ReplicaTimer::Prefill prefill_;
  double prompt_variation_ = 0;   // squared coefficient of variation of prompt length
  double accepted_per_step_ = 1;  // tokens per decode step, above 1 with MTP
};

bool keeps(const ServingPoint& point, const ServiceLevel& limits);

}  // namespace fathom
