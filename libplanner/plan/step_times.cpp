#include "plan/step_times.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace fathom {

namespace {

constexpr double kMostSequences = 4096;  // in one batch; no engine we know schedules more
constexpr double kTolerance = 0.008;     // of linear interpolation at the middle of two points
constexpr double kNarrowest = 1.04;      // ratio of neighbours that is not divided further
constexpr std::size_t kMostPoints = 48;
constexpr double kMostTokens = 1e12;  // of a cache: a model may need none

// Points between `low` and `high` such that every function is within the tolerance of its chords.
using Functions = std::vector<std::function<double(double)>>;
std::vector<double> fine_axis(double low, double high, const Functions& functions) {
  const auto values = [&](double x) {
    std::vector<double> out;
    for (const auto& f : functions) out.push_back(f(x));
    return out;
  };
  struct Point {
    double x;
    std::vector<double> at;
  };
  std::vector<Point> points = {{low, values(low)}};
  if (high > low) points.push_back({high, values(high)});
  for (std::size_t i = 0; i + 1 < points.size();) {
    const Point& a = points[i];
    const Point& b = points[i + 1];
    const double middle = std::round(std::sqrt((a.x + 1) * (b.x + 1)) - 1);
    if (middle <= a.x || middle >= b.x || (b.x + 1) / (a.x + 1) < kNarrowest || points.size() >= kMostPoints) {
      ++i;
      continue;
    }
    const std::vector<double> exact = values(middle);
    const double share = (middle - a.x) / (b.x - a.x);
    // A chord over more than an octave may be right in the middle by chance.
    bool split = b.x + 1 > 8 * (a.x + 1);
    for (std::size_t k = 0; k < exact.size(); ++k) {
      const double chord = a.at[k] + (b.at[k] - a.at[k]) * share;
      split = split || std::abs(chord - exact[k]) > kTolerance * exact[k];
    }
    if (split) {
      points.insert(points.begin() + static_cast<std::ptrdiff_t>(i) + 1, Point{middle, exact});
    } else {
      ++i;
    }
  }
  std::vector<double> axis;
  for (const Point& p : points) axis.push_back(p.x);
  return axis;
}

std::vector<double> coarse_axis(double high) {
  std::vector<double> axis = {1};
  while (axis.back() < high) axis.push_back(std::min(high, std::ceil(2 * axis.back())));
  return axis;
}

StepGrid grid(const std::vector<double>& x, const std::vector<double>& y,
              const std::function<double(double, double)>& seconds) {
  StepGrid g{.x = x, .y = y, .values = {}};
  for (const double a : x) {
    for (const double b : y) g.values.push_back(seconds(a, b));
  }
  return g;
}

}  // namespace

MicroBatches micro_batches(const Layout& layout, double chunk, const StepWork& s) {
  const double stages = layout.pp, groups = layout.attention_dp;
  const double k = s.prompt_tokens > 0 ? std::clamp(s.prompt_tokens / (chunk * groups), 1.0, stages) : 0;
  return {.all = std::clamp(std::max(s.sequences, k), 1.0, stages), .with_prompts = k};
}

// The round ends when the last of m micro-batches is through: the longest trip, or all of them through the slowest stage.
Seconds round_time(const ReplicaTimer& timer, const Layout& layout, double chunk, const StepWork& s) {
  const double groups = layout.attention_dp;
  const auto [m, k] = micro_batches(layout, chunk, s);
  Batch batch{.sequences = s.sequences / m, .context = s.context};
  Seconds latency{}, paces{};
  if (m > k && s.sequences > 0) {
    const ReplicaTimer::Step decode = timer.step(batch);
    latency = decode.latency;
    paces = decode.pace * (m - k);
  }
  if (k > 0) {
    batch.prefill_tokens = s.prompt_tokens / k;
    batch.prefill_context = s.prompt_context;
    batch.prefill_prompts = groups;
    const ReplicaTimer::Step mixed = timer.step(batch);
    latency = std::max(latency, mixed.latency);
    paces += mixed.pace * k;
  }
  return std::max(latency, paces);
}

