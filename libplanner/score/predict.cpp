#include "score/predict.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "score/predict_micro.h"
#include "score/predict_slow.h"
#include "serving/offline.h"

namespace fathom {

namespace {

// One replica set on one pool, timed with one engine.
class Served {
 public:
  Served(const Setup& s, std::size_t pool, const EngineProfile& engine)
      : setup_(s),
        engine_(engine),
        layout_(s.pools[pool].layout),
        pool_(s.pools[pool].pool),
        cut_(stages(s.model->architecture, s.model->tensors, layout_)),
        timer_(s.model->architecture, s.model->tensors, layout_, cut_, device_rates(pool_, engine), host_work(engine)) {
  }

  const ReplicaTimer& timer() const { return timer_; }
  const Layout& layout() const { return layout_; }
  const Pool& pool() const { return pool_; }

  // Tokens of one step of one sequence: above one with speculation.
  double accepted() const { return setup_.row->accept_len.value_or(1); }

  // Lengths that nobody would type are means of a distribution.
  bool drawn_lengths() const {
    const double n = std::max(1.0, setup_.output);
    return std::fmod(n, 10) != 0 && std::exp2(std::round(std::log2(n))) != n;
  }

  OfflineLoad offline(double requests) const {
    return {.requests = requests,
            .input = setup_.input,
            .cached = setup_.cached,
            .output = setup_.output,
            .ragged = drawn_lengths()};
  }

  double places() const {
    const Problem problem = this->problem();
    const MemoryInput input{.architecture = problem.architecture,
                            .tensors = problem.tensors,
                            .layout = layout_,
                            .device_capacity = pool_.accelerator->usable_memory
                                                   ? pool_.accelerator->usable_memory->value
                                                   : pool_.accelerator->memory.value,
                            .reserves = engine_.reserves,
                            .chunk_tokens = std::min(engine_.chunk_tokens, std::max(1.0, setup_.input)),
                            .sequences = 1};
    const ReplicaMemory memory = replica_memory(input, cut_);
    return fathom::places(memory, engine_, layout_, setup_.input, setup_.output);
  }

  SteadyState steady(PoolRole role, double places) const {
    return SteadyState(timer_, workload(), engine_, layout_, role, places);
  }

  Problem problem() const { return {setup_.model->architecture, setup_.model->tensors, workload(), engine_}; }

 private:
  const Workload& workload() const {
    if (workload_.model.empty()) {
      const auto fixed = [](double n) {
        return LengthDistribution{.mean = n, .p50 = n, .p99 = n, .second_moment = n * n};
      };
      workload_.model = setup_.row->model;
      workload_.input_tokens = fixed(std::max(1.0, setup_.input));
      workload_.output_tokens = fixed(std::max(1.0, setup_.output));
      workload_.prefix_cache_hit = std::min(0.999, setup_.row->prefix_hit.value_or(0));
      if (layout_.mtp) workload_.mtp_acceptance = accepted() - 1;
    }
    return workload_;
  }

