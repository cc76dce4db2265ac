// The same scenario at several loads, and the highest load that keeps the service level.
#pragma once

#include <optional>
#include <vector>

#include "simulate/simulation.h"

namespace fathom {

enum class SweepOver { kRate, kConcurrency };

struct SweepPoint {
  double load = 0;  // requests/s, or requests in flight
  SimulationResult result;
};

struct SweepResult {
  SweepOver over = SweepOver::kRate;
  std::vector<SweepPoint> points;  // by load; those of the bisection included
  std::optional<double> highest;   // that keeps the limits; absent when none does
  bool bounded = true;             // false: the highest load of the sweep still keeps them
};

// The scenario's arrivals with another rate or concurrency.
Scenario at_load(Scenario scenario, SweepOver over, double load);

// `steps` loads from `low` to `high`, evenly by ratio; then bisection between the last load that keeps the limits and
// the first that does not, until they are within a fiftieth. Every load sees the same requests, one by one: as many as that
// load takes which needs most of those that are answered.
SweepResult sweep(Scenario scenario, SweepOver over, double low, double high, int steps);

}  // namespace fathom
