#include "plan/predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "units/text.h"

namespace fathom {

namespace {

struct Replica {
  std::vector<Stage> cut;
  ReplicaTimer timer;

  Replica(const Problem& p, const Candidate& c, const Pool& pool, const EngineProfile& engine)
      : cut(stages(p.architecture, p.tensors, c.layout)),
        timer(p.architecture, p.tensors, c.layout, cut, device_rates(pool, engine), host_work(engine)) {}
  Replica(const Problem& p, const Candidate& c) : Replica(p, c, *c.pool, on_device(p.engine, *c.pool->accelerator)) {}

  // One step of a pool's operator lists: between two tokens when it decodes, else one chunk of a prompt.
  Seconds step(const PlanPool& of) const {
    if (!of.decode.empty()) return timer.decode_step(of.decode_sequences, of.decode_context);
    return timer.prefill(of.prefill_tokens, 0, of.prefill_tokens).latency;
  }
};

double mean_context(const Workload& w) { return w.input_tokens.mean + w.output_tokens.mean / 2; }

// What the same solution delivers at one corner of the band. The load is shared among pools as in the likely case.
struct Outcome {
  ServingPoint load;
  std::optional<ServingPoint> maximum;
};

Outcome at_corner(const Problem& p, const Solution& s, Corner corner) {
  Outcome sum;
  double requests = 0, most = 1e300;
  bool disaggregated = s.pools.front().role == PoolRole::kPrefill, all_have_maximum = true;
  for (std::size_t i = 0; i < s.pools.size(); ++i) {
    Candidate c = s.pools[i];
    const double share = s.shares[i];
    const bool open = disaggregated || p.workload.arrival_rate;
    const double rate = p.workload.arrival_rate ? p.workload.arrival_rate->value * share : s.requests_per_s;
    evaluate(c, p, corner, open ? std::nullopt : std::optional(*p.workload.concurrency * share),
             open ? std::optional(Hertz(rate)) : std::nullopt, c.role == PoolRole::kDecode ? s.transfer : Seconds(0));
    if (disaggregated) {
      sum.load.ttft += c.load.ttft;
      sum.load.ttft_together += c.load.ttft_together;
      sum.load.tpot += c.load.tpot;
      sum.load.step_time += c.load.step_time;
      requests = requests == 0 ? c.load.requests_per_s : std::min(requests, c.load.requests_per_s);
    } else {
      const double weight = c.load.requests_per_s / (requests + c.load.requests_per_s);
      requests += c.load.requests_per_s;
      sum.load.ttft += (c.load.ttft - sum.load.ttft) * weight;
      sum.load.ttft_together += (c.load.ttft_together - sum.load.ttft_together) * weight;
      sum.load.tpot += (c.load.tpot - sum.load.tpot) * weight;
      sum.load.step_time += (c.load.step_time - sum.load.step_time) * weight;
    }
    sum.load.prefill_tok_per_s += c.load.prefill_tok_per_s;
    all_have_maximum = all_have_maximum && c.maximum.has_value();
    if (!c.maximum) continue;
    if (!sum.maximum) sum.maximum = ServingPoint{};
    ServingPoint& m = *sum.maximum;
    most = std::min(most, c.maximum->requests_per_s);
    m.requests_per_s = disaggregated ? most : m.requests_per_s + c.maximum->requests_per_s;
    m.ttft = disaggregated ? m.ttft + c.maximum->ttft : std::max(m.ttft, c.maximum->ttft);
    m.ttft_together = disaggregated ? m.ttft_together + c.maximum->ttft_together
                                    : std::max(m.ttft_together, c.maximum->ttft_together);
    m.tpot = std::max(m.tpot, c.maximum->tpot);
    m.step_time = std::max(m.step_time, c.maximum->step_time);
    m.prefill_tok_per_s += c.maximum->prefill_tok_per_s;
    m.sequences += c.maximum->sequences * c.layout.replicas;
  }
  const double output = p.workload.output_tokens.mean;
  const auto finish = [&](ServingPoint& point) {
    point.output_tok_per_s = point.requests_per_s * output;
    point.e2e = point.ttft + point.tpot * (output - 1);
  };
  sum.load.requests_per_s = requests;
  if (disaggregated && p.workload.concurrency) {  // a closed loop answers as fast as its requests come back
    const Seconds round = sum.load.ttft + sum.load.tpot * output;
    sum.load.requests_per_s = std::min(requests, *p.workload.concurrency / round.value);
    const Seconds wait(*p.workload.concurrency / sum.load.requests_per_s - round.value);  // in front of the pools
    sum.load.ttft += wait;
    sum.load.ttft_together += wait;
  }
  finish(sum.load);
  if (!all_have_maximum) sum.maximum.reset();
  if (sum.maximum) finish(*sum.maximum);
  return sum;
}

template <class T>
Estimate<T> band(T fast, T likely, T slow, Confidence confidence) {
  return {.min = std::min({fast, likely, slow}),
          .likely = likely,
          .max = std::max({fast, likely, slow}),
          .confidence = confidence};
}

PlanPredictions bands(const ServingPoint& fast, const ServingPoint& likely, const ServingPoint& slow,
                      Confidence confidence) {
  return {
      .ttft = band(fast.ttft, likely.ttft, slow.ttft, confidence),
      .tpot = band(fast.tpot, likely.tpot, slow.tpot, confidence),
      .e2e = band(fast.e2e, likely.e2e, slow.e2e, confidence),
      .step_time = band(fast.step_time, likely.step_time, slow.step_time, confidence),
      .output_tok_per_s = band(fast.output_tok_per_s, likely.output_tok_per_s, slow.output_tok_per_s, confidence),
      .prefill_tok_per_s = band(fast.prefill_tok_per_s, likely.prefill_tok_per_s, slow.prefill_tok_per_s, confidence),
      .requests_per_s = band(fast.requests_per_s, likely.requests_per_s, slow.requests_per_s, confidence)};
}

}  // namespace

PlanPredictions predictions_at_load(const Problem& p, const Solution& s, Confidence confidence) {
  Outcome slow = at_corner(p, s, Corner::kSlow);
  // Arrivals spread evenly are the likely case; clients of a closed loop may send together and wait together.
  if (p.workload.concurrency) slow.load.ttft = std::max(slow.load.ttft, slow.load.ttft_together);
  return bands(at_corner(p, s, Corner::kFast).load, at_corner(p, s, Corner::kLikely).load, slow.load, confidence);
}

std::optional<PlanPredictions> predictions_at_maximum(const Problem& p, const Solution& s, Confidence confidence) {
  const Outcome likely = at_corner(p, s, Corner::kLikely);
  if (!likely.maximum) return std::nullopt;
  // The slow corner may not keep the service level at all: then throughput within it reaches down to 0.
  const Outcome slow = at_corner(p, s, Corner::kSlow);
  ServingPoint none = slow.load;
  none.requests_per_s = none.output_tok_per_s = 0;
  return bands(at_corner(p, s, Corner::kFast).maximum.value_or(*likely.maximum), *likely.maximum,
               slow.maximum.value_or(none), confidence);
}

namespace {

// What a draft module runs again has a name of its own.
std::vector<PlanOperator> timed(const std::vector<Operator>& operators, const DeviceRates& rates,
                                const Layout& layout) {
  std::vector<PlanOperator> rows;
  const Seconds whole = stage_time(operators, rates, layout);
  for (const Operator& op : operators) {
    const OperatorTime time = operator_time(op, rates, layout);
    rows.push_back({.name = plan_name(op),
                    .kind = std::string(to_string(op.kind)),
                    .count = op.count,
                    .time = time.time * op.count,
                    .share = whole > Seconds(0) ? time.time * op.count / whole : 0,
                    .flops = flops(op) * op.count,
                    .bytes = bytes_moved(op) * op.count,
                    .wire_bytes = wire_bytes(op) * op.count,
                    .bound = to_string(time.bound),
                    .source = std::string(to_string(origin_of(op, rates, layout)))});
  }
  return rows;
}

// The shape of the lists: at the load, and one chunk of a prompt.
void set_shape(PlanPool& out, const Problem& p, const Candidate& c) {
  if (c.role != PoolRole::kPrefill) {
    // Whole, so that the engine can run just this step.
    out.decode_sequences = std::max(1.0, std::round(c.load.sequences));
    out.decode_context = mean_context(p.workload);
  }
  if (c.role != PoolRole::kDecode)
    out.prefill_tokens = std::min(p.engine.chunk_tokens, std::max(1.0, p.workload.input_tokens.mean));
}

Seconds step_at(const PlanPool& of, const Problem& p, const Candidate& c, Corner corner) {
  const EngineProfile engine = at_corner(on_device(p.engine, *c.pool->accelerator), corner);
  return Replica(p, c, with_latencies(*c.pool, link_latency_factor(corner)), engine).step(of);
}

}  // namespace

void fill_operators(PlanPool& out, const Problem& p, const Candidate& c) {
  const Replica replica(p, c);
  const DeviceRates& rates = replica.timer.rates();
  set_shape(out, p, c);
  if (c.role != PoolRole::kPrefill) {
    out.decode =
        timed(replica.timer.slowest_decode_operators(out.decode_sequences, out.decode_context), rates, c.layout);
  }
  if (c.role != PoolRole::kDecode)
    out.prefill = timed(replica.timer.slowest_prefill_operators(out.prefill_tokens, 0), rates, c.layout);
  const HostWork host = host_work(on_device(p.engine, *c.pool->accelerator));
  out.step_overhead =
      host.per_step +
      host.per_sequence * (c.role == PoolRole::kPrefill ? 0 : out.decode_sequences / c.layout.attention_dp);
  out.step_time = band(step_at(out, p, c, Corner::kFast), replica.step(out), step_at(out, p, c, Corner::kSlow),
                       Confidence::kAssumed);
}

namespace {

Problem with_engine(const Problem& p, const EngineProfile& engine) {
  return {.architecture = p.architecture, .tensors = p.tensors, .workload = p.workload, .engine = engine};
}

// What the sizing turns on: throughput within the service level, else at the load.
double output_of(const Outcome& outcome) {
  return outcome.maximum ? outcome.maximum->output_tok_per_s : outcome.load.output_tok_per_s;
}

// Changed hardware: what the catalog says of it, and what was measured on it.
using Change = std::function<void(Pool&, Accelerator&, Profile&)>;

// The solution again on changed hardware: pools are copied, changed and put in place of the originals.
double output_with(const Problem& p, const Solution& s, const Change& change) {
  std::vector<Pool> pools;
  std::vector<Accelerator> parts;
  pools.reserve(s.pools.size());
  parts.reserve(s.pools.size());
  Solution changed = s;
  EngineProfile engine = p.engine;
  for (Candidate& c : changed.pools) {
    const auto measured = std::make_shared<Profile>(p.engine.measured ? *p.engine.measured : Profile{});
    parts.push_back(*c.pool->accelerator);
    pools.push_back(*c.pool);
    pools.back().accelerator = &parts.back();
    change(pools.back(), parts.back(), *measured);  // each pool is changed alike, so the last profile stands for all
    if (p.engine.measured) engine.measured = measured;
    c.pool = &pools.back();
    c.memory = memory_of(p, *c.pool, c.layout);
  }
  return output_of(at_corner(with_engine(p, engine), changed, Corner::kLikely));
}

void double_bandwidth(Pool&, Accelerator& a, Profile& measured) {
  a.memory_bandwidth->value *= 2;
  for (ProfileRow& row : measured.rows) row.memory *= 2;
  for (ProductSurface& surface : measured.surfaces) surface.memory *= 2;
}

void double_peaks(Pool&, Accelerator& a, Profile& measured) {
  for (auto& [rate, fact] : a.peak) fact.value *= 2;
  for (ProfileRow& row : measured.rows) row.compute *= 2;
  for (ProductSurface& surface : measured.surfaces) surface.compute *= 2;
}

void double_link_bandwidth(Pool& pool, Accelerator&, Profile& measured) {
  for (Tier& tier : pool.tiers) tier.bandwidth *= 2;
  for (ProfileCollective& row : measured.collectives) row.bandwidth *= 2;
  for (MeasuredCurve& curve : measured.curves) scale(curve, 1, 2);
}

void halve_link_latency(Pool& pool, Accelerator&, Profile& measured) {
  for (Tier& tier : pool.tiers) tier.step_latency /= 2;
  for (ProfileCollective& row : measured.collectives) row.latency /= 2;
  for (MeasuredCurve& curve : measured.curves) scale(curve, 0.5, 1);
}

void add_half_the_memory(Pool&, Accelerator& a, Profile&) {
  a.memory.value *= 1.5;
  if (a.usable_memory) a.usable_memory->value *= 1.5;
}

}  // namespace

std::vector<PlanLever> levers(const Problem& p, const Solution& s) {
  const double now = output_with(p, s, [](Pool&, Accelerator&, Profile&) {});
  if (now <= 0) return {};
  std::vector<PlanLever> result;
  const auto try_change = [&](const std::string& what, const Change& change) {
    const double then = output_with(p, s, change);
    result.push_back({.change = what,
                      .effect = fmt::format("{} output tok/s instead of {}", count_text(then), count_text(now)),
                      .gain = then / now - 1});
  };
  try_change("twice the memory bandwidth", double_bandwidth);
  try_change("twice the arithmetic peak", double_peaks);
  if (s.pools.front().layout.offload_experts) {
    try_change("twice the host memory bandwidth",
               [](Pool& pool, Accelerator&, Profile&) { pool.host_memory_bandwidth *= 2; });
  }
  try_change("half as much again of device memory", add_half_the_memory);
  if (!s.pools.front().pool->tiers.empty()) {
    try_change("links with twice the bandwidth", double_link_bandwidth);
    try_change("links with half the latency", halve_link_latency);
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const PlanLever& a, const PlanLever& b) { return a.gain > b.gain; });
  return result;
}

