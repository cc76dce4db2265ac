#include "compare/arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>

#include "simulate/simulation.h"

namespace fathom {

namespace {

// The smallest value that `percent` of all do not exceed, as the simulation's histograms have it.
Seconds percentile(const std::vector<double>& sorted, double percent) {
  const double wanted = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  return Seconds(sorted[static_cast<std::size_t>(std::max(1.0, wanted)) - 1]);
}

Spread spread_of(std::vector<double> times) {
  Spread s;
  if (times.empty()) return s;
  std::sort(times.begin(), times.end());
  double sum = 0;
  for (const double time : times) sum += time;
  s.count = static_cast<std::int64_t>(times.size());
  s.mean = s.named = Seconds(sum / static_cast<double>(times.size()));
  s.p50 = percentile(times, 50);
  s.p90 = percentile(times, 90);
  s.p95 = percentile(times, 95);
  s.p99 = percentile(times, 99);
  s.max = Seconds(times.back());
  return s;
}

struct Measured {
  std::vector<double> ttft, tpot, gaps, e2e;
};

// As the simulation counts: requests after the warm-up, and the tokens of all requests that come after its end.
Measured measured_times(const ServedRun& run, double warm_up) {
  Measured m;
  const std::size_t count = run.requests.size();
  const std::size_t first = std::min(count - 1, static_cast<std::size_t>(warm_up * static_cast<double>(count)));
  const double warm = run.requests[first].arrival;
  for (std::size_t i = 0; i < count; ++i) {
    const ServedRequest& r = run.requests[i];
    const std::vector<double>& at = r.token_times;
    if (at.empty()) throw std::logic_error(fmt::format("request {} was never answered", i));
    for (std::size_t t = 1; t < at.size(); ++t) {
      if (at[t] >= warm) m.gaps.push_back(at[t] - at[t - 1]);
    }
    if (i < first) continue;
    m.ttft.push_back(at.front() - r.arrival);
    m.e2e.push_back(at.back() - r.arrival);
    if (at.size() > 1) m.tpot.push_back((at.back() - at.front()) / static_cast<double>(at.size() - 1));
  }
  return m;
}

constexpr std::array<const char*, 3> kKinds = {"decode", "prompt", "both"};

std::size_t kind_of(const StepWork& work) { return work.prompt_tokens <= 0 ? 0 : work.sequences <= 0 ? 1 : 2; }

std::vector<ComparedSteps> compared_steps(const ServedRun& run, const StepTimes& times) {
  struct Group {
    ComparedSteps row;
    std::vector<double> errors;
  };
  std::map<std::pair<std::size_t, int>, Group> groups;  // by kind and size
  for (const ServedStep& step : run.steps) {
    const std::size_t kind = kind_of(step.work);
    const auto size = static_cast<unsigned>(kind == 0 ? step.work.sequences : step.work.prompt_tokens);
    const int least = static_cast<int>(std::bit_floor(size));
    auto& [row, errors] = groups[{kind, least}];
    const Seconds predicted(times.seconds(step.work));
    row.kind = kKinds[kind];
    row.least = least;
    ++row.count;
    row.predicted += predicted;
    row.measured += step.time;
    errors.push_back(std::abs(error_of(predicted, step.time)));
  }
  std::vector<ComparedSteps> rows;
  for (auto& [key, group] : groups) {
    group.row.error = error_of(group.row.predicted, group.row.measured);
    std::sort(group.errors.begin(), group.errors.end());
    group.row.typical_error = group.errors[group.errors.size() / 2];
    rows.push_back(group.row);
  }
  return rows;
}

void judge(ArrivalComparison& c, const SavedPool& pool) {
  if (!c.run.accelerator.empty() && c.run.accelerator != pool.accelerator_id) {
    c.reasons.push_back(fmt::format("measured on {} ({}); the plan predicts {}: times are not comparable",
                                    c.run.accelerator, c.run.machine, pool.accelerator));
  }
  for (const ComparedTimes& t : c.times) {
    if (!t.judged || t.measured.count == 0) continue;
    const auto hold = [&](const char* name, Seconds predicted, Seconds measured, double limit) {
      const double error = error_of(predicted, measured);
      if (std::abs(error) <= limit) return;
      c.reasons.push_back(
          fmt::format("{} of the {} is {:+.0f} % off, {:.0f} % allowed", name, t.name, error * 100, limit * 100));
    };
    hold("P50", t.predicted.p50, t.measured.p50, c.tolerance->p50);
    hold("P99", t.predicted.p99, t.measured.p99, c.tolerance->p99);
  }
  c.passed = c.reasons.empty();
}

}  // namespace

double error_of(Seconds predicted, Seconds measured) { return predicted > Seconds(0) ? measured / predicted - 1 : 0; }

ServingPool replica_to_serve(const SavedPlan& plan, const SavedPool& pool, std::optional<int> most_sequences) {
  const std::vector<ServingPool> all = serving_pools(plan);
  ServingPool replica = all[static_cast<std::size_t>(&pool - plan.pools.data())];
  replica.replicas = 1;
  replica.share = 1;
  if (most_sequences) replica.most_sequences = *most_sequences;
  return replica;
}

ArrivalComparison compare_arrivals(const SavedPlan& plan, const SavedPool& pool, const ServingPool& replica,
                                   const RequestTrace& requests, const ServedRun& run, double warm_up,
                                   const std::optional<ArrivalTolerance>& tolerance) {
  Scenario s;
  s.pools = {replica};
  s.load.prefix_hit = 0;  // the engine keeps nothing of a request that is answered
  s.arrivals = {.kind = Arrivals::kTrace, .trace = &requests};
  s.warm_up = warm_up;

  ArrivalComparison c;
  c.title = plan.title;
  c.layout = short_name(pool.layout);
  c.accelerator = pool.accelerator;
  c.predicted = simulate(s);
  const Measured m = measured_times(run, warm_up);
  const SimulationResult& p = c.predicted;
  c.times = {{.key = "ttft", .name = "time to first token", .predicted = p.ttft, .measured = spread_of(m.ttft)},
             {.key = "tpot", .name = "time per output token", .predicted = p.tpot, .measured = spread_of(m.tpot)},
             {.key = "inter_token",
              .name = "time between two tokens",
              .predicted = p.inter_token,
              .measured = spread_of(m.gaps),
              .judged = false},
             {.key = "e2e", .name = "whole answer", .predicted = p.e2e, .measured = spread_of(m.e2e)}};
  double last = 0, tokens = 0;
  for (const ServedRequest& r : run.requests) {
    last = std::max(last, r.token_times.back());
    tokens += static_cast<double>(r.token_times.size());
  }
  c.measured_duration = Seconds(last - run.requests.front().arrival);
  c.measured_output_tok_per_s = tokens / c.measured_duration.value;
  c.predicted_output_tok_per_s = tokens / p.simulated.value;
  c.steps = compared_steps(run, replica.step_times);
  c.tolerance = tolerance;
  c.notes = run.notes;
  if (p.overloaded)
    c.notes.push_back("more came than is answered, as predicted: times grow with the number of requests");
  c.run = run;
  if (tolerance) judge(c, pool);
  return c;
}

}  // namespace fathom
