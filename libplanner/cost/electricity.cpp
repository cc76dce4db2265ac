#include "cost/electricity.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "cost/priced_line.h"

namespace fathom {
namespace {

constexpr double kJoulesPerKwh = 3.6e6;

struct DefaultTariff {
  const char* currency;
  bool home;
  double low, typical, high;
  const char* source;
  const char* date;
};

constexpr std::array kTariffs = {
    DefaultTariff{"CNY", false, 0.50, 0.63, 0.90, "China Briefing: industrial, 0.088 USD at 7.2", "2024"},
    DefaultTariff{"CNY", true, 0.50, 0.56, 0.70, "Statista: household, 0.078 USD at 7.2", "2024-03"},
    DefaultTariff{"EUR", false, 0.089, 0.18, 0.276, "Eurostat: non-household, FI to CY", "2023-H2"},
    DefaultTariff{"EUR", true, 0.1032, 0.2872, 0.3943, "Eurostat: household, HU to DE", "2024-H2"},
    DefaultTariff{"USD", false, 0.0813, 0.0813, 0.186, "US industrial; New York commercial", "2024"},
    DefaultTariff{"USD", true, 0.162, 0.162, 0.240, "US residential; New York residential", "2023"},
};

UnitPrice per_kwh(double price, const std::string& currency) {
  return {.micros = static_cast<std::int64_t>(price * 1e6 + 0.5), .currency = currency, .per = "kWh"};
}

const Site& site_of(const Cluster& cluster, const std::string& id) {
  const auto found =
      std::find_if(cluster.sites.begin(), cluster.sites.end(), [&](const Site& s) { return s.id == id; });
  if (found == cluster.sites.end()) throw std::invalid_argument("energy is stated for an unknown site " + id);
  return *found;
}

SiteElectricity row(const Cluster& cluster, const EnergyUse& use) {
  const Site& site = site_of(cluster, use.site);
  SiteElectricity row{.site = use.site,
                      .kwh = use.per_year.likely.value / kJoulesPerKwh,
                      .tariff = {},
                      .cost = {},
                      .low = {},
                      .high = {},
                      .carbon_g_per_kwh = {}};
  row.tariff = site.electricity.value_or(typical_tariff(site.kind, cluster.finance.currency));
  row.carbon_g_per_kwh = site.carbon_g_per_kwh.value_or(typical_carbon());
  const auto cost = [&](const UnitPrice& price) {
    return in_currency(price.times(row.kwh), cluster, use.site + ".electricity");
  };
  row.cost = cost(row.tariff.value);
  row.low = cost(row.tariff.low_or_value());
  row.high = cost(row.tariff.high_or_value());
  row.carbon_t = row.kwh * row.carbon_g_per_kwh.value / 1e6;
  return row;
}

}  // namespace

// Currencies without figures of their own take the dollar's, to be converted.
Fact<UnitPrice> typical_tariff(SiteKind kind, const std::string& currency) {
  const bool home = kind == SiteKind::kHome;
  const auto known = [&](const std::string& code) {
    return std::find_if(kTariffs.begin(), kTariffs.end(),
                        [&](const DefaultTariff& t) { return t.currency == code && t.home == home; });
  };
  const auto own = known(currency);
  const DefaultTariff& t = own != kTariffs.end() ? *own : *known("USD");
  return {.value = per_kwh(t.typical, t.currency),
          .low = per_kwh(t.low, t.currency),
          .high = per_kwh(t.high, t.currency),
          .origin = {.source = t.source, .date = t.date, .confidence = Confidence::kAssumed}};
}

Fact<double> typical_carbon() {
  return {.value = 475,
          .low = {},
          .high = {},
          .origin = {.source = "IEA world average", .date = "2019", .confidence = Confidence::kAssumed}};
}

std::vector<SiteElectricity> electricity(const Cluster& cluster, const std::vector<EnergyUse>& use) {
  std::vector<SiteElectricity> rows;
  for (const EnergyUse& one : use) rows.push_back(row(cluster, one));
  return rows;
}

}  // namespace fathom
