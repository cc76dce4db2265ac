#include "plan/percentiles.h"

#include <algorithm>
#include <cmath>

#include "simulate/simulation.h"

namespace fathom {

namespace {

constexpr double kFewest = 4'000, kMost = 200'000;  // requests
constexpr double kBeyond = 40;                      // that lie beyond the percentile, or it is noise
constexpr double kMostTokens = 6e6;                 // of answers when they come one at a time: below a second

// Enough for the percentile and for a steady state, which takes several times as many as are in flight.
std::int64_t how_many(const ServingLoad& load, const ServingLimits& limits, const Solution& best) {
  const double in_flight = load.concurrency ? *load.concurrency : *load.requests_per_s * best.e2e.value;
  const double least = std::max({kFewest, kBeyond / (1 - limits.percentile / 100), 20 * in_flight});
  const double affordable = kMostTokens / load.output.mean * std::max(1.0, in_flight);
  return static_cast<std::int64_t>(std::clamp(std::min(least, affordable), 500.0, kMost));
}

}  // namespace

std::optional<PlanSimulation> simulated_percentiles(const Plan& plan, const Solution& best) {
  if (plan.limits.percentile == 50 || !plan.limits.any() || best.saturated) return std::nullopt;
  Scenario s;
  for (const PlanPool& pool : plan.pools) {
    if (!pool.serving) return std::nullopt;
    s.pools.push_back(*pool.serving);
  }
  s.load = plan.asked;
  s.limits = plan.limits;
  s.arrivals.requests = how_many(s.load, s.limits, best);
  s.arrivals.kind = s.load.concurrency ? Arrivals::kClosed : Arrivals::kPoisson;
  s.arrivals.concurrency = s.load.concurrency.value_or(0);
  s.arrivals.requests_per_s = s.load.requests_per_s.value_or(0);
  const SimulationResult r = simulate(s);
  return PlanSimulation{.requests = r.measured,
                        .percentile = s.limits.percentile,
                        .ttft = r.ttft,
                        .tpot = r.tpot,
                        .e2e = r.e2e,
                        .overloaded = r.overloaded};
}

}  // namespace fathom
