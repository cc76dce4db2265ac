// Steps of DeepSeek models on one and two H200, predicted from profiles of other shapes: docs/measurements/README.md, products by
// Hopper's warpgroups.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace fathom {
namespace {

using Json = nlohmann::json;

const std::filesystem::path kFolder = FATHOM_SOURCE_DIR "/docs/measurements/2026-11-22-cuda-warpgroups-h200";

Json read(const std::string& name) { return Json::parse(std::ifstream(kFolder / (name + ".json"))); }
double error(const Json& part) { return std::abs(part["error"].get<double>()); }

TEST(CudaWarpgroups, StepsArePredictedWithinATenth) {
  for (const std::string run :
       {"deepseek-r1-16-layers-int4-experts+fp8-tp2-1x512", "deepseek-r1-16-layers-int4-experts+fp8-tp2-8x512",
        "deepseek-r1-16-layers-int4-experts+fp8-tp2-8x2048", "deepseek-r1-16-layers-int4-experts+fp8-tp2-64x512",
        "deepseek-v2-lite-bf16-1x512", "deepseek-v2-lite-bf16-1x2048", "deepseek-v2-lite-bf16-8x512",
        "deepseek-v2-lite-bf16-8x2048", "deepseek-v2-lite-bf16-64x2048"}) {
    const Json v = read("predicted-" + run);
    EXPECT_LT(error(v["step"]), 0.10) << run;
    EXPECT_LT(error(v["memory"]), 0.02) << run;
    EXPECT_EQ(v["run"]["backend"], "cuda") << run;
  }
}

// Missed by a hair, with a profile that counted rows of padding among those that choose experts (mended since).
TEST(CudaWarpgroups, OneStepWasMissed) {
  EXPECT_NEAR(error(read("predicted-deepseek-v2-lite-bf16-64x512")["step"]), 0.101, 0.001);
}

TEST(CudaWarpgroups, LatentAttentionAndCollectivesAreWithinTheirAim) {
  double sum = 0, sums = 0;
  int count = 0, collectives = 0;
  for (const auto& file : std::filesystem::directory_iterator(kFolder)) {
    if (!file.path().filename().string().starts_with("predicted-")) continue;
    const Json v = Json::parse(std::ifstream(file.path()));
    for (const Json& kind : v["kinds"]) {
      if (kind["kind"] == "mla_attention") sum += error(kind), ++count;
      if (kind["kind"] == "all_reduce") sums += error(kind), ++collectives;
    }
  }
  ASSERT_EQ(count, 10);
  ASSERT_EQ(collectives, 4);
  EXPECT_LT(sum / count, 0.15);
  EXPECT_LT(sums / collectives, 0.15);
}

}  // namespace
}  // namespace fathom
