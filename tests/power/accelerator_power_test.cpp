#include "power/accelerator_power.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace fathom {
namespace {

const AcceleratorPowerModel h100 = accelerator_power_model("nvidia-h100-sxm5-80gb", 700_W);
const AcceleratorPowerModel b200 = accelerator_power_model("nvidia-b200-sxm-180gb", 1000_W);

// 349 + 179*0.3 + 1302*0.05 = 349 + 53.7 + 65.1.
TEST(AcceleratorPower, H100FollowsItsFit) {
  const Estimate<Watts> power = busy_power(h100, {.busy = 1, .memory = 0.3, .compute = 0.05});
  EXPECT_NEAR(power.likely.value, 467.8, 1e-9);
  EXPECT_NEAR(power.min.value, 467.8 * 0.925, 1e-9);
  EXPECT_NEAR(power.max.value, 467.8 * 1.075, 1e-9);
  EXPECT_EQ(power.confidence, Confidence::kDerived);
}

// 286 + 1004*0.2 + 2158*0.05 = 286 + 200.8 + 107.9.
TEST(AcceleratorPower, B200FollowsItsFit) {
  EXPECT_NEAR(busy_power(b200, {.busy = 1, .memory = 0.2, .compute = 0.05}).likely.value, 594.7, 1e-9);
}

// An A100 of 400 W has no fit of its own: 400 * (0.50 + 0.26*0.5 + 1.86*0.02) = 266.88.
TEST(AcceleratorPower, OtherCardsTakeTheirShareOfTdpInAWiderBand) {
  const AcceleratorPowerModel a100 = accelerator_power_model("nvidia-a100-sxm4-80gb", 400_W);
  const Estimate<Watts> power = busy_power(a100, {.busy = 1, .memory = 0.5, .compute = 0.02});
  EXPECT_NEAR(power.likely.value, 266.88, 1e-9);
  EXPECT_GT(a100.relative_error, h100.relative_error);
  EXPECT_EQ(power.confidence, Confidence::kAssumed);
}

// The share form is the H100 fit divided by 700 W, so an H200 (same chip, same TDP) agrees with it within a watt or two.
TEST(AcceleratorPower, TheShareFormContinuesTheH100Fit) {
  const Activity mixed{.busy = 1, .memory = 0.6, .compute = 0.1};
  const AcceleratorPowerModel h200 = accelerator_power_model("nvidia-h200-sxm5-141gb", 700_W);
  EXPECT_NEAR(busy_power(h200, mixed).likely.value, busy_power(h100, mixed).likely.value, 5);
}

TEST(AcceleratorPower, IdleIsAShareOfTdpByFamilyUnlessStated) {
  EXPECT_NEAR(h100.idle.value, 75, 1e-9);
  EXPECT_NEAR(accelerator_power_model("nvidia-a100-sxm4-40gb", 400_W).idle.value, 63, 1e-9);
  EXPECT_NEAR(accelerator_power_model("huawei-ascend-910b3-64gb", 310_W).idle.value, 40.3, 1e-9);
  EXPECT_EQ(accelerator_power_model("nvidia-a100-sxm4-40gb", 400_W, 50_W).idle.value, 50);
}

TEST(AcceleratorPower, StaysBetweenIdleAndCap) {
  for (double memory : {0.0, 0.5, 1.0}) {
    for (double compute : {0.0, 0.3, 1.0}) {
      const Estimate<Watts> power = busy_power(h100, {.busy = 1, .memory = memory, .compute = compute});
      EXPECT_GE(power.min.value, 75);
      EXPECT_LE(power.min, power.likely);
      EXPECT_LE(power.likely, power.max);
      EXPECT_LE(power.max.value, 700);
    }
  }
}

// Half of TDP is gone as soon as batches run, however little they do; an empty queue takes 75 W.
TEST(AcceleratorPower, WaitingIsNotIdle) {
  EXPECT_NEAR(mean_power(h100, {.busy = 1}).likely.value, 349, 1e-9);
  EXPECT_NEAR(mean_power(h100, {.busy = 0, .memory = 1, .compute = 1}).likely.value, 75, 1e-9);
  EXPECT_NEAR(mean_power(h100, {.busy = 0.5}).likely.value, 212, 1e-9);
}

// DeepSeek-R1 on 8 x B200 at batch 128: 2.376 J per token of GPU energy, * 1.35 node * 1.3 PUE / 3.6 = 1.16 kWh/Mtok.
TEST(AcceleratorPower, EnergyPerMillionTokensIncludesNodeAndSite) {
  EXPECT_NEAR(kwh_per_mtok(Joules(2.376), 1.35, 1.3), 1.158, 5e-4);
}

TEST(AcceleratorPower, NeedsATdp) { EXPECT_THROW(accelerator_power_model("x", Watts{}), std::invalid_argument); }

// An H200: 118 W at rest, 696 W reading at 0.945 of its bandwidth, 693 W multiplying at 0.68 of its peak.
const MeasuredWatts kH200 = {.idle = 118_W, .reading = 696_W, .multiplying = 693_W, .memory = 0.945, .compute = 0.68};
const AcceleratorPowerModel measured =
    through_measured(accelerator_power_model("nvidia-h200-sxm5-141gb", 700_W), kH200);

TEST(MeasuredPower, GoesThroughWhatWasMeasured) {
  EXPECT_NEAR(busy_power(measured, {.busy = 1, .memory = 0.945}).likely.value, 696, 1e-9);
  EXPECT_NEAR(busy_power(measured, {.busy = 1, .compute = 0.68}).likely.value, 693, 1e-9);
  EXPECT_EQ(mean_power(measured, {.busy = 0}).likely, 118_W);
  EXPECT_EQ(measured.source, "measured");
  EXPECT_EQ(busy_power(measured, {.busy = 1, .memory = 0.5}).confidence, Confidence::kDerived);
}

// A third of the time reading, a third multiplying, a third waiting at the prior's floor of 350 W: (696 + 693 + 350) / 3.
TEST(MeasuredPower, BetweenTheLoadsIsTheirShareOfTheTime) {
  EXPECT_NEAR(busy_power(measured, {.busy = 1, .memory = 0.945 / 3, .compute = 0.68 / 3}).likely.value, 1739.0 / 3,
              1e-9);
  EXPECT_EQ(busy_power(measured, {.busy = 1, .memory = 0.9, .compute = 0.6}).likely, 700_W);  // its power limit
}

// 25 % of the prior where a batch waits, the sensor's 5 % at the ends, linear between: 15 % halfway.
TEST(MeasuredPower, TheBandNarrowsTowardsWhatWasMeasured) {
  const auto width = [](double memory) {
    const Estimate<Watts> power = busy_power(measured, {.busy = 1, .memory = memory});
    return 1 - power.min / power.likely;
  };
  EXPECT_NEAR(width(0), 0.25, 1e-9);
  EXPECT_NEAR(width(0.945 / 2), 0.15, 1e-9);
  EXPECT_NEAR(width(0.945), 0.05, 1e-9);
}

TEST(MeasuredPower, ACardThatDrawsLessThanThePriorsFloorHasALowerOne) {
  const AcceleratorPowerModel small =
      through_measured(accelerator_power_model("nvidia-h200-sxm5-141gb", 700_W),
                       {.idle = 50_W, .reading = 200_W, .multiplying = 300_W, .memory = 0.9, .compute = 0.5});
  EXPECT_EQ(busy_power(small, {.busy = 1}).likely, 200_W);
  EXPECT_NEAR(busy_power(small, {.busy = 1, .compute = 0.5}).likely.value, 300, 1e-9);
}

// Cards that were limited to 500 W draw no 700, whatever the data sheet says.
TEST(MeasuredPower, EndsAtTheLimitThatWasSet) {
  MeasuredWatts limited{.idle = 118_W, .reading = 500_W, .multiplying = 500_W, .memory = 0.9, .compute = 0.5};
  const auto prior = accelerator_power_model("nvidia-h200-sxm5-141gb", 700_W);
  const Activity both{.busy = 1, .memory = 0.9, .compute = 0.5};
  EXPECT_GT(busy_power(through_measured(prior, limited), both).likely, 500_W);
  limited.limit = 500_W;
  EXPECT_EQ(busy_power(through_measured(prior, limited), both).max, 500_W);
}

TEST(MeasuredPower, WattsThatSayNothingAreNoModel) {
  const auto with = [](void (*change)(MeasuredWatts&)) {
    MeasuredWatts watts = kH200;
    change(watts);
    return through_measured(accelerator_power_model("nvidia-h200-sxm5-141gb", 700_W), watts);
  };
  EXPECT_THROW(with([](MeasuredWatts& w) { w.idle = 700_W; }), std::invalid_argument);
  EXPECT_THROW(with([](MeasuredWatts& w) { w.idle = Watts(0); }), std::invalid_argument);
  EXPECT_THROW(with([](MeasuredWatts& w) { w.memory = 0; }), std::invalid_argument);
  EXPECT_THROW(with([](MeasuredWatts& w) { w.compute = 0; }), std::invalid_argument);
}

}  // namespace
}  // namespace fathom