namespace {

std::string number_text(double value) { return fmt::format("{:.3g}", value); }
std::string number_text(Seconds value) { return to_string(value); }

template <class T>
void vary(std::vector<PlanSensitivity>& rows, const char* name, Fact<T> EngineProfile::*member, const Problem& p,
          const Solution& s) {
  const EngineProfile there = on_device(p.engine, *s.pools.front().pool->accelerator);
  const Fact<T>& fact = there.*member;
  const auto with = [&](T value) {
    EngineProfile engine = there;
    (engine.*member).value = value;
    return output_of(at_corner(with_engine(p, engine), s, Corner::kLikely));
  };
  const double a = with(fact.low_or_value()), b = with(fact.high_or_value());
  rows.push_back(
      {.input = fmt::format("{} {} to {}", name, number_text(fact.low_or_value()), number_text(fact.high_or_value())),
       .origin = fmt::format("{}, {}", to_string(fact.origin.confidence), fact.origin.source),
       .confidence = fact.origin.confidence,
       .low = std::min(a, b),
       .high = std::max(a, b)});
}

// All measured rates together at the ends of their spread.
void vary_measured(std::vector<PlanSensitivity>& rows, const Problem& p, const Solution& s) {
  const auto with = [&](Corner corner) {
    EngineProfile engine = p.engine;
    engine.measured_corner = corner;
    return output_of(at_corner(with_engine(p, engine), s, Corner::kLikely));
  };
  const double slow = with(Corner::kSlow), fast = with(Corner::kFast);
  rows.push_back({.input = "spread of the measured rates",
                  .origin = fmt::format("measured, profile {}, {}", p.engine.measured->file, p.engine.measured->date),
                  .confidence = Confidence::kMeasured,
                  .low = slow,
                  .high = fast});
}

}  // namespace

