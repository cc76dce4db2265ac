#include "timing/replica_time.h"

#include <algorithm>
#include <cmath>

namespace fathom {

HostWork host_work(const EngineProfile& engine) {
  return {.per_step = engine.step_overhead.value, .per_sequence = engine.sequence_overhead.value};
}

ReplicaTimer::ReplicaTimer(const Architecture& architecture, const std::vector<Tensor>& tensors, const Layout& layout,
                           const std::vector<Stage>& stages, const DeviceRates& rates, HostWork host)
    : layout_(layout), rates_(rates), host_(host) {
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
  Trip trip{.all = Seconds(0), .slowest = Seconds(0), .launches = 0, .slowest_kind = 0};
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    const std::vector<Operator> operators = kinds_[i].program.operators(batch);
    const Seconds time = stage_time(operators, rates_, layout_);
    for (const Operator& op : operators) trip.launches += op.count * kinds_[i].count;
    trip.all += time * kinds_[i].count;
    if (time > trip.slowest) {
      trip.slowest = time;
      trip.slowest_kind = static_cast<int>(i);
    }
  }
  return trip;
}

// Without graphs the host launches the operators of decoding too. Each stage has a host thread of its own.
ReplicaTimer::Trip ReplicaTimer::at_least_launched(Trip trip) const {
  if (rates_.decodes_in_graphs) return trip;
  const Seconds launching = rates_.eager_launch * trip.launches;
  trip.all = std::max(trip.all, launching);
  trip.slowest = std::max(trip.slowest, launching / layout_.pp);
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
  const Trip one = at_least_launched(trip(batch));
  const double micro_batches = at_least_one / batch.sequences;
  const Seconds host = host_.per_step + host_.per_sequence * (batch.sequences / layout_.attention_dp);
  return std::max(one.all + host, (one.slowest + host) * micro_batches);
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
  const Seconds pace = one.slowest + host_.per_step;
  // No graph holds a step with prompts: the host launches every operator, and a short prompt waits for it. Decoding goes on
  // in the same steps, so what the device has left over is not lost.
  const Seconds launching = rates_.eager_launch * one.launches;
  return {.latency = std::max(one.all, launching) + pace * (chunks - 1) + host_.per_step,
          .tokens_per_second = batch.prefill_tokens / pace.value,
          .launching = launching * chunks / layout_.pp};
}

Seconds ReplicaTimer::prefill_together(double prompts, double tokens, double cached, double chunk) const {
  tokens = std::max(1.0, tokens);
  if (tokens >= chunk || prompts <= 1) {
    const Prefill one = prefill(tokens, cached, chunk);
    return one.latency + Seconds(std::max(0.0, prompts - layout_.attention_dp) * tokens / one.tokens_per_second);
  }
  const double groups = layout_.attention_dp;
  const double all = std::max(1.0, prompts / groups) * tokens, chunks = std::ceil(all / chunk);
  const Batch batch{.prefill_tokens = all / chunks * groups,
                    .prefill_context = cached,
                    .prefill_prompts = all / chunks / tokens * groups};
  const Trip one = trip(batch);
  const Seconds pace = std::max(one.slowest, rates_.eager_launch * one.launches / layout_.pp) + host_.per_step;
  return std::max(one.all, rates_.eager_launch * one.launches) + host_.per_step + pace * (chunks - 1);
}

ReplicaTimer::Step ReplicaTimer::step(const Batch& batch) const {
  const Trip one = at_least_launched(trip(batch));
  const Seconds host = host_.per_step + host_.per_sequence * (batch.sequences / layout_.attention_dp);
  return {.latency = one.all + host, .pace = one.slowest + host};
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
