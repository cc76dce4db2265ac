#include "cost/uncertainty.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>

namespace fathom {
namespace {

constexpr std::size_t at(Driver driver) { return static_cast<std::size_t>(driver); }

// std::mt19937_64 is the same everywhere, std::uniform_real_distribution is not: the upper 53 bits, in [0, 1).
double uniform(std::mt19937_64& generator) { return static_cast<double>(generator() >> 11) * 0x1p-53; }

// Linear between the order statistics: rank p * (n - 1).
double percentile(const std::vector<double>& sorted, double p) {
  const double rank = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (rank - static_cast<double>(below));
}

Percentiles percentiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {percentile(values, 0.1), percentile(values, 0.5), percentile(values, 0.9)};
}

// More load or more tokens make a token cheaper; more of anything else makes it dearer.
bool higher_is_cheaper(Driver driver) { return driver == Driver::kUtilisation || driver == Driver::kThroughput; }

DriverValues one_moved(const CostModel& model, std::size_t driver, double value) {
  DriverValues values = likely_values(model);
  values[driver] = value;
  return values;
}

double swing(const TornadoRow& row, bool by_token) {
  return by_token ? std::abs(row.mtok_high - row.mtok_low) : std::abs(row.annual_high - row.annual_low);
}

}  // namespace

// F^-1(u): low + sqrt(u (h-l)(m-l)) up to u = (m-l)/(h-l), then h - sqrt((1-u)(h-l)(h-m)).
double triangular(const Triangle& t, double u) {
  const double width = t.high - t.low;
  if (!(width > 0)) return t.likely;
  const double left = t.likely - t.low;
  if (u < left / width) return t.low + std::sqrt(u * width * left);
  return t.high - std::sqrt((1 - u) * width * (width - left));
}

double default_spread(Confidence confidence) {
  switch (confidence) {
    case Confidence::kMeasured:
      return 0.02;
    case Confidence::kDatasheet:
      return 0.05;
    case Confidence::kDerived:
      return 0.10;
    case Confidence::kReported:
      return 0.20;
    case Confidence::kStated:
      return 0.20;
    case Confidence::kAssumed:
      return 0.30;
  }
  return 0.30;
}

Triangle spread_around(double likely, Confidence confidence) {
  const double spread = default_spread(confidence);
  return {.low = likely * (1 - spread), .likely = likely, .high = likely * (1 + spread), .assumed = true};
}

std::string to_string(Driver driver) {
  switch (driver) {
    case Driver::kHardware:
      return "hardware prices";
    case Driver::kElectricityPrice:
      return "electricity price";
    case Driver::kEnergy:
      return "energy used";
    case Driver::kSoftware:
      return "software";
    case Driver::kPeopleAndSpace:
      return "people, space, other";
    case Driver::kUtilisation:
      return "utilisation";
    case Driver::kThroughput:
      return "throughput";
  }
  return {};
}

DriverValues likely_values(const CostModel& model) {
  DriverValues values{};
  for (std::size_t i = 0; i < kDrivers; ++i) values[i] = model.drivers[i].likely;
  return values;
}

CostOutcome cost_outcome(const CostModel& model, const DriverValues& v) {
  const double hardware = v[at(Driver::kHardware)];
  const double capex = hardware * model.surcharge + model.other_once;
  const double opex = v[at(Driver::kEnergy)] * v[at(Driver::kElectricityPrice)] + v[at(Driver::kSoftware)] +
                      v[at(Driver::kPeopleAndSpace)];
  CostOutcome outcome{.annual = annuity(capex, hardware * model.residual_share, model.term) + opex};
  const double seconds = 8760.0 * 3600 * model.availability * v[at(Driver::kUtilisation)];
  const double tokens = v[at(Driver::kThroughput)] * seconds;
  if (tokens > 0) outcome.mtok_output = outcome.annual / tokens * 1e6;
  return outcome;
}

MonteCarlo monte_carlo(const CostModel& model, int draws, std::uint64_t seed) {
  if (draws < 1) throw std::invalid_argument("a Monte Carlo needs at least one draw");
  std::mt19937_64 generator(seed);
  std::vector<double> annual, mtok;
  for (int i = 0; i < draws; ++i) {
    DriverValues values{};
    for (std::size_t d = 0; d < kDrivers; ++d) values[d] = triangular(model.drivers[d], uniform(generator));
    const CostOutcome outcome = cost_outcome(model, values);
    annual.push_back(outcome.annual);
    mtok.push_back(outcome.mtok_output);
  }
  return {.draws = draws,
          .seed = seed,
          .annual = percentiles(std::move(annual)),
          .mtok_output = percentiles(std::move(mtok))};
}

std::vector<TornadoRow> tornado(const CostModel& model) {
  std::vector<TornadoRow> rows;
  for (std::size_t d = 0; d < kDrivers; ++d) {
    const Triangle& range = model.drivers[d];
    const CostOutcome low = cost_outcome(model, one_moved(model, d, range.low));
    const CostOutcome high = cost_outcome(model, one_moved(model, d, range.high));
    rows.push_back({.driver = static_cast<Driver>(d),
                    .range = range,
                    .annual_low = low.annual,
                    .annual_high = high.annual,
                    .mtok_low = low.mtok_output,
                    .mtok_high = high.mtok_output});
  }
  const bool by_token = model.drivers[at(Driver::kThroughput)].likely > 0;
  std::erase_if(rows, [&](const TornadoRow& row) { return swing(row, by_token) == 0; });
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const TornadoRow& a, const TornadoRow& b) { return swing(a, by_token) > swing(b, by_token); });
  return rows;
}

CostBand cost_band(const CostModel& model) {
  DriverValues cheap{}, dear{};
  for (std::size_t d = 0; d < kDrivers; ++d) {
    const Triangle& range = model.drivers[d];
    const bool flip = higher_is_cheaper(static_cast<Driver>(d));
    cheap[d] = flip ? range.high : range.low;
    dear[d] = flip ? range.low : range.high;
  }
  return {.low = cost_outcome(model, cheap),
          .likely = cost_outcome(model, likely_values(model)),
          .high = cost_outcome(model, dear)};
}

}  // namespace fathom
