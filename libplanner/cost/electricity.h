// What a year's energy costs and emits, site by site.
//
//   A_energy = kWh * tariff        t CO2 = kWh * g/kWh / 1e6
//
// Where a design states no tariff or grid factor, a published figure for the kind of site stands in, marked as assumed;
// nothing is ever free by silence. Formulas: docs/formulas/cost.md.
#pragma once

#include <string>
#include <vector>

#include "bom/cluster.h"
#include "units/fact.h"
#include "units/money.h"
#include "units/quantity.h"

namespace fathom {

struct EnergyUse {
  std::string site;           // id in the cluster
  Estimate<Joules> per_year;  // at the meter, PUE included
  bool complete = true;       // false: some part's power is unknown, so this is a lower bound
};

struct SiteElectricity {
  std::string site;
  double kwh = 0;  // likely, per year
  Fact<UnitPrice> tariff;
  Money cost, low, high;  // of the report's currency; low and high follow the tariff's range at the likely energy
  Fact<double> carbon_g_per_kwh;
  double carbon_t = 0;  // per year, location-based
};

// Per kWh. China: industrial 0.63 CNY, household 0.56 CNY (0.088 and 0.078 USD, China Briefing and Statista, 2024). EU:
// household 0.287, others 0.089 to 0.276 EUR (Eurostat, 2023/24). US: industrial 0.0813, residential 0.162 USD (2023/24).
Fact<UnitPrice> typical_tariff(SiteKind kind, const std::string& currency);

// World average 475 g/kWh (IEA 2019, as codecarbon ships it).
Fact<double> typical_carbon();

// One row per site that uses energy. An unknown site id throws std::invalid_argument, a missing rate InputError.
std::vector<SiteElectricity> electricity(const Cluster& cluster, const std::vector<EnergyUse>& use);

}  // namespace fathom
