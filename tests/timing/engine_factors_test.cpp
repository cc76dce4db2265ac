// Factors that a fit found, read from engines.yaml and applied on devices.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "input/error.h"
#include "support/planning.h"
#include "support/scratch_folder.h"
#include "timing/engine_profile.h"

namespace fathom {
namespace {

constexpr const char* kEntries = R"(format: fathom-catalog/1
kind: engines
sources:
  FIT: {title: "a fit", date: 2026-11}
entries:
  - id: reference
    name: "kernels"
    unfitted: true
    memory_share: {value: 0.8, low: 0.6, high: 0.9, source: OWN, date: 2026-11, confidence: measured}
    operator_floor: {value: 4 us, source: OWN, date: 2026-11, confidence: measured}
    sequence_overhead: {value: 0 us, source: OWN, date: 2026-11, confidence: measured}
    factors:
      - {devices: [Hopper GH100], source: FIT, date: 2026-11, memory_share: 0.5, operator_floor: 2, sequence_overhead: 3}
  - id: served
    name: served
    factors:
      - {source: FIT, date: 2026-11, memory_share: 0.9}
      - {devices: [nvidia-h100-sxm5-80gb], source: FIT, date: 2026-11, memory_share: 1.5}
  - id: served
    name: served
    since: "2.0"
    factors:
      - {source: FIT, date: 2026-11, memory_share: 1.1}
      - {devices: [Hopper GH100], source: FIT, date: 2026-11, memory_share: 40}
  - id: served
    name: served
    since: "3.0"
    factors:
      - {source: FIT, date: 2026-11, memory_share: 2}
      - {devices: [nvidia-a100-sxm4-80gb], source: FIT, date: 2026-11, memory_share: 0.5}
  - id: own
    name: measured on kernels, calibrated by its user
    unfitted: true
    factors:
      - {devices: [Hopper GH100], source: mine, date: 2026-11, memory_share: 0.9}
)";

class EngineFactorsTest : public ::testing::Test {
 protected:
  EngineProfile read(const std::string& id, const std::string& version = {}) {
    scratch_.write("engines.yaml", kEntries);
    return read_engine_profile(scratch_.path(), id, version);
  }
  static double memory_on(const EngineProfile& e, const std::string& device) {
    return on_device(e, shipped().accelerator(device)).memory_share.value;
  }

  ScratchFolder scratch_;
};

TEST_F(EngineFactorsTest, MultiplyWhatHoldsEverywhereAndOnADevice) {
  const EngineProfile e = read("served", "1.0"), anywhere = on_device(e, {});
  EXPECT_DOUBLE_EQ(anywhere.memory_share.value, 0.8 * 0.9);
  // The range moves along and narrows by a twentieth for each factor: 0.6 and 0.9 of 0.8.
  EXPECT_NEAR(*anywhere.memory_share.low, 0.72 * std::pow(0.6 / 0.8, 0.95), 1e-12);
  EXPECT_NEAR(*anywhere.memory_share.high, 0.72 * std::pow(0.9 / 0.8, 0.95), 1e-12);
  EXPECT_EQ(anywhere.memory_share.origin.source, "a fit");
  EXPECT_EQ(anywhere.memory_share.origin.confidence, Confidence::kDerived);
  EXPECT_DOUBLE_EQ(memory_on(e, "nvidia-a100-sxm4-80gb"), 0.8 * 0.9);
  EXPECT_DOUBLE_EQ(memory_on(e, "nvidia-h200-sxm5-141gb"), 0.8 * 0.9 * 0.5);
  EXPECT_DOUBLE_EQ(memory_on(e, "nvidia-h100-sxm5-80gb"), 0.8 * 0.9 * 0.5 * 1.5);
  const EngineProfile h200 = on_device(e, shipped().accelerator("nvidia-h200-sxm5-141gb"));
  EXPECT_DOUBLE_EQ(h200.operator_floor.value.value, 8e-6);
  EXPECT_NEAR(*h200.memory_share.low, 0.36 * std::pow(0.6 / 0.8, 0.95 * 0.95), 1e-12);
  EXPECT_DOUBLE_EQ(h200.sequence_overhead.value.value, 0);  // nothing times three is nothing
}

TEST_F(EngineFactorsTest, AreAppliedOnceHoweverOftenADeviceIsAskedFor) {
  const Accelerator& h100 = shipped().accelerator("nvidia-h100-sxm5-80gb");
  const EngineProfile once = on_device(read("served", "1.0"), h100);
  EXPECT_DOUBLE_EQ(on_device(once, h100).memory_share.value, once.memory_share.value);
}

TEST_F(EngineFactorsTest, ALaterVersionAddsToThoseBeforeItWithinWhatAShareMayBe) {
  const EngineProfile e = read("served", "2.1");
  EXPECT_DOUBLE_EQ(memory_on(e, "nvidia-a100-sxm4-80gb"), 0.8 * 0.9 * 1.1);
  EXPECT_DOUBLE_EQ(memory_on(e, "nvidia-h200-sxm5-141gb"), find_engine_parameter("memory_share")->most);
}

TEST_F(EngineFactorsTest, AreHeldWithinTheBoundsTogether) {
  const EngineProfile e = read("served", "3.0");
  EXPECT_DOUBLE_EQ(memory_on(e, "nvidia-b200-sxm-180gb"), find_engine_parameter("memory_share")->most);
  EXPECT_DOUBLE_EQ(memory_on(e, "nvidia-a100-sxm4-80gb"), 0.8 * 0.9 * 1.1 * 2 * 0.5);  // 1.58 on the way
}

TEST_F(EngineFactorsTest, OfAllEnginesDoNotTouchWhatWasMeasuredOnKernels) {
  EXPECT_DOUBLE_EQ(memory_on(read("reference"), "nvidia-h200-sxm5-141gb"), 0.8);
  const EngineProfile own = read("own");
  EXPECT_DOUBLE_EQ(memory_on(own, "nvidia-a100-sxm4-80gb"), 0.8);
  EXPECT_DOUBLE_EQ(memory_on(own, "nvidia-h200-sxm5-141gb"), 0.8 * 0.9);  // its user's still hold
  EXPECT_DOUBLE_EQ(on_device(own, shipped().accelerator("nvidia-h200-sxm5-141gb")).operator_floor.value.value, 4e-6);
}

TEST_F(EngineFactorsTest, DoNotMultiplyTheTimeBetweenOperatorsOfAProfile) {
  EngineProfile e = read("served", "1.0");
  for (EngineFactors& f : e.factors) f.factors.emplace_back(find_engine_parameter("step_overhead"), 3.0);
  const auto profile = std::make_shared<Profile>();
  profile->step_overhead = {.min = 1_us, .likely = 2_us, .max = 3_us};
  profile->step_samples = 1;
  const EngineProfile here = on_device(with_profile(e, profile, true), shipped().accelerator("nvidia-h100-sxm5-80gb"));
  EXPECT_EQ(here.step_overhead.value, 2_us);
  EXPECT_EQ(*here.step_overhead.high, 3_us);
}

TEST_F(EngineFactorsTest, ThatAreNoneAreRefused) {
  for (const char* wrong : {"0", "-1", ".nan", ".inf"}) {
    std::string text = kEntries;
    text.replace(text.find("memory_share: 0.9}"), 18, std::string("memory_share: ") + wrong + "}");
    scratch_.write("engines.yaml", text);
    EXPECT_THROW(read_engine_profile(scratch_.path(), "served"), InputError) << wrong;
    std::filesystem::remove(scratch_.path() / "engines.yaml");
  }
}

}  // namespace
}  // namespace fathom