std::vector<PlanSensitivity> sensitivities(const Problem& p, const Solution& s) {
  std::vector<PlanSensitivity> rows;
  vary(rows, "share of memory bandwidth", &EngineProfile::memory_share, p, s);
  vary(rows, "share of 16-bit peak", &EngineProfile::gemm_share, p, s);
  vary(rows, "share of fp8 peak", &EngineProfile::fp8_gemm_share, p, s);
  vary(rows, "rate of grouped products", &EngineProfile::grouped_factor, p, s);
  vary(rows, "share of peak in attention", &EngineProfile::attention_share, p, s);
  vary(rows, "bandwidth when 4 bits are expanded", &EngineProfile::int4_memory_factor, p, s);
  vary(rows, "rates on a stack that is not CUDA", &EngineProfile::other_stack_factor, p, s);
  vary(rows, "share of link bandwidth", &EngineProfile::wire_share, p, s);
  vary(rows, "share of host memory bandwidth", &EngineProfile::host_memory_share, p, s);
  vary(rows, "shortest operator", &EngineProfile::operator_floor, p, s);
  vary(rows, "shortest fp8 operator", &EngineProfile::fp8_floor, p, s);
  vary(rows, "shortest product over experts", &EngineProfile::grouped_floor, p, s);
  vary(rows, "shortest fp8 product over experts", &EngineProfile::fp8_grouped_floor, p, s);
  vary(rows, "shortest latent attention", &EngineProfile::mla_floor, p, s);
  vary(rows, "shortest attention", &EngineProfile::attention_floor, p, s);
  vary(rows, "shortest element-wise operator", &EngineProfile::element_floor, p, s);
  vary(rows, "host work per step", &EngineProfile::step_overhead, p, s);
  if (p.engine.measured) vary_measured(rows, p, s);
  std::stable_sort(rows.begin(), rows.end(),
                   [](const PlanSensitivity& a, const PlanSensitivity& b) { return a.high - a.low > b.high - b.low; });
  return rows;
}

