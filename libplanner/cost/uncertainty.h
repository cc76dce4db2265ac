// How far the yearly cost and the cost per token may be off, and which input moves them most.
//
// Drivers move as groups: all hardware prices share one factor, all electricity prices another. Ranges come from the
// sources; where a source gives one figure, its confidence decides how far it may be off (default_spread). Monte Carlo:
// triangular, seeded, the same draws on every machine. Formulas: docs/formulas/cost.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cost/annuity.h"
#include "units/fact.h"

namespace fathom {

struct Triangle {
  double low = 0, likely = 0, high = 0;
  bool assumed = false;  // the range is default_spread's, no source gave one
};

// The inverse of the triangular distribution's cumulative share u in [0, 1].
double triangular(const Triangle& triangle, double u);

// A fact without a range may be off by this share either way: measured 2 %, datasheet 5 %, derived 10 %, reported and
// stated 20 %, assumed 30 %. Judgements; published prices of one 8-GPU node span -13 to +2 %, of one switch +39 %.
double default_spread(Confidence confidence);
Triangle spread_around(double likely, Confidence confidence);

enum class Driver { kHardware, kElectricityPrice, kEnergy, kSoftware, kPeopleAndSpace, kUtilisation, kThroughput };
inline constexpr std::size_t kDrivers = 7;
std::string to_string(Driver driver);

using DriverValues = std::array<double, kDrivers>;

// The cost of a year as a function of seven numbers; everything else is fixed.
struct CostModel {
  std::array<Triangle, kDrivers> drivers;  // hardware and software: money; electricity: money/kWh; energy: kWh/year;
      // people and space: money/year; utilisation: share; throughput: tok/s, 0: none
  double other_once = 0;      // capex that is neither hardware nor moved: software bought once
  double surcharge = 1;       // (1 + tax) * (1 + installation), on hardware
  double residual_share = 0;  // of hardware
  double availability = 1;
  Term term;
};

struct CostOutcome {
  double annual = 0;
  double mtok_output = 0;  // 0 without throughput
};

DriverValues likely_values(const CostModel& model);
CostOutcome cost_outcome(const CostModel& model, const DriverValues& values);

struct Percentiles {
  double p10 = 0, p50 = 0, p90 = 0;
};

struct MonteCarlo {
  int draws = 0;
  std::uint64_t seed = 0;
  Percentiles annual, mtok_output;
};
MonteCarlo monte_carlo(const CostModel& model, int draws = 10'000, std::uint64_t seed = 1);

struct TornadoRow {
  Driver driver{};
  Triangle range;
  double annual_low = 0, annual_high = 0;  // total with the driver at its low and high end, all others likely
  double mtok_low = 0, mtok_high = 0;
};
// By falling swing of the cost per token where there is one, else of the year; drivers that move nothing are left out.
std::vector<TornadoRow> tornado(const CostModel& model);

// Everything at its cheap end, and everything at its dear end.
struct CostBand {
  CostOutcome low, likely, high;
};
CostBand cost_band(const CostModel& model);

}  // namespace fathom