  const Setup& setup_;
  const EngineProfile& engine_;
  const Layout& layout_;
  const Pool& pool_;
  std::vector<Stage> cut_;
  ReplicaTimer timer_;
  mutable Workload workload_;
};

// Benchmarks of an open loop send a few hundred requests; tables do not say how many.
constexpr double kOpenRequests = 500;

// What a serving run shows, whatever the row asks for.
struct Shown {
  Seconds ttft{}, tpot{}, e2e{};
  double output_tok_per_s = 0, total_tok_per_s = 0, input_tok_per_s = 0, prefill_tok_per_s = 0;
};

Shown single(const Served& served, const Setup& s, const EngineProfile& engine) {
  Shown out;
  const double fresh = std::max(1.0, s.input - s.cached);
  const ReplicaTimer::Prefill prefill = served.timer().prefill(fresh, s.cached, engine.chunk_tokens);
  out.ttft = prefill.latency + engine.request_overhead.value;
  out.tpot = served.timer().decode_step(1, s.context) / served.accepted();
  out.e2e = out.ttft + out.tpot * std::max(0.0, s.output - 1);
  out.output_tok_per_s = s.output / out.e2e.value;
  out.total_tok_per_s = (s.input + s.output) / out.e2e.value;
  out.prefill_tok_per_s = fresh / prefill.latency.value;
  return out;
}

Shown of(const OfflineRun& run, const Setup& s, const Layout& layout) {
  Shown out;
  out.ttft = run.ttft;
  out.tpot = run.tpot;
  out.e2e = run.ttft + run.tpot * std::max(0.0, s.output - 1);
  out.output_tok_per_s = run.output_tok_per_s;
  out.total_tok_per_s = run.total_tok_per_s;
  if (run.prefill > Seconds(0)) {
    out.prefill_tok_per_s = run.prompts * (s.input - s.cached) / run.prefill.value * layout.replicas;
  }
  return out;
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
  const double fresh = std::max(1.0, s.input - s.cached);
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
  const double fresh = std::max(1.0, s.input - s.cached);
  const ReplicaTimer::Prefill one = prefill.timer().prefill(fresh, s.cached, engine.chunk_tokens);
  const Seconds read = one.latency + engine.request_overhead.value;
  const double fastest = one.tokens_per_second * prefill.layout().replicas / fresh;  // requests/s
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

std::optional<Shown> shown(const Setup& s, const EngineProfile& engine) {
  const Measurement& row = *s.row;
  if (row.role == MeasuredRole::kDisaggregated) return disaggregated(s, engine);
  const Served served(s, 0, engine);
  if (row.role == MeasuredRole::kPrefill) return prefill_pool(served, s, engine);
  const double load = row.load.value_or(0);
  switch (row.load_kind) {
    case LoadKind::kSingle:
      return single(served, s, engine);
    case LoadKind::kBatch:
      if (load <= 0) return std::nullopt;
      return of(static_batch(served.timer(), engine, served.layout(), served.offline(load)), s, served.layout());
    case LoadKind::kBurst:
      if (load <= 0) return std::nullopt;
      return of(burst(served.timer(), engine, served.layout(), served.offline(load), served.places()), s,
                served.layout());
    case LoadKind::kMax:
      return of(burst(served.timer(), engine, served.layout(), served.offline(load), served.places()), s,
                served.layout());
    case LoadKind::kClosed:
    case LoadKind::kOpen: {
      if (load <= 0) return std::nullopt;
      const PoolRole role = row.role == MeasuredRole::kDecode ? PoolRole::kDecode : PoolRole::kServe;
      const SteadyState steady = served.steady(role, served.places());
      if (row.load_kind == LoadKind::kOpen) {
        OfflineLoad run = served.offline(kOpenRequests);
        return of(open_run(served.timer(), engine, served.layout(), run, load, served.places()), s, served.layout());
      }
      Shown closed = of(steady.at_load(load, std::nullopt), s);
      const double fresh = std::max(1.0, s.input - s.cached);
      const ReplicaTimer::Prefill prefill = served.timer().prefill(fresh, s.cached, engine.chunk_tokens);
      closed.ttft += Seconds(fresh / prefill.tokens_per_second) *
                     prompts_ahead(load / served.layout().replicas, served.drawn_lengths());
      return closed;
    }
    case LoadKind::kNone:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<double> positive(double value) {
  return std::isfinite(value) && value > 0 ? std::optional(value) : std::nullopt;
}

std::optional<double> serving_value(const Setup& s, const EngineProfile& engine) {
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

std::string unpredictable(const Setup& s) {
  if (is_micro(s)) return micro_refusal(s);
  if (is_slow(s)) return {};
  if (!s.model) return "no model is named";
  if (s.pools.empty()) return "no device is named";
  if (!is_serving(s.row->metric->kind)) return std::string("metric ") + s.row->metric->name + " is not modelled";
  if (s.row->load_kind == LoadKind::kNone) return "no load is stated";
  if (!s.row->input_len && !s.row->context_len) return "neither input_len nor context_len is stated";
  return {};
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

}  // namespace

namespace {

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
  const EngineProfile here = s.pools.empty() ? engine : on_device(engine, s.device());
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
