// The cost of a cluster: one value that everything is printed from.
//
//   A_total = (C0 - S/(1+r)^n) * CRF(r, n) + electricity + software + staff + space + other
//   NPV * CRF == A_total          nominal = C0 + n * A_opex - S
//
// A total with an unpriced part is incomplete and names the part. Formulas: docs/formulas/cost.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bom/cluster.h"
#include "cost/bill.h"
#include "cost/electricity.h"
#include "cost/uncertainty.h"
#include "cost/unit_cost.h"
#include "units/fact.h"
#include "units/money.h"

namespace fathom {

struct CategoryCost {
  std::string category;  // of bill.h, and "electricity"
  Money amount;
};

struct ConfidenceShare {
  Confidence confidence{};
  double share = 0;  // of the nominal total
};

struct CostReport {
  std::string currency;
  double horizon_years = 0;
  Bill bill;
  Money capex, residual, capex_per_year;  // C0, S, the annuity of both
  Money opex_per_year;                    // electricity included
  Money annual_total, nominal, npv;
  std::vector<CategoryCost> capex_by_category, opex_by_category;

  std::vector<SiteElectricity> electricity;
  double kwh_per_year = 0;
  Money energy_per_year;
  double energy_share = 0;  // of the annual total
  double carbon_t_per_year = 0;

  UnitCosts unit_costs;
  std::vector<BreakEven> alternatives;

  Estimate<Money> annual_range;  // all drivers cheap, likely, dear
  Estimate<double> mtok_range;   // per million output tokens; zeros without throughput
  MonteCarlo monte_carlo;
  std::vector<TornadoRow> tornado;

  bool complete = false;
  std::vector<std::string> missing;      // unpriced lines, sites with parts of unknown power
  std::vector<std::string> assumptions;  // defaults that stand in for what nobody stated
  std::vector<ConfidenceShare> confidence_shares;
};

// Utilisation and its range come from cluster.finance, all else about the load from `delivery`.
// Throws InputError for a missing exchange rate.
CostReport total_cost(const Cluster& cluster, const std::vector<EnergyUse>& energy, Delivery delivery);

// The utilisation to reckon with: 0.5 in 0.3 to 0.8, assumed, where the design states none.
Fact<double> utilisation_of(const Finance& finance);

}  // namespace fathom
