#include "score/played_run.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "score/served.h"
#include "simulate/simulation.h"

namespace fathom {

namespace {

// Benchmarks of an open loop send a few hundred requests, those of a closed one about ten times as many as are in flight;
// tables do not say how many.
constexpr double kOpenRequests = 500, kRounds = 10;

// Beyond these a row is not played: it would take many seconds, for a load that no table states.
constexpr double kMostRequests = 20'000, kMostSteps = 2e7, kMostAnswers = 1e9;

std::vector<double> octaves(double from, double to) {
  std::vector<double> axis;
  for (double x = from; x < to; x *= 2) axis.push_back(x);
  axis.push_back(to);
  return axis;
}

StepGrid grid(const std::vector<double>& x, const std::vector<double>& y, auto batch, const ReplicaTimer& timer,
              Seconds ReplicaTimer::Step::*part) {
  StepGrid out{.x = x, .y = y, .values = {}};
  for (const double a : x) {
    for (const double b : y) out.values.push_back((timer.step(batch(a, b)).*part).value);
  }
  return out;
}

// Coarser than what a plan tells its simulation (plan/step_times.h), since a fit asks for it for every row and every
// parameter: one load stays near one context.
BoundTimes bound_times(const Served& served, double chunk, double most, double usual, double longest,
                       Seconds ReplicaTimer::Step::*part) {
  const double groups = served.layout().attention_dp;
  const auto decode = [](double n, double context) { return Batch{.sequences = n, .context = context}; };
  const auto prefill = [&](double tokens, double context) {
    return Batch{.prefill_tokens = tokens, .prefill_context = context, .prefill_prompts = groups};
  };
  BatchTimes times;
  times.decode = grid(octaves(1, std::max(2.0, most)), {1, usual, longest}, decode, served.timer(), part);
  times.prefill = grid(octaves(1, 2 * chunk * groups), {0, longest}, prefill, served.timer(), part);
  return {.bounds = {times}};
}

StepTimes step_times(const Served& served, double chunk, double most, double usual, double longest) {
  const Layout& layout = served.layout();
  StepTimes times{.latency = bound_times(served, chunk, most, usual, longest, &ReplicaTimer::Step::latency),
                  .pace = {},
                  .stages = layout.pp,
                  .chunk_tokens = chunk * layout.attention_dp};
  if (layout.pp > 1) times.pace = bound_times(served, chunk, most, usual, longest, &ReplicaTimer::Step::pace);
  return times;
}

// What a prompt waits for the host to launch its operators while other sequences decode: in ReplicaTimer::prefill, and not
// in the time of a step.
Seconds launching(const Served& served, const Setup& s, double chunk) {
  const double chunks = std::ceil(served.fresh() / chunk), groups = served.layout().attention_dp;
  const Seconds step = served.timer()
                           .step({.prefill_tokens = served.fresh() / chunks * groups,
                                  .prefill_context = s.cached + (served.fresh() - served.fresh() / chunks) / 2,
                                  .prefill_prompts = groups})
                           .latency;
  const Seconds prompt = served.timer().prefill(served.fresh(), s.cached, chunk).latency;
  return std::max(Seconds(0), prompt - step * chunks);
}

ServingPool serving_pool(const Setup& s, std::size_t number, PoolPart part, const EngineProfile& engine) {
  const Served served(s, number, engine);
  const Layout& layout = served.layout();
  const double places = served.places(), longest = (s.input + s.output) * length_spread(s).longest;
  ServingPool pool;
  pool.part = part;
  pool.replicas = layout.replicas;
  pool.most_sequences = static_cast<int>(places);
  pool.kv_tokens = 2 * places * (longest + 16);  // places stand for the cache, as in the closed forms
  pool.max_context = longest;
  pool.chunk_tokens = engine.chunk_tokens;
  pool.attention_groups = layout.attention_dp;
  pool.micro_batches = layout.pp;
  pool.tokens_per_step = part == PoolPart::kPrefill ? 1 : served.accepted();
  pool.request_overhead = engine.request_overhead.value + launching(served, s, engine.chunk_tokens);
  pool.step_times = step_times(served, engine.chunk_tokens, places, s.context, longest);
  return pool;
}

// The requests of one run; nullopt when nobody says how many.
std::optional<ArrivalPlan> arrivals(const Measurement& row) {
  const double load = row.load.value_or(0);
  if (load > kMostRequests) return std::nullopt;
  if (row.load_kind == LoadKind::kOpen && load > 0) {
    return ArrivalPlan{
        .kind = Arrivals::kPoisson, .requests_per_s = load, .requests = static_cast<std::int64_t>(kOpenRequests)};
  }
  if (row.load_kind == LoadKind::kOpen || !requests_differ(row) || load < 1) return std::nullopt;
  const double requests = row.load_kind == LoadKind::kClosed ? std::min(kRounds * load, kMostRequests) : load;
  return ArrivalPlan{
      .kind = Arrivals::kClosed, .concurrency = load, .in_step = true, .requests = static_cast<std::int64_t>(requests)};
}

bool takes_too_long(const ArrivalPlan& plan, const Setup& s, double chunk) {
  const double requests = static_cast<double>(plan.requests), answers = requests * s.output;
  // at worst each request of an open loop is alone, and those of a closed one go in step
  const double steps = answers / std::max(1.0, plan.concurrency) + requests * std::ceil(s.input / chunk);
  return answers > kMostAnswers || steps > kMostSteps;
}

std::optional<Scenario> scenario_of(const Setup& s, const EngineProfile& engine) {
  const std::optional<ArrivalPlan> plan = arrivals(*s.row);
  if (!plan || s.input < 1 || s.output < 1) return std::nullopt;
  if (takes_too_long(*plan, s, engine.chunk_tokens)) return std::nullopt;
  Scenario scenario;
  switch (s.row->role) {
    case MeasuredRole::kAggregated:
      scenario.pools = {serving_pool(s, 0, PoolPart::kServe, engine)};
      break;
    case MeasuredRole::kDisaggregated:
      scenario.pools = {serving_pool(s, 0, PoolPart::kPrefill, engine), serving_pool(s, 1, PoolPart::kDecode, engine)};
      break;
    default:
      return std::nullopt;
  }
  // As a log-normal of the same variation.
  const double variation = length_spread(s).variation, sigma = std::sqrt(std::log(1 + variation * variation));
  scenario.load.input = {.mean = s.input, .sigma = sigma};
  scenario.load.output = {.mean = s.output, .sigma = sigma};
  scenario.load.prefix_hit = s.cached / s.input;
  scenario.arrivals = *plan;
  scenario.warm_up = 0;  // benchmarks count every request
  return scenario;
}

void add(PlayedTimes& sum, const Spread& times, double share) {
  sum.mean += times.mean * share;
  sum.p50 += times.p50 * share;
  sum.p99 += times.p99 * share;
}

}  // namespace

std::optional<PlayedRun> play(const Setup& s, const EngineProfile& engine, int runs) {
  std::optional<Scenario> scenario = scenario_of(s, engine);
  if (!scenario) return std::nullopt;
  const auto requests = static_cast<double>(scenario->arrivals.requests);
  PlayedRun mean;
  for (int run = 1; run <= runs; ++run) {
    scenario->seed = static_cast<std::uint64_t>(run);
    const SimulationResult played = simulate(*scenario);
    add(mean.ttft, played.ttft, 1.0 / runs);
    add(mean.tpot, played.tpot, 1.0 / runs);
    mean.e2e += played.e2e.mean / runs;
    mean.requests_per_s += requests / played.simulated.value / runs;
  }
  return mean;
}

}  // namespace fathom