namespace {

// Attention as if memory, or arithmetic, were endlessly fast: the other bound alone.
class OneBound {
 public:
  OneBound(const Architecture& a, const std::vector<Tensor>& list, const Layout& layout, const std::vector<Stage>& cut,
           DeviceRates rates, HostWork host, bool arithmetic) {
    constexpr double kEndless = 1e30;
    if (rates.measured != nullptr) {
      measured_ = *rates.measured;
      for (ProfileRow& row : measured_.rows) {
        const bool attention = row.kind == OperatorKind::kAttention || row.kind == OperatorKind::kMlaAttention ||
                               row.kind == OperatorKind::kIndexer;
        if (!attention || row.form != ProfileForm::kLongest) continue;
        if (arithmetic) row.memory = BytesPerSecond(kEndless);
        if (!arithmetic) row.compute = FlopsPerSecond(kEndless);
      }
      rates.measured = &measured_;
    }
    if (arithmetic) rates.cache = BytesPerSecond(kEndless);
    if (!arithmetic) rates.attention_share = kEndless;
    timer_.emplace(a, list, layout, cut, rates, host);
  }
  const ReplicaTimer& timer() const { return *timer_; }

 private:
  Profile measured_;
  std::optional<ReplicaTimer> timer_;
};

using StepPart = Seconds ReplicaTimer::Step::*;

class TableMaker {
 public:
  TableMaker(const Layout& layout, double chunk, double longest_context, PoolPart part)
      : groups_(layout.attention_dp),
        most_tokens_(chunk * layout.attention_dp),
        longest_(std::max(2.0, longest_context)),
        decodes_(part != PoolPart::kPrefill) {}

  Batch batch(const StepWork& s) const {
    return {.sequences = s.sequences,
            .context = s.context,
            .prefill_tokens = s.prompt_tokens,
            .prefill_context = s.prompt_context,
            .prefill_prompts = groups_};
  }

  BatchTimes table(const ReplicaTimer& timer, StepPart part) const {
    const auto decode = [&](double n, double x) {
      return (timer.step(batch({.sequences = n, .context = x})).*part).value;
    };
    const auto prefill = [&](double p, double c) {
      return (timer.step(batch({.prompt_tokens = p, .prompt_context = c})).*part).value;
    };
    const double usual = std::min(longest_, 1024.0);
    const Functions over_tokens = {[&](double p) { return prefill(p, 0); }, [&](double p) { return prefill(p, usual); },
                                   [&](double p) { return prefill(p, longest_); }};
    const Functions over_cached = {[&](double c) { return prefill(std::min(most_tokens_, 64.0), c); },
                                   [&](double c) { return prefill(most_tokens_, c); }};
    const Functions over_sequences = {[&](double n) { return decode(n, 1); },
                                      [&](double n) { return decode(n, usual); },
                                      [&](double n) { return decode(n, longest_); }};
    const Functions over_context = {[&](double x) { return decode(1, x); }, [&](double x) { return decode(64, x); },
                                    [&](double x) { return decode(kMostSequences, x); }};
    BatchTimes t;
    // Twice as far as prompts go: in a mixed step the decoding sequences' tokens come on top.
    t.prefill = grid(fine_axis(1, 2 * most_tokens_, over_tokens), fine_axis(0, longest_, over_cached), prefill);
    if (!decodes_) return t;
    t.decode = grid(fine_axis(1, kMostSequences, over_sequences), fine_axis(1, longest_, over_context), decode);
    const auto lacks = [&](double n, double p) {
      const StepWork s{.sequences = n, .context = 1, .prompt_tokens = p};
      return (timer.step(batch(s)).*part).value - t.seconds(s);
    };
    const std::vector<double> axis = coarse_axis(most_tokens_);
    t.more = grid(axis, axis, lacks);  // `more` is empty while this is reckoned
    return t;
  }

  // Largest error of a table over batches of both kinds.
  double error(const BoundTimes& times, const ReplicaTimer& timer, StepPart part) const {
    double worst = 0;
    for (const double n : {8.0, 64.0, 512.0}) {
      for (const double x : {512.0, 8192.0, longest_}) {
        for (const double p : {0.1 * most_tokens_, 0.9 * most_tokens_}) {
          for (const double c : {0.0, 4096.0, longest_}) {
            const StepWork s{.sequences = n, .context = x, .prompt_tokens = p, .prompt_context = c};
            const double exact = (timer.step(batch(s)).*part).value;
            worst = std::max(worst, std::abs(times.seconds(s) / exact - 1));
          }
        }
      }
    }
    return worst;
  }

 private:
  double groups_, most_tokens_, longest_;
  bool decodes_;
};

}  // namespace

