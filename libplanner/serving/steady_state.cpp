#include "serving/steady_state.h"

#include <algorithm>
#include <cmath>

namespace fathom {

namespace {
constexpr double kMostPlaces = 4096;  // sequences in one batch; no engine we know schedules more
constexpr double kBusiest = 0.98;     // share of prefill time beyond which a queue of prompts has no useful length
}  // namespace

std::string to_string(PoolRole role) {
  switch (role) {
    case PoolRole::kServe:
      return "serve";
    case PoolRole::kPrefill:
      return "prefill";
    case PoolRole::kDecode:
      return "decode";
  }
  return "?";
}

SteadyState::SteadyState(const ReplicaTimer& timer, const Workload& w, const EngineProfile& engine,
                         const Layout& layout, PoolRole role, double most_sequences, Seconds transfer)
    : timer_(timer),
      role_(role),
      replicas_(layout.replicas),
      overhead_(engine.request_overhead.value),
      transfer_(transfer) {
  input_ = w.input_tokens.mean;
  new_input_ = std::max(1.0, input_ * (1 - w.prefix_cache_hit));
  output_ = std::max(1.0, w.output_tokens.mean);
  mean_context_ = input_ + output_ / 2;
  most_sequences_ = most_sequences;
  prefill_ = timer.prefill(new_input_, input_ - new_input_, engine.chunk_tokens);
  const double mean2 = input_ * input_;
  prompt_variation_ = mean2 > 0 ? std::max(0.0, w.input_tokens.second_moment / mean2 - 1) : 0;
  if (layout.mtp) accepted_per_step_ = 1 + w.mtp_acceptance.value_or(0);
}

// Wait for the prompts ahead (Pollaczek-Khinchine with the prompts' own variation) and for the step that runs, then read.
Seconds SteadyState::first_token(double busy, Seconds step, double company) const {
  const Seconds queue(prefill_seconds() * busy * (1 + prompt_variation_) / (2 * (1 - busy)));
  return overhead_ + (queue + step / 2) * company + prefill_.latency + transfer_;
}

double SteadyState::prefill_seconds() const {
  return role_ == PoolRole::kDecode ? 0 : new_input_ / prefill_.tokens_per_second;
}

ServingPoint SteadyState::at_batch(double sequences, double company) const {
  ServingPoint p;
  p.sequences = sequences;
  p.step_time = timer_.decode_step(sequences, mean_context_);
  const double decode_seconds = output_ / accepted_per_step_ * p.step_time.value / std::max(sequences, 1e-9);
  const double rate = 1 / (prefill_seconds() + decode_seconds);  // of one replica
  p.prefill_share = rate * prefill_seconds();
  p.requests_per_s = rate * replicas_;
  p.output_tok_per_s = p.requests_per_s * output_;
  p.prefill_tok_per_s = role_ == PoolRole::kDecode ? 0 : prefill_.tokens_per_second * replicas_;
  p.tpot = p.step_time / (accepted_per_step_ * std::max(1e-3, 1 - p.prefill_share * company));
  p.ttft =
      role_ == PoolRole::kDecode ? transfer_ : first_token(std::min(p.prefill_share, kBusiest), p.step_time, company);
  p.ttft_together = p.ttft + Seconds(prefill_seconds() * std::max(0.0, sequences - 1) / 2);
  p.e2e = p.ttft + p.tpot * (output_ - 1);
  return p;
}

ServingPoint SteadyState::prefill_at(double requests_per_s) const {
  ServingPoint p;
  const double asked = requests_per_s / replicas_ * prefill_seconds();
  p.saturated = asked > kBusiest;
  p.prefill_share = std::min(asked, kBusiest);
  p.requests_per_s = p.prefill_share / prefill_seconds() * replicas_;
  p.prefill_tok_per_s = prefill_.tokens_per_second * replicas_;
  p.ttft = p.ttft_together = p.e2e = first_token(p.prefill_share, Seconds(0), 1);
  return p;
}

double SteadyState::in_flight(const ServingPoint& p) const {
  return p.requests_per_s / replicas_ * (p.ttft + p.tpot * output_).value;
}

namespace {

// The largest x in (0, top] for which `below(x)` holds, `below` being true up to some point.
template <class Predicate>
double bisect(double top, Predicate below) {
  if (below(top)) return top;
  double low = 0, high = top;
  for (int i = 0; i < 40 && high - low > 1e-3 * high; ++i) {
    const double middle = 0.5 * (low + high);
    (below(middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace

ServingPoint SteadyState::at_load(std::optional<double> concurrency, std::optional<Hertz> arrival_rate) const {
  if (role_ == PoolRole::kPrefill) return prefill_at(arrival_rate.value_or(Hertz(0)).value);
  const double target = concurrency ? *concurrency / replicas_ : arrival_rate->value / replicas_;
  const auto load = [&](const ServingPoint& p) { return concurrency ? in_flight(p) : p.requests_per_s / replicas_; };
  // In a closed loop with one request nobody else is there.
  const double company = concurrency ? std::clamp(target - 1, 0.0, 1.0) : 1;
  const double places = std::min(most_sequences_, kMostPlaces);
  const double top = concurrency ? std::min(places, std::max(target, 1e-3)) : places;
  const double batch = bisect(top, [&](double b) { return load(at_batch(b, company)) <= target; });
  ServingPoint p = at_batch(std::max(1e-3, batch), company);
  const double missing = target - load(p);
  if (!concurrency) {
    const double busy = std::min(1.0, target / (at_batch(places).requests_per_s / replicas_));
    if (missing < 0.01 * target) answer_exactly(p, target * replicas_);
    wait_for_a_place(p, busy);
  }
  if (missing > 0.01 * target && p.sequences >= places * 0.999) {
    p.kv_limited = true;
    if (concurrency) {  // the rest waits for a place in the cache
      p.ttft += Seconds(missing / (p.requests_per_s / replicas_));
      p.ttft_together = std::max(p.ttft_together, p.ttft);
      p.e2e = p.ttft + p.tpot * (output_ - 1);
    } else {
      p.saturated = true;
    }
  }
  return p;
}

// The bisection ends within a thousandth; the rate itself is known.
void SteadyState::answer_exactly(ServingPoint& p, double requests_per_s) const {
  p.requests_per_s = requests_per_s;
  p.output_tok_per_s = requests_per_s * output_;
}

// Places in the batch are servers of a queue. Sakasegawa's approximation of the M/M/c wait: S busy^(sqrt(2(c+1))-1) /
// (c (1 - busy)), S the time a request holds its place (H. Sakasegawa, Ann. Inst. Stat. Math. 29, 1977).
void SteadyState::wait_for_a_place(ServingPoint& p, double busy) const {
  const double places = std::max(1.0, std::min(most_sequences_, kMostPlaces)), held = p.e2e.value;
  const double share = std::min(busy, kBusiest);
  const Seconds wait(held * std::pow(share, std::sqrt(2 * (places + 1)) - 1) / (places * (1 - share)));
  p.ttft += wait;
  p.ttft_together = std::max(p.ttft_together, p.ttft);
  p.e2e += wait;
}

std::optional<ServingPoint> SteadyState::maximum(const ServiceLevel& limits) const {
  if (role_ == PoolRole::kPrefill) {
    const double top = 0.9 * replicas_ / prefill_seconds();
    const double best = bisect(top, [&](double rate) { return keeps(prefill_at(rate), {.ttft = limits.ttft}); });
    if (best < 1e-6 * top) return std::nullopt;
    return prefill_at(best);
  }
  const double top = std::min(most_sequences_, kMostPlaces);
  const double best = bisect(top, [&](double b) { return keeps(at_batch(b), limits); });
  if (best < std::min(1.0, top)) return std::nullopt;
  ServingPoint p = at_batch(best);
  p.kv_limited = best >= most_sequences_ * 0.999;
  return p;
}

bool keeps(const ServingPoint& p, const ServiceLevel& limits) {
  return (!limits.ttft || p.ttft <= *limits.ttft) && (!limits.tpot || p.tpot <= *limits.tpot) &&
         (!limits.e2e || p.e2e <= *limits.e2e);
}

}  // namespace fathom
