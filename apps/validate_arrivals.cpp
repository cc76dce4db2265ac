#include "validate_arrivals.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>

#include "simulate/arrivals.h"
#include "simulate/read_trace.h"
#include "validate/arriving_requests.h"
#include "validate/serve_arrivals.h"

namespace fathom {

namespace {

constexpr std::int64_t kRequests = 100;  // of the engine's time, not of a simulation's

ArrivalPlan arrival_plan(const ArrivalOptions& o, const RequestTrace* trace) {
  ArrivalPlan a;
  a.trace = trace;
  a.time_scale = o.time_scale;
  if (!o.rate) {
    a.kind = Arrivals::kTrace;
    a.requests = o.requests.value_or(0);
    return a;
  }
  a.kind = o.variation ? Arrivals::kGamma : Arrivals::kPoisson;
  a.requests_per_s = *o.rate;
  a.variation = o.variation.value_or(1);
  a.requests = o.requests.value_or(kRequests);
  return a;
}

}  // namespace

void add_arrival_options(CLI::App& verb, ArrivalOptions& o) {
  const char* const group = "Requests that come while others are answered, as in `fathom simulate`";
  const auto add = [&](const char* name, auto& value, const char* text) {
    return verb.add_option(name, value, text)->group(group);
  };
  add("--rate", o.rate, "requests/s at random: serve them, and simulate the same")->check(CLI::Range(1e-9, 1e8));
  add("--cv", o.variation, "coefficient of variation between arrivals; 1 is Poisson")->check(CLI::Range(0.0, 20.0));
  add("--trace", o.trace, "recorded requests: Azure or BurstGPT CSV, Mooncake JSONL, input_len,output_len");
  add("--time-scale", o.time_scale, "times of the trace times this")->check(CLI::Range(1e-9, 1e8));
  add("--requests", o.requests, "how many (default 100; of a trace all)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}));
  add("--input-tokens", o.input_tokens, "of every request, instead of the plan's lengths")->check(CLI::Range(1.0, 1e8));
  add("--output-tokens", o.output_tokens, "of every request, instead of the plan's lengths")
      ->check(CLI::Range(1.0, 1e8));
  add("--max-sequences", o.most_sequences, "in one batch (default: the plan's)")->check(CLI::Range(1, 1'000'000));
  add("--warm-up", o.warm_up, "share of the requests that is not measured")->check(CLI::Range(0.0, 0.9));
  add("--tolerance", o.tolerance, "P50,P99: exit 1 when one is farther off than this share: 0.1,0.2")
      ->delimiter(',')
      ->expected(2)
      ->check(CLI::Range(0.0, 100.0));
}

void check_arrival_options(const ArrivalOptions& o) {
  const auto refuse = [](const char* option, const char* why) { throw CLI::ValidationError(option, why); };
  const bool others = o.variation || o.requests || o.input_tokens || o.output_tokens || o.most_sequences ||
                      o.time_scale != 1 || !o.tolerance.empty();
  if (!o.asked() && others) refuse("--rate", "is missing (or --trace): requests come at which times?");
  if (o.variation && !o.rate) refuse("--cv", "needs --rate: a trace has its own times");
  if (o.trace && (o.input_tokens || o.output_tokens)) refuse("--trace", "has lengths of its own");
  for (const auto& value :
       {o.rate, o.variation, o.input_tokens, o.output_tokens, std::optional(o.time_scale), std::optional(o.warm_up)}) {
    if (value && !std::isfinite(*value))
      refuse("--rate", "and what goes with it are numbers");  // CLI::Range lets nan pass
  }
}

ArrivalComparison validate_arrivals(const SavedPlan& plan, const SavedPool& pool, const WeightSource& source,
                                    const ArrivalOptions& o, std::uint64_t seed, const ValidationOptions& run) {
  const ServingPool replica = replica_to_serve(plan, pool, o.most_sequences);
  std::optional<RequestTrace> trace;
  if (o.trace) trace = read_trace(*o.trace);
  ServingLoad load = plan.asked;
  if (o.input_tokens) load.input = {.mean = *o.input_tokens, .sigma = 0};
  if (o.output_tokens) load.output = {.mean = *o.output_tokens, .sigma = 0};
  const ArrivalPlan arrivals = arrival_plan(o, trace ? &*trace : nullptr);
  const RequestTrace requests = arriving_requests(replica, load, arrivals, seed);

  const ServedRun served = serve_arrivals(plan, pool, replica, source, requests, run);
  std::optional<ArrivalTolerance> tolerance;
  if (!o.tolerance.empty()) tolerance = ArrivalTolerance{.p50 = o.tolerance[0], .p99 = o.tolerance[1]};
  ArrivalComparison c = compare_arrivals(plan, pool, replica, requests, served, o.warm_up, tolerance);
  c.arrivals = describe(arrivals);
  c.requests =
      trace ? fmt::format("requests of {}", o.trace->string())
            : fmt::format("requests of {:.0f} tokens in and {:.0f} out on average", load.input.mean, load.output.mean);
  c.seed = seed;
  if (plan.asked.prefix_hit > 0) c.notes.push_back("the plan's prefix cache is left out: the engine has none");
  if (pool.layout.replicas > 1) {
    c.notes.push_back(
        fmt::format("one replica of {} is served and simulated: the rate is that of one", pool.layout.replicas));
  }
  return c;
}

}  // namespace fathom