StepTimes step_times(const Architecture& a, const std::vector<Tensor>& list, const Layout& layout,
                     const DeviceRates& rates, HostWork host, double chunk, double longest_context, PoolPart part) {
  const std::vector<Stage> cut = stages(a, list, layout);
  const ReplicaTimer timer(a, list, layout, cut, rates, host);
  const OneBound arithmetic(a, list, layout, cut, rates, host, true), memory(a, list, layout, cut, rates, host, false);
  const TableMaker maker(layout, chunk, longest_context, part);
  const auto make = [&](StepPart which) {
    const BoundTimes one{.bounds = {maker.table(timer, which)}};
    if (part == PoolPart::kPrefill) return one;
    const BoundTimes two{.bounds = {maker.table(arithmetic.timer(), which), maker.table(memory.timer(), which)}};
    return maker.error(two, timer, which) < maker.error(one, timer, which) ? two : one;
  };
  StepTimes t{.latency = make(&ReplicaTimer::Step::latency), .pace = {}, .stages = layout.pp};
  if (layout.pp > 1) t.pace = make(&ReplicaTimer::Step::pace);
  t.chunk_tokens = chunk * layout.attention_dp;
  return t;
}

namespace {

RequestLengths lengths(const LengthDistribution& d) {
  const double spread = d.second_moment / (d.mean * d.mean);
  return {.mean = d.mean, .sigma = spread > 1 ? std::sqrt(std::log(spread)) : 0};
}

PoolPart part_of(PoolRole role) {
  switch (role) {
    case PoolRole::kServe:
      return PoolPart::kServe;
    case PoolRole::kPrefill:
      return PoolPart::kPrefill;
    case PoolRole::kDecode:
      return PoolPart::kDecode;
  }
  return PoolPart::kServe;
}

}  // namespace

ServingPool serving_pool(const Problem& p, const Candidate& c, const Solution& s) {
  const EngineProfile engine = on_device(p.engine, *c.pool->accelerator);
  const double mean = p.workload.input_tokens.mean + p.workload.output_tokens.mean;
  const double whole_requests = sequences_that_fit(c.memory, c.layout, mean) * mean;  // windows counted
  const double position = p.architecture.max_position > 0 ? p.architecture.max_position : c.memory.max_context;

  ServingPool pool;
  pool.name = c.pool->group->id;
  pool.part = part_of(c.role);
  pool.replicas = c.layout.replicas;
  for (std::size_t i = 0; i < s.pools.size(); ++i) {
    if (&s.pools[i] == &c) pool.share = s.shares[i];
  }
  pool.kv_tokens = std::min({c.memory.kv_tokens, std::max(whole_requests, c.memory.max_context), kMostTokens});
  pool.max_context = std::min({c.memory.max_context, position, kMostTokens});
  pool.most_sequences = static_cast<int>(kMostSequences);
  pool.chunk_tokens = engine.chunk_tokens;
  pool.attention_groups = c.layout.attention_dp;
  pool.micro_batches = c.layout.pp;
  pool.tokens_per_step = c.layout.mtp ? 1 + p.workload.mtp_acceptance.value_or(0) : 1;
  pool.kv_bytes_per_token = c.memory.worst().kv_per_token;
  pool.request_overhead = engine.request_overhead.value;
  pool.step_overhead = engine.step_overhead.value;
  if (c.role == PoolRole::kPrefill) pool.transfer_per_token = s.transfer / std::max(1.0, p.workload.input_tokens.mean);
  pool.step_times = step_times(p.architecture, p.tensors, c.layout, device_rates(*c.pool, engine), host_work(engine),
                               engine.chunk_tokens, std::min(pool.max_context, 1e6), pool.part);
  return pool;
}

ServingLoad serving_load(const Workload& w) {
  ServingLoad load;
  load.input = lengths(w.input_tokens);
  load.output = lengths(w.output_tokens);
  load.prefix_hit = w.prefix_cache_hit;
  load.concurrency = w.concurrency;
  if (w.arrival_rate) load.requests_per_s = w.arrival_rate->value;
  return load;
}

ServingLimits serving_limits(const Workload& w) {
  return {.ttft = w.slo.ttft, .tpot = w.slo.tpot, .e2e = w.slo.e2e, .percentile = w.slo.percentile};
}

}  // namespace fathom
