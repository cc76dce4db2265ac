#include "score/predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "score/played_run.h"
#include "score/predict_micro.h"
#include "score/predict_slow.h"
#include "score/served.h"
#include "units/text.h"

namespace fathom {

namespace {

// What a serving run shows, whatever the row asks for.
struct Shown {
  Seconds ttft{}, tpot{}, e2e{};
  double output_tok_per_s = 0, total_tok_per_s = 0, input_tok_per_s = 0, prefill_tok_per_s = 0;
};

// `copies`: replicas at work.
Shown of(const OfflineRun& run, const Setup& s, double copies) {
  Shown out;
  out.ttft = run.ttft;
  out.tpot = run.tpot;
  out.e2e = run.ttft + run.tpot * std::max(0.0, s.output - 1);
  out.output_tok_per_s = run.output_tok_per_s;
  out.total_tok_per_s = run.total_tok_per_s;
  if (run.prefill > Seconds(0)) {
    out.prefill_tok_per_s = run.prompts * (s.input - s.cached) / run.prefill.value * copies;
  }
  return out;
}

// One request at a time on each of so many replicas.
Shown alone(const Served& served, const Setup& s, const EngineProfile& engine, double streams) {
  OfflineRun run = single_stream(served.timer(), engine, served.offline(1));
  run.output_tok_per_s *= streams;
  run.total_tok_per_s *= streams;
  return of(run, s, streams);
}

// A benchmark of a closed loop begins with all its requests at once and lasts about ten rounds, so a tenth of the requests
// wait for half of the crowd. Answers of one and the same length end together in every round: the crowd that meets grows to
// seven or eight (TTFT of 8 and 32 in flight is 3.3 to 5 prompts in 24 rows of vLLM and TensorRT-LLM with 1,024 and 4,096 tokens).
double prompts_ahead(double in_flight, bool lengths_vary) {
  const double others = std::max(0.0, in_flight - 1);
  return lengths_vary ? 0.05 * others : 3.5 * others / (others + 4);
}

Shown of(const ServingPoint& point, const Setup& s) {
  Shown out;
  out.ttft = point.ttft;
  out.tpot = point.tpot;
  out.e2e = point.e2e;
  out.output_tok_per_s = point.output_tok_per_s;
  out.total_tok_per_s = point.requests_per_s * (s.input + s.output);
  return out;
}

std::optional<Shown> prefill_pool(const Served& served, const Setup& s, const EngineProfile& engine) {
  const double fresh = served.fresh();
  const double prompts = s.row->load_kind == LoadKind::kBatch
                             ? s.row->load.value_or(1) / served.layout().replicas
                             : std::max(1.0, engine.chunk_tokens / fresh) * served.layout().attention_dp;
  const Seconds time = served.timer().prefill_together(prompts, fresh, s.cached, engine.chunk_tokens);
  Shown out;
  out.input_tok_per_s = prompts * s.input / time.value * served.layout().replicas;
  out.prefill_tok_per_s = prompts * fresh / time.value * served.layout().replicas;
  out.ttft = time + engine.request_overhead.value;
  return out;
}

// Requests in flight are with the prefill workers or the decode workers; both pools keep the same rate.
std::optional<Shown> disaggregated(const Setup& s, const EngineProfile& engine) {
  const double flight = s.row->load.value_or(0);
  if (s.row->load_kind != LoadKind::kClosed || flight <= 0) return std::nullopt;
  const Served prefill(s, 0, engine), decode(s, 1, engine);
  const ReplicaTimer::Prefill one = prefill.timer().prefill(prefill.fresh(), s.cached, engine.chunk_tokens);
  const Seconds read = one.latency + engine.request_overhead.value;
  const double fastest = one.tokens_per_second * prefill.layout().replicas / prefill.fresh();  // requests/s
  const double most = decode.places() * decode.layout().replicas;
  double decoding = flight;
  Shown out;
  for (int i = 0; i < 40; ++i) {
    const double b = std::max(1.0, std::min(decoding, most) / decode.layout().replicas);
    out.tpot = decode.timer().decode_step(b, s.context) / decode.accepted();
    const double answering = out.tpot.value * s.output;
    const double rate = std::min(flight / (read.value + answering), fastest);
    decoding = 0.5 * (decoding + rate * answering);
    out.output_tok_per_s = rate * s.output;
    out.ttft = Seconds(std::max(read.value, flight / rate - answering));
  }
  out.total_tok_per_s = out.output_tok_per_s * (s.input + s.output) / std::max(1.0, s.output);
  out.e2e = out.ttft + out.tpot * std::max(0.0, s.output - 1);
  return out;
}

// Runs of a few hundred requests never see the steady state. A mean of 500 requests needs no second run: what a fit asks a
// hundred thousand times has to be quick.
std::optional<Shown> played(const Setup& s, const EngineProfile& engine) {
  const std::optional<PlayedRun> run = play(s, engine, 1);
  if (!run) return std::nullopt;
  return Shown{.ttft = run->ttft.mean,
               .tpot = run->tpot.mean,
               .e2e = run->e2e,
               .output_tok_per_s = run->requests_per_s * s.output,
               .total_tok_per_s = run->requests_per_s * (s.input + s.output)};
}

Shown closed_loop(const Served& served, const Setup& s, const EngineProfile& engine, double in_flight) {
  const Layout& layout = served.layout();
  const bool decodes = s.row->role == MeasuredRole::kDecode;
  if (in_flight <= layout.replicas && !decodes) return alone(served, s, engine, in_flight);
  const SteadyState steady = served.steady(decodes ? PoolRole::kDecode : PoolRole::kServe);
  Shown out = of(steady.at_load(in_flight, std::nullopt), s);
  const ReplicaTimer::Prefill prompt = served.timer().prefill(served.fresh(), s.cached, engine.chunk_tokens);
  const bool one_by_one = length_spread(s).variation > 0;
  Seconds turn(served.fresh() / prompt.tokens_per_second);
  // Prompts that meet in a crowd share the launches of a chunk; those that come one by one have steps of their own.
  if (one_by_one) turn = std::max(turn, prompt.launching / layout.attention_dp);
  out.ttft += turn * prompts_ahead(in_flight / layout.replicas, one_by_one);
  return out;
}

std::optional<Shown> shown(const Setup& s, const EngineProfile& engine) {
  const Measurement& row = *s.row;
  if (row.load_kind == LoadKind::kOpen) return played(s, engine);
  if (row.role == MeasuredRole::kDisaggregated) return disaggregated(s, engine);
  const Served served(s, 0, engine);
  if (row.role == MeasuredRole::kPrefill) return prefill_pool(served, s, engine);
  const ReplicaTimer& timer = served.timer();
  const Layout& layout = served.layout();
  const double load = row.load.value_or(0);
  if (row.load_kind == LoadKind::kSingle) return alone(served, s, engine, 1);
  if (row.load_kind != LoadKind::kMax && load <= 0) return std::nullopt;
  switch (row.load_kind) {
    case LoadKind::kBatch:
      return of(static_batch(timer, engine, layout, served.offline(load)), s, layout.replicas);
    case LoadKind::kBurst:
      // Answers of a trace end one by one while the batch shrinks.
      if (length_spread(s).variation >= 1) {
        if (const std::optional<Shown> run = played(s, engine)) return run;
      }
      [[fallthrough]];
    case LoadKind::kMax:
      return of(burst(timer, engine, layout, served.offline(load), served.places()), s, layout.replicas);
    case LoadKind::kClosed:
      return closed_loop(served, s, engine, load);
    case LoadKind::kOpen:
    case LoadKind::kSingle:
    case LoadKind::kNone:
      break;
  }
  return std::nullopt;
}

std::optional<double> positive(double value) {
  return std::isfinite(value) && value > 0 ? std::optional(value) : std::nullopt;
}

// A tail of 500 requests is five of them: that of several runs is what one may expect.
constexpr int kTailRuns = 4;

std::optional<double> percentile(const Setup& s, const EngineProfile& engine) {
  const std::optional<PlayedRun> run = play(s, engine, kTailRuns);
  if (!run) return std::nullopt;
  const PlayedTimes& times = s.row->metric->kind == MetricClass::kTtft ? run->ttft : run->tpot;
  return positive((s.row->metric->percentile == 50 ? times.p50 : times.p99).value);
}

std::optional<double> serving_value(const Setup& s, const EngineProfile& engine) {
  if (s.row->metric->percentile > 0 && requests_differ(*s.row)) return percentile(s, engine);
  const std::optional<Shown> run = shown(s, engine);
  if (!run) return std::nullopt;
  const std::string name = s.row->metric->name;
  const double devices = s.row->accelerators.value_or(1), nodes = s.row->nodes.value_or(1);
  if (name == "output_tok_per_s") return positive(run->output_tok_per_s);
  if (name == "output_tok_per_s_per_gpu") return positive(run->output_tok_per_s / devices);
  if (name == "output_tok_per_s_per_node") return positive(run->output_tok_per_s / nodes);
  if (name == "output_tok_per_s_per_user") return positive(1 / run->tpot.value);
  if (name == "output_tok_per_s_incl_prefill") return positive(s.output / run->e2e.value);
  if (name == "total_tok_per_s") return positive(run->total_tok_per_s);
  if (name == "input_tok_per_s_per_gpu") return positive(run->input_tok_per_s / devices);
  if (name == "input_tok_per_s_per_node") return positive(run->input_tok_per_s / nodes);
  if (name == "prefill_tok_per_s") return positive(run->prefill_tok_per_s);
  if (name == "decode_tok_per_s") return positive(1 / run->tpot.value);
  if (name.rfind("ttft_s", 0) == 0) return positive(run->ttft.value);
  if (name.rfind("tpot_s", 0) == 0) return positive(run->tpot.value);
  if (name == "e2e_s_mean") return positive(run->e2e.value);
  return std::nullopt;
}

bool is_serving(MetricClass kind) {
  switch (kind) {
    case MetricClass::kThroughput:
    case MetricClass::kSingleStream:
    case MetricClass::kPrefill:
    case MetricClass::kTtft:
    case MetricClass::kTpot:
    case MetricClass::kEndToEnd:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::optional<double> predicted_value(const Setup& s, const EngineProfile& engine) {
  if (is_micro(s)) return micro_value(s, engine);
  if (is_slow(s)) return slow_value(s, engine);
  if (!is_serving(s.row->metric->kind) || !s.model || s.pools.empty()) return std::nullopt;
  return serving_value(s, engine);
}

namespace {

// Formats and what a driver keeps are known to a few per cent; a model that is this much too large was run in another way.
constexpr double kTooLarge = 1.1;

// Weights alone against the memory of one replica's devices; empty: they may fit.
std::string too_heavy(const Setup& s) {
  for (const ScoredPool& pool : s.pools) {
    const Layout& layout = pool.layout;
    const MemoryInput input{.architecture = s.model->architecture,
                            .tensors = s.model->tensors,
                            .layout = layout,
                            .device_capacity = pool.pool.accelerator->memory.value,
                            .reserves = {},
                            .chunk_tokens = 1,
                            .sequences = 1};
    Bytes weights{}, memory{};
    for (const Stage& stage : stages(s.model->architecture, s.model->tensors, layout)) {
      weights += stage_ledger(input, stage).weights() * layout.stage_width();
      memory += input.device_capacity * layout.stage_width();
    }
    if (weights > kTooLarge * memory)
      return fmt::format("weights take {}, {} are there", to_string(weights), to_string(memory));
  }
  return {};
}

}  // namespace

std::string unpredictable(const Setup& s) {
  if (is_micro(s)) return micro_refusal(s);
  if (is_slow(s)) return {};
  if (!s.model) return "no model is named";
  if (s.pools.empty()) return "no device is named";
  if (!is_serving(s.row->metric->kind)) return std::string("metric ") + s.row->metric->name + " is not modelled";
  if (s.row->load_kind == LoadKind::kNone) return "no load is stated";
  if (!s.row->input_len && !s.row->context_len) return "neither input_len nor context_len is stated";
  return too_heavy(s);
}

namespace {

// The operator behind most of the time: of prefill where the metric is one of prompts, else of decoding.
std::string longest_operator(const Setup& s, const EngineProfile& engine) {
  if (is_micro(s) || is_slow(s) || !s.model || s.pools.empty()) return {};
  const bool prompts = s.row->metric->kind == MetricClass::kTtft || s.row->metric->kind == MetricClass::kPrefill;
  const Served served(s, s.pools.size() > 1 && !prompts ? 1 : 0, engine);
  const double b = s.row->load_kind == LoadKind::kMax
                       ? served.places()
                       : std::max(1.0, s.row->load.value_or(1) / served.layout().replicas);
  const std::vector<Operator> list =
      prompts ? served.timer().slowest_prefill_operators(std::min(engine.chunk_tokens, std::max(1.0, s.input)), 0)
              : served.timer().slowest_decode_operators(std::min(b, 4096.0), s.context);
  std::string name;
  Seconds most{};
  for (const Operator& op : list) {
    const Seconds time = operator_time(op, served.timer().rates(), served.layout()).time * op.count;
    if (time > most) {
      most = time;
      name = plan_name(op);
    }
  }
  return name;
}

// Half of the 90 % band, in ln, of what no engine profile's range moves: nine tenths of the rows of each class in
// docs/accuracy.md lie within it.
double spread_without_engine(MetricClass kind) {
  switch (kind) {
    case MetricClass::kCollective:
      return 0.20;
    case MetricClass::kGemm:
    case MetricClass::kAttention:
    case MetricClass::kPower:
    case MetricClass::kMemory:
      return 0.15;
    case MetricClass::kBandwidth:
      return 0.10;
    case MetricClass::kEnergy:
    case MetricClass::kSingleStream:
      return 0.25;
    default:
      return 0.40;
  }
}

}  // namespace

std::optional<RowPrediction> predict(const Setup& s, const EngineProfile& engine) {
  const EngineProfile here = on_device(engine, s.pools.empty() ? Accelerator{} : s.device());
  const std::optional<double> likely = predicted_value(s, here);
  if (!likely) return std::nullopt;
  if (is_micro(s) || is_slow(s)) {
    const double spread = std::exp(spread_without_engine(s.row->metric->kind));
    return RowPrediction{.min = *likely / spread, .likely = *likely, .max = *likely * spread, .longest = {}};
  }
  const double a = predicted_value(s, at_corner(here, Corner::kFast)).value_or(*likely);
  const double b = predicted_value(s, at_corner(here, Corner::kSlow)).value_or(*likely);
  return RowPrediction{.min = std::min({a, b, *likely}),
                       .likely = *likely,
                       .max = std::max({a, b, *likely}),
                       .longest = longest_operator(s, here)};
}

}  // namespace fathom
