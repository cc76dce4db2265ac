#include "cost/total.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

namespace fathom {
namespace {

using Lines = std::vector<BillLine>;

Term term_of(const Finance& finance) { return {.rate = finance.discount_rate, .years = finance.horizon_years}; }

std::vector<CategoryCost> by_category(const Lines& lines) {
  std::vector<CategoryCost> rows;
  for (const BillLine& line : lines) {
    const auto row =
        std::find_if(rows.begin(), rows.end(), [&](const CategoryCost& r) { return r.category == line.category; });
    if (row == rows.end()) {
      rows.push_back({line.category, line.amount});
    } else {
      row->amount += line.amount;
    }
  }
  return rows;
}

void add_energy(CostReport& report, const Cluster& cluster, const std::vector<EnergyUse>& energy) {
  report.electricity = electricity(cluster, energy);
  report.energy_per_year = Money::from_minor(0, report.currency);
  for (const SiteElectricity& site : report.electricity) {
    report.kwh_per_year += site.kwh;
    report.energy_per_year += site.cost;
    report.carbon_t_per_year += site.carbon_t;
  }
}

void add_totals(CostReport& report, const Finance& finance) {
  const Term term = term_of(finance);
  report.horizon_years = finance.horizon_years;
  report.capex = report.bill.capex();
  report.residual = residual_value(report.bill, finance);
  report.capex_per_year = annuity(report.capex, report.residual, term);
  report.opex_per_year = report.bill.per_year() + report.energy_per_year;
  report.annual_total = report.capex_per_year + report.opex_per_year;
  report.nominal = nominal_total(report.capex, report.opex_per_year, report.residual, term.years);
  report.npv = net_present_value(report.capex, report.opex_per_year, report.residual, term);
  report.capex_by_category = by_category(report.bill.once);
  report.opex_by_category = by_category(report.bill.yearly);
  report.opex_by_category.insert(report.opex_by_category.begin(), {"electricity", report.energy_per_year});
  const double total = report.annual_total.major();
  report.energy_share = total > 0 ? report.energy_per_year.major() / total : 0;
}

// --- uncertainty -----------------------------------------------------------------------------------------------------

// Lines of one group move together, so their lows add up, and their highs.
template <class Keep>
Triangle group_range(const Lines& lines, Keep keep) {
  Triangle sum;
  for (const BillLine& line : lines) {
    if (!line.priced || !keep(line)) continue;
    const double likely = line.amount.major();
    const Triangle guess = spread_around(likely, line.origin.confidence);
    sum.low += line.low ? line.low->major() : guess.low;
    sum.likely += likely;
    sum.high += line.high ? line.high->major() : guess.high;
    sum.assumed = sum.assumed || !line.low || !line.high;
  }
  return sum;
}

// Mean price per kWh over the sites, by energy.
Triangle tariff_range(const CostReport& report) {
  Triangle sum;
  if (report.kwh_per_year <= 0) return sum;
  for (const SiteElectricity& site : report.electricity) {
    const Triangle guess = spread_around(site.cost.major(), site.tariff.origin.confidence);
    sum.low += site.tariff.low ? site.low.major() : guess.low;
    sum.likely += site.cost.major();
    sum.high += site.tariff.high ? site.high.major() : guess.high;
    sum.assumed = sum.assumed || !site.tariff.low || !site.tariff.high;
  }
  for (double* value : {&sum.low, &sum.likely, &sum.high}) *value /= report.kwh_per_year;
  return sum;
}

Triangle energy_range(const std::vector<EnergyUse>& energy) {
  Triangle sum;
  for (const EnergyUse& use : energy) {
    sum.low += use.per_year.min.value / 3.6e6;
    sum.likely += use.per_year.likely.value / 3.6e6;
    sum.high += use.per_year.max.value / 3.6e6;
  }
  return sum;
}

Triangle utilisation_range(const Fact<double>& utilisation) {
  Triangle range = spread_around(utilisation.value, utilisation.origin.confidence);
  range.assumed = !utilisation.low || !utilisation.high;
  range.low = utilisation.low.value_or(range.low);
  range.high = std::min(1.0, utilisation.high.value_or(range.high));
  range.high = std::max(range.high, range.likely);
  return range;
}

CostModel cost_model(const CostReport& report, const Cluster& cluster, const std::vector<EnergyUse>& energy,
                     const Delivery& delivery) {
  const Finance& finance = cluster.finance;
  const auto set = [](CostModel& model, Driver driver, const Triangle& range) {
    model.drivers[static_cast<std::size_t>(driver)] = range;
  };
  const Triangle hardware = group_range(report.bill.once, [](const BillLine& line) { return line.hardware; });
  CostModel model{.drivers = {},
                  .surcharge = (1 + finance.tax) * (1 + finance.install_share),
                  .availability = delivery.availability,
                  .term = term_of(finance)};
  const auto software = [](const BillLine& line) { return line.category == "software"; };
  model.other_once = group_range(report.bill.once, software).likely;
  model.residual_share = hardware.likely > 0 ? report.residual.major() / hardware.likely : 0;
  set(model, Driver::kHardware, hardware);
  set(model, Driver::kElectricityPrice, tariff_range(report));
  set(model, Driver::kEnergy, energy_range(energy));
  set(model, Driver::kSoftware, group_range(report.bill.yearly, software));
  set(model, Driver::kPeopleAndSpace, group_range(report.bill.yearly, std::not_fn(software)));
  set(model, Driver::kUtilisation, utilisation_range(utilisation_of(finance)));
  if (delivery.output_tok_per_s) {
    const Estimate<double>& rate = *delivery.output_tok_per_s;
    set(model, Driver::kThroughput, {.low = rate.min, .likely = rate.likely, .high = rate.max});
  }
  return model;
}

// A total is as good as its weakest term.
Confidence weakest_term(const CostReport& report) {
  return report.confidence_shares.empty() ? Confidence::kAssumed : report.confidence_shares.back().confidence;
}

void add_uncertainty(CostReport& report, const CostModel& model) {
  const CostBand band = cost_band(model);
  const auto money = [&](double value) { return Money::from_major(value, report.currency); };
  const Confidence confidence = weakest_term(report);
  report.annual_range = {.min = money(band.low.annual),
                         .likely = report.annual_total,
                         .max = money(band.high.annual),
                         .confidence = confidence};
  report.mtok_range = {.min = band.low.mtok_output,
                       .likely = band.likely.mtok_output,
                       .max = band.high.mtok_output,
                       .confidence = confidence};
  report.monte_carlo = monte_carlo(model);
  report.tornado = tornado(model);
}

// --- what to trust ---------------------------------------------------------------------------------------------------

void add_missing(CostReport& report, const std::vector<EnergyUse>& energy) {
  report.missing = report.bill.unpriced();
  for (const EnergyUse& use : energy) {
    if (!use.complete) report.missing.push_back(use.site + ": power of some parts");
  }
  if (energy.empty()) report.missing.push_back("electricity");
  report.complete = report.missing.empty();
}

void add_assumptions(CostReport& report, const Cluster& cluster) {
  const auto add = [&](const std::string& what, const Origin& origin) {
    if (origin.confidence == Confidence::kAssumed)
      report.assumptions.push_back(origin.source.empty() ? what : what + " (" + origin.source + ")");
  };
  for (const SiteElectricity& site : report.electricity) {
    const UnitPrice& tariff = site.tariff.value;
    add(fmt::format("{}: electricity at {:.4g} {}/kWh", site.site, tariff.major(), tariff.currency),
        site.tariff.origin);
    add(fmt::format("{}: {:.4g} g CO2/kWh", site.site, site.carbon_g_per_kwh.value), site.carbon_g_per_kwh.origin);
  }
  const Fact<double> utilisation = utilisation_of(cluster.finance);
  add(fmt::format("load present {:.0f} % of the year", utilisation.value * 100), utilisation.origin);
}

// Shares of C0 + n * A_opex: how much money rests on what kind of source.
std::vector<ConfidenceShare> confidence_shares(const CostReport& report, const std::vector<EnergyUse>& energy) {
  std::map<Confidence, double> money;
  for (const BillLine& line : report.bill.once) money[line.origin.confidence] += line.amount.major();
  for (const BillLine& line : report.bill.yearly)
    money[line.origin.confidence] += line.amount.major() * report.horizon_years;
  for (std::size_t i = 0; i < energy.size(); ++i) {  // as weak as the weaker of energy and price
    const SiteElectricity& site = report.electricity[i];
    const Confidence weak = weakest(site.tariff.origin.confidence, energy[i].per_year.confidence);
    money[weak] += site.cost.major() * report.horizon_years;
  }
  double total = 0;
  for (const auto& [confidence, amount] : money) total += amount;
  std::vector<ConfidenceShare> shares;
  for (const auto& [confidence, amount] : money) {
    if (amount > 0) shares.push_back({confidence, amount / total});
  }
  return shares;
}

}  // namespace

Fact<double> utilisation_of(const Finance& finance) {
  const bool stated = finance.utilisation.value > 0;
  if (stated) return finance.utilisation;
  return {.value = 0.5,
          .low = 0.3,
          .high = 0.8,
          .origin = {.source = "default", .date = {}, .confidence = Confidence::kAssumed}};
}

CostReport total_cost(const Cluster& cluster, const std::vector<EnergyUse>& energy, Delivery delivery) {
  delivery.utilisation = utilisation_of(cluster.finance).value;
  CostReport report;
  report.currency = cluster.finance.currency;
  report.bill = expand_bill(cluster);
  add_energy(report, cluster, energy);
  add_totals(report, cluster.finance);
  // Without a single price for what is bought, a cost per token would be that of electricity: none is given.
  if (!report.capex.is_zero()) {
    report.unit_costs = unit_costs(report.annual_total.major(), delivery);
    report.alternatives = break_even(cluster, report.annual_total, delivery);
  }
  add_missing(report, energy);
  add_assumptions(report, cluster);
  report.confidence_shares = confidence_shares(report, energy);
  add_uncertainty(report, cost_model(report, cluster, energy, delivery));
  return report;
}

}  // namespace fathom