MeasuredOperators measured_operators(const Problem& p, const Candidate& c) {
  const Replica replica(p, c);
  PlanPool shape;
  set_shape(shape, p, c);
  MeasuredOperators result;
  const auto sort_in = [&](const std::vector<Operator>& operators, std::optional<FigureOrigin> OperatorOrigin::*of) {
    for (const Operator& op : operators) {
      const FigureOrigin origin = origin_of(op, replica.timer.rates(), c.layout);
      std::optional<FigureOrigin>& known = result.origins[plan_name(op)].*of;
      known = std::min(known.value_or(origin), origin);
      if (origin == FigureOrigin::kCatalog)
        (is_collective(op.kind) ? result.all_collectives : result.all_on_device) = false;
    }
  };
  if (c.role != PoolRole::kPrefill)
    sort_in(replica.timer.slowest_decode_operators(shape.decode_sequences, shape.decode_context),
            &OperatorOrigin::decoding);
  if (c.role != PoolRole::kDecode)
    sort_in(replica.timer.slowest_prefill_operators(shape.prefill_tokens, 0), &OperatorOrigin::prompts);
  return result;
}

Confidence weakest_that_matters(const Problem& p, const Solution& s,
                                const std::vector<PlanSensitivity>& sensitivities) {
  Confidence worst = Confidence::kMeasured;
  for (const Candidate& c : s.pools) {
    const MeasuredOperators measured = measured_operators(p, c);
    if (!measured.all_on_device) worst = weakest(worst, c.pool->accelerator->memory_bandwidth->origin.confidence);
    if (!measured.all_collectives)
      worst = weakest(worst, span(*c.pool, c.layout.devices_per_replica(), 1).outer->confidence);
  }
  for (const PlanSensitivity& row : sensitivities) {
    if (row.high > 1.05 * row.low) worst = weakest(worst, row.confidence);
  }
  return worst;
}

