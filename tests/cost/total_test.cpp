#include "cost/total.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cost/annuity.h"
#include "cost/reference_cluster.h"

namespace fathom {
namespace {

using reference::price;
using reference::usd;

CostReport report(const Cluster& cluster = reference::cluster()) {
  return total_cost(cluster, reference::energy(), reference::delivery(28'400));
}

// Ten 8 x H100 nodes, by hand: annuity of 3,687,600 with 737,520 left 1,203,732; staff 111,111; licences 83,333; space
// 55,556; electricity 50,608; other 27,778.
TEST(Total, TheReferenceClusterCosts1532118DollarsAYear) {
  const CostReport r = report();
  EXPECT_EQ(std::llround(r.capex_per_year.major()), 1'203'732);
  EXPECT_EQ(std::llround(r.energy_per_year.major()), 50'608);
  EXPECT_EQ(std::llround(r.annual_total.major()), 1'532'118);
  EXPECT_NEAR(r.annual_total.major(), 1'532'117.56, 0.01);
  EXPECT_TRUE(r.complete);
}

TEST(Total, NpvTimesCrfIsTheAnnualTotal) {
  const CostReport r = report();
  const double factor = capital_recovery_factor({.rate = 0.08, .years = 3});
  EXPECT_NEAR(r.npv.major() * factor, r.annual_total.major(), 0.02);
}

// 3,687,600 + 3 * 328,386.05 - 737,520 = 3.94 M USD.
TEST(Total, NominalIsWhatTheBillAddsUpTo) { EXPECT_NEAR(report().nominal.major(), 3'935'238.15, 0.02); }

TEST(Total, EnergyShareAndCarbon) {
  const CostReport r = report();
  EXPECT_NEAR(r.energy_share, 0.033, 5e-4);
  EXPECT_NEAR(r.carbon_t_per_year, 334.9, 0.05);
  EXPECT_EQ(r.electricity.front().carbon_g_per_kwh.origin.date, "2023");
}

TEST(Total, CategoriesAddUp) {
  const CostReport r = report();
  Money capex, opex;
  for (const CategoryCost& row : r.capex_by_category) capex += row.amount;
  for (const CategoryCost& row : r.opex_by_category) opex += row.amount;
  EXPECT_EQ(capex, r.capex);
  EXPECT_EQ(opex, r.opex_per_year);
  EXPECT_EQ(r.capex_per_year + r.opex_per_year, r.annual_total);
}

TEST(Total, AnUnpricedPartMakesItIncomplete) {
  Cluster cluster = reference::cluster();
  cluster.fabrics.front().switches.front().price = std::nullopt;
  const CostReport r = report(cluster);
  EXPECT_FALSE(r.complete);
  EXPECT_EQ(r.missing, std::vector<std::string>{"ib.leaf"});
}

TEST(Total, UnknownPowerMakesItIncomplete) {
  std::vector<EnergyUse> energy = reference::energy();
  energy.front().complete = false;
  EXPECT_FALSE(total_cost(reference::cluster(), energy, reference::delivery(28'400)).complete);
  EXPECT_FALSE(total_cost(reference::cluster(), {}, reference::delivery(28'400)).complete);
}

TEST(Total, MoreEnergyIsNeverCheaper) {
  Money before = Money::from_minor(0, "USD");
  for (double pue : {1.0, 1.1, 1.3, 1.58}) {
    const CostReport r =
        total_cost(reference::cluster(), reference::energy(442'380 * pue), reference::delivery(28'400));
    EXPECT_GT(r.annual_total.major(), before.major());
    before = r.annual_total;
  }
}

// 1,000 homes at 800 W for three years at 0.15 USD/kWh: 800 W * 1000 * 26,280 h * 0.15 = 3,153,600 USD.
TEST(Total, AThousandHomesAt800WattsTake3153600DollarsIn3Years) {
  Cluster cluster = reference::cluster();
  cluster.sites.front().electricity = price("0.15 USD/kWh");
  const CostReport r = total_cost(cluster, reference::energy(800.0 * 1000 * 8760 / 1000), reference::delivery(1));
  EXPECT_EQ(r.energy_per_year.times(3), Money::from_major(3'153'600, "USD"));
}

// A design's table, corrected: kits 180,000, water cooling 350,000, fibre 420,000, optics 112,000, switches 340,000 and
// 900,000, licences 225,000 and 450,000, staff 3 * 180,000, electricity 3,153,600: 6,670,600 USD.
TEST(Total, TheHomesAddUpTo6670600) {
  Cluster cluster = reference::cluster();
  cluster.groups.clear();
  cluster.fabrics.clear();
  cluster.sites.front().electricity = price("0.15 USD/kWh");
  cluster.finance.residual_share = 0;
  cluster.items.clear();
  for (double amount : {180'000, 350'000, 420'000, 112'000, 340'000, 900'000, 225'000, 450'000}) {
    cluster.items.push_back({.what = "line", .count = 1, .price = usd(amount), .life_years = {}, .at = {}});
  }
  cluster.software.clear();
  cluster.yearly = {{.id = "staff", .category = "staff", .annual = usd(180'000)}};
  const CostReport r = total_cost(cluster, reference::energy(7'008'000), reference::delivery(1));
  EXPECT_EQ(r.nominal, Money::from_major(6'670'600, "USD"));
}

TEST(Total, WhatNobodyStatedIsAssumedAndSaid) {
  Cluster cluster = reference::cluster();
  cluster.sites.front().electricity = std::nullopt;
  cluster.sites.front().carbon_g_per_kwh = std::nullopt;
  cluster.finance.utilisation = {};
  const CostReport r = report(cluster);
  EXPECT_GT(r.energy_per_year.major(), 0);
  EXPECT_EQ(r.assumptions.size(), 3u);
  EXPECT_EQ(r.annual_range.confidence, Confidence::kAssumed);
  EXPECT_NEAR(*r.unit_costs.gpu_hour_used, 2 * *r.unit_costs.gpu_hour_available, 1e-9);
}

TEST(Total, ADefaultTariffSpeaksTheReportsCurrencyWhereItCan) {
  EXPECT_EQ(typical_tariff(SiteKind::kDatacentre, "CNY").value, parse_unit_price("0.63 CNY/kWh"));
  EXPECT_EQ(typical_tariff(SiteKind::kHome, "EUR").value, parse_unit_price("0.2872 EUR/kWh"));
  EXPECT_EQ(typical_tariff(SiteKind::kOffice, "JPY").value.currency, "USD");
}

TEST(Total, RangesEncloseTheTotal) {
  const CostReport r = report();
  EXPECT_LT(r.annual_range.min.major(), r.annual_total.major());
  EXPECT_GT(r.annual_range.max.major(), r.annual_total.major());
  EXPECT_LT(r.mtok_range.min, *r.unit_costs.mtok_output);
  EXPECT_GT(r.mtok_range.max, *r.unit_costs.mtok_output);
  EXPECT_NEAR(r.mtok_range.likely, *r.unit_costs.mtok_output, 1e-6);
  EXPECT_LT(r.monte_carlo.annual.p10, r.monte_carlo.annual.p90);
}

TEST(Total, SharesOfConfidenceAddUpToOne) {
  double sum = 0;
  for (const ConfidenceShare& share : report().confidence_shares) sum += share.share;
  EXPECT_NEAR(sum, 1, 1e-9);
}

// The band and the draws use doubles, the total uses cents: with tax and installation they must still meet.
TEST(Total, TheUncertaintyModelAgreesWithTheBill) {
  Cluster cluster = reference::cluster();
  cluster.finance.tax = 0.13;
  cluster.finance.install_share = 0.05;
  cluster.software.front().once = usd(12'345.67);
  const CostReport r = report(cluster);
  const TornadoRow& row = r.tornado.front();  // utilisation moves no total
  EXPECT_NEAR(std::min(row.annual_low, row.annual_high), r.annual_total.major(), 0.05);
}

}  // namespace
}  // namespace fathom
