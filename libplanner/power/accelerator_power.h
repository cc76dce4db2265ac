// Watts of one accelerator from how busy its memory and its arithmetic are.
//
//   P = clamp(floor + per_memory * u_mem + per_compute * u_flop, idle, cap)   while batches run
//   P = idle                                                                  while the queue is empty
//
// There are three regimes, not a line from idle: an idle card, a card that runs batches and mostly waits (half of TDP,
// however little it does), and a saturated one. Coefficients: least squares on the ML.ENERGY leaderboard
// (ml-energy/leaderboard @0cd52da, dense models, decode-heavy chat): 85 points of H100, 89 of B200. A prior, not a law:
// watts that were measured replace it. Formulas: docs/formulas/power.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "units/fact.h"
#include "units/quantity.h"

namespace fathom {

struct Activity {
  double busy = 0;     // share of time in which a batch runs, [0, 1]
  double memory = 0;   // u_mem while busy: weight and cache bytes read per second / peak memory bandwidth
  double compute = 0;  // u_flop while busy: useful FLOP per second / dense peak of the precision in use
};

// What one card drew at rest and at two loads without end, and how busy it was with them.
struct MeasuredWatts {
  Watts idle{};                     // with a context
  Watts reading{};                  // its memory
  Watts multiplying{};              // matrices
  double memory = 0;                // u_mem while it read
  double compute = 0;               // u_flop while it multiplied
  std::optional<Watts> limit = {};  // as it was set; else the data sheet's
};

struct AcceleratorPowerModel {
  Watts floor{};        // a batch runs and waits
  Watts per_memory{};   // at u_mem = 1
  Watts per_compute{};  // at u_flop = 1; carries prefill too, so it exceeds the cap on purpose
  Watts idle{};
  Watts cap{};                // TDP, or the power limit in force
  double relative_error = 0;  // mean absolute error of the fit; half the width of the band
  Confidence confidence = Confidence::kAssumed;
  std::string source = {};
  std::optional<MeasuredWatts> measured = {};  // the ends that the coefficients go through
};

// The fit for the part, or the share-of-TDP form for parts without one. `idle` from the catalog wins over the model's.
// Throws std::invalid_argument unless tdp > 0.
AcceleratorPowerModel accelerator_power_model(std::string_view catalog_id, Watts tdp, std::optional<Watts> idle = {});

// Through what was measured: `prior` gives the floor alone, which no load without end shows, and the band there. Throws
// std::invalid_argument unless both loads drew more than idle and kept the card busy.
AcceleratorPowerModel through_measured(const AcceleratorPowerModel& prior, const MeasuredWatts& watts);

// While a batch runs. The band is the model's error, cut at idle and cap; towards measured ends it narrows to the sensor's.
Estimate<Watts> busy_power(const AcceleratorPowerModel& model, const Activity& activity);

// Over time: busy * P + (1 - busy) * idle. For energy, never for circuits.
Estimate<Watts> mean_power(const AcceleratorPowerModel& model, const Activity& activity);

// What a micro-benchmark keeps busy for seconds.
enum class SteadyWork { kMemory, kMatrix, kVector, kScaleUpLink, kNetwork };
Watts steady_power(const AcceleratorPowerModel& model, SteadyWork work);

// Electricity behind one token, at the meter: J per token of the accelerators * node / accelerator power * PUE.
double kwh_per_mtok(Joules accelerators_per_token, double node_over_accelerators, double pue);

}  // namespace fathom
