#include "timing/replica_time.h"

#include <algorithm>
#include <cmath>

namespace fathom {

ReplicaTimer::ReplicaTimer(const Architecture& architecture, const std::vector<Tensor>& tensors, const Layout& layout,
                           const std::vector<Stage>& stages, const DeviceRates& rates, Seconds step_overhead)
    : layout_(layout), rates_(rates), step_overhead_(step_overhead) {
  for (const Stage& stage : stages) {
    const auto like = std::find_if(kinds_.begin(), kinds_.end(),
                                   [&](const Kind& kind) { return same_shape(kind.program.stage(), stage); });
    if (like == kinds_.end()) {
      kinds_.push_back({.program = StageProgram(architecture, tensors, layout, stage), .count = 1});
    } else {
      ++like->count;
    }
  }
}

ReplicaTimer::Trip ReplicaTimer::trip(const Batch& batch) const {
  Trip trip{.all = Seconds(0), .slowest = Seconds(0), .slowest_kind = 0};
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    const Seconds time = stage_time(kinds_[i].program.operators(batch), rates_, layout_);
    trip.all += time * kinds_[i].count;
    if (time > trip.slowest) {
      trip.slowest = time;
      trip.slowest_kind = static_cast<int>(i);
    }
  }
  return trip;
}

Batch ReplicaTimer::decode_batch(double sequences, double context) const {
  // Fractions are means over time: 4.5 sequences on 8 stages travel alone, half the time four of them, half the time five.
  const double micro_batches = std::clamp(sequences, 1.0, static_cast<double>(layout_.pp));
  return {.sequences = sequences / micro_batches, .context = context};
}

Seconds ReplicaTimer::decode_step(double sequences, double context) const {
  const double at_least_one = std::max(1.0, sequences);
  const Batch batch = decode_batch(at_least_one, context);
  const Trip one = trip(batch);
  const double micro_batches = at_least_one / batch.sequences;
  return std::max(one.all + step_overhead_, (one.slowest + step_overhead_) * micro_batches);
}

ReplicaTimer::Prefill ReplicaTimer::prefill(double tokens, double cached, double chunk) const {
  tokens = std::max(1.0, tokens);
  const double chunks = std::ceil(tokens / chunk);
  const double per_chunk = tokens / chunks;
  // Every attention group works on a prompt of its own; the mean chunk sees half of its prompt in the cache.
  const Batch batch{.prefill_tokens = per_chunk * layout_.attention_dp,
                    .prefill_context = cached + (tokens - per_chunk) / 2,
                    .prefill_prompts = static_cast<double>(layout_.attention_dp)};
  const Trip one = trip(batch);
  const Seconds pace = one.slowest + step_overhead_;
  return {.latency = one.all + pace * (chunks - 1) + step_overhead_,
          .tokens_per_second = batch.prefill_tokens / pace.value};
}

std::vector<Operator> ReplicaTimer::slowest_decode_operators(double sequences, double context) const {
  const Batch batch = decode_batch(std::max(1.0, sequences), context);
  return kinds_[static_cast<std::size_t>(trip(batch).slowest_kind)].program.operators(batch);
}

std::vector<Operator> ReplicaTimer::slowest_prefill_operators(double tokens, double cached) const {
  const Batch batch{.prefill_tokens = tokens * layout_.attention_dp,
                    .prefill_context = cached,
                    .prefill_prompts = static_cast<double>(layout_.attention_dp)};
  return kinds_[static_cast<std::size_t>(trip(batch).slowest_kind)].program.operators(batch);
}

}  // namespace fathom
