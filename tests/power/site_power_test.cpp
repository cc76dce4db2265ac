#include "power/site_power.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

Estimate<Watts> exactly(Watts watts) {
  return {.min = watts, .likely = watts, .max = watts, .confidence = Confidence::kStated};
}

NodeWatts node(Watts idle, Watts busy, Watts peak) {
  return {.idle = exactly(idle), .busy = exactly(busy), .peak = exactly(peak), .rated = 10200_W};
}

Fact<double> pue(double value) {
  return {
      .value = value, .low = {}, .high = {}, .origin = {.source = {}, .date = {}, .confidence = Confidence::kStated}};
}

GroupLoad ten_nodes() {
  return {.id = "gpu", .node = node(2800_W, 6700_W, 8480_W), .nodes = 10, .busy = 0.5, .height_u = 8};
}

SiteConditions hall() { return {.id = "hall", .pue = pue(1.3), .other_it = 3000_W, .rack_power = 40000_W}; }

// (10 * (0.5 * 6.7 + 0.5 * 2.8) + 3) kW * 1.3 * 8,760 h = 575,094 kWh.
TEST(SitePower, TenNodesAtHalfLoadTake575MegawattHours) {
  const SitePower site = site_power(hall(), {ten_nodes()});
  EXPECT_NEAR(site.it_mean.likely.value, 50500, 1e-6);
  EXPECT_NEAR(site.site_mean.likely.value, 65650, 1e-6);
  EXPECT_NEAR(site.per_year.likely.value / 3.6e6, 575094, 1e-3);
}

TEST(SitePower, RatedPeakAndMeanStayApart) {
  const SitePower site = site_power(hall(), {ten_nodes()});
  EXPECT_NEAR(site.rated->value, 10 * 10200 + 3000, 1e-6);
  EXPECT_NEAR(site.it_peak.likely.value, 10 * 8480 + 3000, 1e-6);
  EXPECT_NEAR(site.ups_va, 1.25 * 87800 / 0.95, 1e-6);
}

// 40 kW hold four nodes of 8.48 kW, 42 U hold five of 8 U: ten nodes take 2.5 racks.
TEST(SitePower, RacksHoldWholeNodes) {
  EXPECT_EQ(site_power(hall(), {ten_nodes()}).racks, 3);
  SiteConditions small = hall();
  small.rack_power = 8000_W;
  EXPECT_FALSE(site_power(small, {ten_nodes()}).racks);  // no rack holds even one
  GroupLoad unknown = ten_nodes();
  unknown.height_u = std::nullopt;
  EXPECT_FALSE(site_power(hall(), {unknown}).racks);
}

TEST(SitePower, StandbyNodesIdle) {
  GroupLoad load = ten_nodes();
  load.standby = 1;
  const double difference =
      site_power(hall(), {load}).it_mean.likely.value - site_power(hall(), {ten_nodes()}).it_mean.likely.value;
  EXPECT_NEAR(difference, 2800, 1e-6);
}

TEST(SitePower, SwitchesOfUnknownPowerAreListedNotZero) {
  const std::vector<NetworkLoad> network = {{.what = "leaf: QM9700", .count = 2},
                                            {.what = "access: CRS305", .count = 3, .each = 12_W}};
  const SitePower site = site_power(hall(), {ten_nodes()}, network);
  ASSERT_EQ(site.unknown.size(), 1u);
  EXPECT_EQ(site.unknown.front(), "leaf: QM9700: power of 2 switches");
  EXPECT_FALSE(site.rated);
  EXPECT_NEAR(site.it_mean.likely.value, 50500 + 36, 1e-6);
}

// 220 V * 16 A = 3,520 W, of which 80 % for hours: 2,816 W per home.
TEST(SitePower, EachHomeHasItsOwnCircuit) {
  GroupLoad homes{.id = "homes", .node = node(60_W, 350_W, 611_W), .nodes = 1000, .busy = 0.5};
  homes.node.rated = std::nullopt;
  SiteConditions home{.id = "home", .places = 1000, .pue = typical_pue(Plant::kHome), .circuit = 3520_W};
  EXPECT_NEAR(site_power(home, {homes}).circuit->value, 2816, 1e-6);
  EXPECT_TRUE(*site_power(home, {homes}).circuit_holds);
  homes.nodes = 5000;  // five to a home: 3,055 W
  EXPECT_FALSE(*site_power(home, {homes}).circuit_holds);
}

TEST(SitePower, AHigherPueNeverTakesLess) {
  double before = 0;
  for (double value : {1.0, 1.1, 1.3, 1.58, 2.0}) {
    SiteConditions site = hall();
    site.pue = pue(value);
    const double now = site_power(site, {ten_nodes()}).per_year.likely.value;
    EXPECT_GT(now, before);
    before = now;
  }
}

TEST(SitePower, SitesAddUp) {
  const SitePower one = site_power(hall(), {ten_nodes()});
  const SitePower both = total_power({one, one});
  EXPECT_NEAR(both.site_mean.likely.value, 2 * one.site_mean.likely.value, 1e-6);
  EXPECT_NEAR(both.per_year.likely.value, 2 * one.per_year.likely.value, 1);
  EXPECT_NEAR(both.pue.value, 1.3, 1e-12);
  EXPECT_EQ(both.racks, 6);
  EXPECT_EQ(both.groups.size(), 2u);
}

TEST(SitePower, DefaultPueIsAssumedAndHasARange) {
  EXPECT_EQ(typical_pue(Plant::kAirCooled).origin.confidence, Confidence::kAssumed);
  EXPECT_LT(typical_pue(Plant::kLiquidCooled).value, typical_pue(Plant::kAirCooled).value);
  EXPECT_EQ(typical_pue(Plant::kHome).value, 1.0);
}

}  // namespace
}  // namespace fathom
