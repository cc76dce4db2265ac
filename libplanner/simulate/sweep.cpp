#include "simulate/sweep.h"

#include <algorithm>
#include <cmath>

namespace fathom {

namespace {
constexpr double kCloseEnough = 1.02;
constexpr int kMostHalvings = 12;
}  // namespace

Scenario at_load(Scenario scenario, SweepOver over, double load) {
  ArrivalPlan& a = scenario.arrivals;
  if (over == SweepOver::kConcurrency) {
    a.kind = Arrivals::kClosed;
    a.concurrency = std::max(1.0, std::round(load));
  } else {
    if (a.kind != Arrivals::kGamma) a.kind = Arrivals::kPoisson;
    a.requests_per_s = load;
  }
  return scenario;
}

SweepResult sweep(const Scenario& scenario, SweepOver over, double low, double high, int steps) {
  SweepResult out{.over = over, .points = {}, .highest = {}};
  const auto whole = [&](double load) { return over == SweepOver::kConcurrency ? std::round(load) : load; };
  const auto run = [&](double load) {
    SweepPoint point{.load = load, .result = simulate(at_load(scenario, over, load))};
    const bool meets = point.result.meets;
    const auto after =
        std::find_if(out.points.begin(), out.points.end(), [&](const SweepPoint& p) { return p.load > load; });
    out.points.insert(after, std::move(point));
    return meets;
  };
  double met = 0, missed = 0;
  for (int i = 0; i < steps; ++i) {
    const double load = whole(steps > 1 ? low * std::pow(high / low, static_cast<double>(i) / (steps - 1)) : low);
    if (!out.points.empty() && load <= out.points.back().load) continue;
    const bool meets = run(load);
    if (meets && missed == 0) met = load;
    if (!meets && missed == 0) missed = load;
  }
  if (met > 0) out.highest = met;
  out.bounded = missed > 0;
  if (met <= 0 || missed <= 0) return out;
  for (int i = 0; i < kMostHalvings && missed > kCloseEnough * met; ++i) {
    const double middle = whole(std::sqrt(met * missed));
    if (middle <= met || middle >= missed) break;
    (run(middle) ? met : missed) = middle;
  }
  out.highest = met;
  return out;
}

}  // namespace fathom
