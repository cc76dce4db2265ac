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

}  // namespace
}  // namespace fathom
