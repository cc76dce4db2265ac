// A year's cost per GPU-hour, per million tokens, per request; and where owning meets renting and buying by the token.
// Plain numbers in one currency. Formulas: docs/formulas/cost.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bom/cluster.h"
#include "units/fact.h"
#include "units/money.h"

namespace fathom {

// What the cluster delivers. Rates are at full load; `utilisation` is the share of the year in which that load is there.
struct Delivery {
  int accelerators = 0;                                   // in service, without spares
  std::optional<Estimate<double>> output_tok_per_s = {};  // of the whole cluster; absent: the design does not fit
  double input_per_output = 0;                            // input tokens per output token
  double output_per_request = 0;                          // tokens; 0: not known
  double utilisation = 1;
  double availability = 1;
};

// usd_per_hour / (3600 * tok/s) * 1e6: the 3600 turns tokens per second into tokens per hour.
double per_mtok(double cost_per_hour, double tok_per_s);

struct UnitCosts {
  std::optional<double> gpu_hour_available = {};  // A / (GPUs * 8760 * availability)
  std::optional<double> gpu_hour_used = {};       // the same / utilisation
  std::optional<double> mtok_output = {};         // output tokens carry everything
  std::optional<double> mtok_all = {};            // input and output tokens carry it alike
  std::optional<double> request = {};
};
UnitCosts unit_costs(double annual_total, const Delivery& delivery);

double output_mtok_per_year(const Delivery& delivery, double output_tok_per_s);  // at the utilisation
double output_mtok_capacity(const Delivery& delivery, double output_tok_per_s);  // at full load, times availability

// One request's price: in*(1-hit)*p_in + in*hit*p_cached + out*p_out, all / 1e6. Prices per Mtok in one currency.
struct ApiPrices {
  double input = 0, cached_input = 0, output = 0;
};
double price_per_request(const ApiPrices& prices, double input_tokens, double output_tokens, double cache_hit);

struct BreakEven {
  std::string id;
  Origin origin = {};                            // of the price: prices of different dates should not be compared
  std::optional<UnitPrice> gpu_hour = {};        // renting: the price in the report's currency
  std::optional<double> price_per_request = {};  // API, for this workload's request
  std::optional<double> utilisation = {};        // u* = A / (GPUs * 8760 * price)
  std::optional<double> requests_per_year = {};  // A / price per request; says nothing without the tokens below
  std::optional<double> output_mtok_per_year = {};
  double input_tokens = 0, output_tokens = 0;  // of that request
  std::optional<bool> feasible = {};           // the cluster can reach that point; absent: throughput unknown
  std::optional<double> saving = {};           // 1 - own cost / alternative at the stated utilisation
  std::string note = {};
};

std::vector<BreakEven> break_even(const Cluster& cluster, const Money& annual_total, const Delivery& delivery);

}  // namespace fathom
