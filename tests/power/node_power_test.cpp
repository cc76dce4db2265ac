#include "power/node_power.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

namespace fathom {
namespace {

const PsuCurve kTitanium = {{.load = 0.1, .efficiency = 0.90},
                            {.load = 0.2, .efficiency = 0.94},
                            {.load = 0.5, .efficiency = 0.96},
                            {.load = 1.0, .efficiency = 0.91}};

Fact<Watts> stated(Watts value, Confidence confidence = Confidence::kStated) {
  return {.value = value, .low = {}, .high = {}, .origin = {.source = {}, .date = {}, .confidence = confidence}};
}

// 8 x H100 SXM, two 350 W CPUs, 2 TiB, eight 400 Gb/s ports and two for storage, ten disks, six 3.3 kW supplies.
NodeParts dgx_h100() {
  return {.accelerator = accelerator_power_model("nvidia-h100-sxm5-80gb", 700_W),
          .accelerators = 8,
          .cpu_tdp = 350_W,
          .cpus = 2,
          .memory = 2048_GiB,
          .disks = 10,
          .nics = {{.count = 10, .rate = 50_GBps}},
          .scale_up_switches = true,
          .psu = PsuBank{.curve = kTitanium, .count = 6, .rated = 3300_W}};
}

Watts sum(const std::vector<PowerTerm>& terms) {
  return std::accumulate(terms.begin(), terms.end(), Watts{}, [](Watts a, const PowerTerm& t) { return a + t.watts; });
}

// A desktop with a 300 W card, a 190 W CPU and 60 W of rest: 550 W / 0.90 = 611 W.
TEST(Psu, FiveHundredFiftyWattsAtNinetyPercentAre611AtTheWall) {
  const PsuBank flat{.curve = {{.load = 0.5, .efficiency = 0.9}, {.load = 1, .efficiency = 0.9}}, .rated = 750_W};
  EXPECT_NEAR(wall_power(550_W, flat).value, 611.1, 0.05);
}

// 20 % to 50 % is 94 to 96 %: at 35 %, half way, 95 %.
TEST(Psu, InterpolatesBetweenTheTestedLoads) {
  EXPECT_NEAR(psu_efficiency(kTitanium, 0.35), 0.95, 1e-12);
  EXPECT_NEAR(psu_efficiency(kTitanium, 0.5), 0.96, 1e-12);
  EXPECT_NEAR(psu_efficiency(kTitanium, 1.3), 0.91, 1e-12);
}

// At 10 % a 1 kW supply loses 100 * (1/0.9 - 1) = 11.1 W; at 5 % still 11.1 W, so 50/61.1 = 81.8 %.
TEST(Psu, LossesAreFixedBelowTheFirstTestedLoad) { EXPECT_NEAR(psu_efficiency(kTitanium, 0.05), 0.818, 5e-4); }

// 1,000 W on two 1,000 W supplies that share is 50 % each; on one it is full load.
TEST(Psu, RedundantSuppliesShareTheLoad) {
  const PsuBank two{.curve = kTitanium, .count = 2, .rated = 1000_W};
  const PsuBank one{.curve = kTitanium, .count = 1, .rated = 1000_W};
  EXPECT_NEAR(wall_power(1000_W, two).value, 1000 / 0.96, 1e-9);
  EXPECT_NEAR(wall_power(1000_W, one).value, 1000 / 0.91, 1e-9);
}

TEST(NodePower, CpuFollowsTheShareOfTdpCurve) {
  EXPECT_NEAR(cpu_power(350_W, 0).value, 42, 1e-9);
  EXPECT_NEAR(cpu_power(350_W, 0.3).value, 350 * 0.535, 1e-9);
  EXPECT_NEAR(cpu_power(350_W, 1).value, 357, 1e-9);
}

// Measured in training: 8.4 to 8.48 kW (arXiv 2412.08602); the peak here also has both CPUs at full load, 0.2 kW more.
// Under load such nodes take 2.0 to 2.9 kW above their GPUs.
TEST(NodePower, EightH100AgreeWithTheMeasuredNode) {
  const NodeWatts node = node_power(dgx_h100(), {.busy = 1, .memory = 0.5, .compute = 0.05});
  EXPECT_NEAR(node.peak.likely.value, 8480, 0.06 * 8480);
  const double overhead = node.busy.likely.value - node.terms.front().watts.value;
  EXPECT_GT(overhead, 2000);
  EXPECT_LT(overhead, 2900);
  EXPECT_FALSE(node.rated);
  EXPECT_TRUE(node.unknown.empty());
}

TEST(NodePower, TermsAddUpToTheWall) {
  const NodeWatts node = node_power(dgx_h100(), {.busy = 1, .memory = 0.5, .compute = 0.05});
  EXPECT_NEAR(sum(node.terms).value, node.busy.likely.value, 1e-6);
}

TEST(NodePower, StatedValuesWinAndCarryTheirConfidence) {
  NodeParts parts = dgx_h100();
  parts.stated = {.rated = stated(10200_W, Confidence::kDatasheet),
                  .peak = stated(8480_W, Confidence::kMeasured),
                  .idle = stated(2800_W, Confidence::kReported)};
  const NodeWatts node = node_power(parts, {.busy = 1, .memory = 1, .compute = 1});
  EXPECT_EQ(node.rated, 10200_W);
  EXPECT_EQ(node.peak.likely, 8480_W);
  EXPECT_EQ(node.peak.confidence, Confidence::kMeasured);
  EXPECT_EQ(node.idle.likely, 2800_W);
  EXPECT_LE(node.busy.max, 8480_W);  // a node never draws more than its stated peak
  EXPECT_NEAR(sum(node.terms).value, node.busy.likely.value, 1e-6);
}

// 8 * 467.8 + 2,200 W.
TEST(NodePower, AStatedOverheadReplacesTheParts) {
  NodeParts parts = dgx_h100();
  parts.stated.overhead = stated(2200_W);
  const NodeWatts node = node_power(parts, {.busy = 1, .memory = 0.3, .compute = 0.05});
  EXPECT_NEAR(node.busy.likely.value, 8 * 467.8 + 2200, 1e-6);
  EXPECT_NEAR(node.peak.likely.value, 8 * 700 + 2200, 1e-6);
}

// Nothing but eight 700 W cards is known: 0.35 to 0.50 of 5.6 kW on top.
TEST(NodePower, UnknownPartsAreAShareOfTheAccelerators) {
  const NodeParts bare{.accelerator = accelerator_power_model("nvidia-h100-sxm5-80gb", 700_W), .accelerators = 8};
  const NodeWatts node = node_power(bare, {.busy = 1});
  EXPECT_NEAR(node.busy.likely.value, 8 * 349 + 0.40 * 5600, 1e-6);
  EXPECT_EQ(node.busy.confidence, Confidence::kAssumed);
}

TEST(NodePower, WhatIsMissingIsListed) {
  EXPECT_EQ(node_power({.accelerators = 8}, {}).unknown.front(), "TDP of the accelerators");
  EXPECT_EQ(node_power({.cpu_tdp = 200_W, .cpus = 1}, {}).unknown.front(), "size of the memory");
  NodeParts management;
  management.stated.mean = stated(600_W);
  EXPECT_TRUE(node_power(management, {}).unknown.empty());
  EXPECT_EQ(node_power(management, {}).busy.likely, 600_W);
}

TEST(NodePower, LiquidCoolingSavesTheFans) {
  NodeParts liquid = dgx_h100();
  liquid.cooling = Cooling::kLiquid;
  const Activity activity{.busy = 1, .memory = 0.5, .compute = 0.05};
  EXPECT_LT(node_power(liquid, activity).busy.likely, node_power(dgx_h100(), activity).busy.likely * 0.93);
}

TEST(NodePower, AnEmptyCurveIsRefused) {
  EXPECT_THROW(psu_efficiency({}, 0.5), std::invalid_argument);
  EXPECT_THROW(wall_power(100_W, {.curve = kTitanium}), std::invalid_argument);
}

}  // namespace
}  // namespace fathom
