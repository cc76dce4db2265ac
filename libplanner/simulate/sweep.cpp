#include "simulate/sweep.h"

#include <algorithm>
#include <cmath>
#include <iterator>

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

namespace {

// Loads of the grid; those of a concurrency are whole, and none comes twice.
std::vector<double> grid(SweepOver over, double low, double high, int steps) {
  std::vector<double> loads;
  for (int i = 0; i < steps; ++i) {
    const double load = steps > 1 ? low * std::pow(high / low, static_cast<double>(i) / (steps - 1)) : low;
    loads.push_back(over == SweepOver::kConcurrency ? std::round(load) : load);
  }
  loads.erase(std::unique(loads.begin(), loads.end()), loads.end());
  return loads;
}

// The number of requests is free where a steady state decides it: then each load of the grid finds its own, and the
// largest counts for all.
std::vector<SweepPoint> grid_points(Scenario& scenario, SweepOver over, const std::vector<double>& loads) {
  std::vector<SweepPoint> points;
  std::int64_t most = scenario.arrivals.requests;
  for (const double load : loads) {
    points.push_back({.load = load, .result = simulate(at_load(scenario, over, load))});
    const SimulationResult& r = points.back().result;
    if (!r.overloaded) most = std::max(most, r.requests);
  }
  scenario.arrivals.until_steady = false;
  scenario.arrivals.requests = most;
  for (SweepPoint& point : points) {
    if (point.result.requests != most) point.result = simulate(at_load(scenario, over, point.load));
  }
  return points;
}

}  // namespace

SweepResult sweep(Scenario scenario, SweepOver over, double low, double high, int steps) {
  SweepResult out{.over = over, .points = {}, .highest = {}};
  out.points = grid_points(scenario, over, grid(over, low, high, steps));
  const auto meets = [](const SweepPoint& point) { return point.result.meets; };
  const auto first_missed = std::find_if_not(out.points.begin(), out.points.end(), meets);
  out.bounded = first_missed != out.points.end();
  if (first_missed == out.points.begin()) return out;
  double met = std::prev(first_missed)->load;
  out.highest = met;
  if (!out.bounded) return out;
  double missed = first_missed->load;
  for (int i = 0; i < kMostHalvings && missed > kCloseEnough * met; ++i) {
    const double between = std::sqrt(met * missed);
    const double middle = over == SweepOver::kConcurrency ? std::round(between) : between;
    if (middle <= met || middle >= missed) break;
    const SweepPoint point{.load = middle, .result = simulate(at_load(scenario, over, middle))};
    (meets(point) ? met : missed) = middle;
    const auto after =
        std::find_if(out.points.begin(), out.points.end(), [&](const SweepPoint& p) { return p.load > middle; });
    out.points.insert(after, point);
  }
  out.highest = met;
  return out;
}

}  // namespace fathom