DeviceActivity activity(const Problem& p, const Candidate& c) {
  const Replica replica(p, c);
  const DeviceRates& rates = replica.timer.rates();
  const Accelerator& a = *c.pool->accelerator;
  const auto shares = [&](const std::vector<Operator>& operators, Seconds time, double& memory, double& compute) {
    for (const Operator& op : operators) {
      if (op.on_host) continue;
      memory += bytes_moved(op) * op.count / time / a.memory_bandwidth->value;
      const FlopsPerSecond peak = rates.peak(rates.math[static_cast<std::size_t>(Format::kBf16)]);
      if (peak > FlopsPerSecond(0)) compute += flops(op) * op.count / time / peak;
    }
  };
  DeviceActivity result;
  double decode_memory = 0, decode_compute = 0, prefill_memory = 0, prefill_compute = 0;
  const double share = c.role == PoolRole::kPrefill ? 1 : c.load.prefill_share;
  if (c.role != PoolRole::kPrefill) {
    const double sequences = std::max(1.0, c.load.sequences);
    // With a pipeline a stage works on every micro-batch once in a step.
    const double micro_batches = std::clamp(sequences, 1.0, static_cast<double>(c.layout.pp));
    shares(replica.timer.slowest_decode_operators(sequences, mean_context(p.workload)),
           replica.timer.decode_step(sequences, mean_context(p.workload)) / micro_batches, decode_memory,
           decode_compute);
  }
  if (c.role != PoolRole::kDecode) {
    const double tokens = std::min(p.engine.chunk_tokens, std::max(1.0, p.workload.input_tokens.mean));
    const std::vector<Operator> operators = replica.timer.slowest_prefill_operators(tokens, 0);
    shares(operators, stage_time(operators, rates, c.layout), prefill_memory, prefill_compute);
  }
  result.memory = std::min(1.0, decode_memory * (1 - share) + prefill_memory * share);
  result.compute = std::min(1.0, decode_compute * (1 - share) + prefill_compute * share);
  // A batch runs whenever at least one request is there.
  result.busy = std::min(1.0, c.load.sequences + (c.role == PoolRole::kPrefill ? c.load.prefill_share : 0));
  return result;
}

}  // namespace fathom
