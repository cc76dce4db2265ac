// Counts that follow from the tensor list, against published totals and hand calculations. tests/catalog checks every
// catalogued model; here are the figures worth seeing, and what the list must keep apart.
#include "model/tensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "support/planning.h"

namespace fathom {
namespace {

// README_WEIGHTS.md of DeepSeek-V3: 671 B in the main model, 685 B with the MTP module on disk.
//   routed experts 58 layers x 256 x 3 x 7,168 x 2,048                                           653,908,770,816
//   shared 58 x 44,040,192, router 58 x (256 x 7,168 + 256)                                        2,660,780,...
//   attention 61 x (11,010,048 + 1,536 + 37,748,736 + 4,128,768 + 512 + 16,777,216 + 117,440,512)
//   dense 3 x 3 x 7,168 x 18,432, embedding and head 2 x 129,280 x 7,168, norms
TEST(Tensors, R1HasItsPublishedSizes) {
  const ModelEntry& r1 = shipped().model("deepseek-r1");
  const std::int64_t attention =
      7168 * 1536 + 1536 + 1536 * 128 * 192 + 7168 * 576 + 512 + 512 * 128 * 256 + 128 * 128 * 7168;
  const std::int64_t moe = 257LL * 3 * 7168 * 2048 + 256 * 7168 + 256;
  const std::int64_t all = 61 * (attention + 2 * 7168) + 58 * moe + 3 * 3LL * 7168 * 18432 + 2 * 129280LL * 7168 + 7168;
  EXPECT_EQ(all, 671'026'419'200);
  EXPECT_EQ(count_parameters(r1).total, all);
  // The module shares embedding and head: a block of attention and MoE, the 7,168 x 14,336 projection and three norms.
  EXPECT_EQ(count_parameters(r1).mtp, attention + 2 * 7168 + moe + 2LL * 7168 * 7168 + 3 * 7168);
  EXPECT_EQ(checkpoint_bytes(r1, scheme("fp8"), false).value, 673'150'611'808);
  EXPECT_EQ(checkpoint_bytes(r1, scheme("fp8"), true).value, 688'574'839'360);
}

// 2,880 is no multiple of 128, so MXFP4 (17 bytes per 32 values) is what OpenAI publishes: 12.8 and 60.8 GiB.
TEST(Tensors, GptOssInMxfp4HasItsPublishedSizes) {
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  const WeightScheme mxfp4 = scheme("mxfp4-experts+bf16");
  EXPECT_NEAR(checkpoint_bytes(shipped().model("gpt-oss-20b"), mxfp4, false).value / kGiB, 12.816, 5e-4);
  EXPECT_NEAR(checkpoint_bytes(shipped().model("gpt-oss-120b"), mxfp4, false).value / kGiB, 60.768, 5e-4);
}

// R1: 61 x (512 + 64) x 2 B. Qwen2.5-32B: 64 layers x 2 x 8 heads x 128 x 2 B. GPT-OSS-20B: 24 x 2 x 8 x 64 x 2 B.
TEST(Tensors, CacheBytesPerTokenMatchHandCalculations) {
  EXPECT_EQ(kv_bytes_per_token(shipped().model("deepseek-r1"), KvFormat::kBf16).value, 61 * 576 * 2);
  EXPECT_EQ(kv_bytes_per_token(shipped().model("deepseek-r1"), KvFormat::kBf16).value, 70'272);
  EXPECT_EQ(kv_bytes_per_token(shipped().model("qwen2.5-32b"), KvFormat::kBf16).value, 262'144);
  EXPECT_EQ(kv_bytes_per_token(shipped().model("gpt-oss-20b"), KvFormat::kBf16).value, 49'152);
}

// Heads shrink to one byte per value. The latent does not: FlashMLA stores 512 e4m3 values, four fp32 scales and 64 bf16
// rotary values, 656 B per token and layer instead of 576.
TEST(Tensors, Fp8CacheHalvesHeadsAndKeepsTheRotaryKeyOfALatentInBf16) {
  for (const ModelEntry& model : shipped().all<ModelEntry>()) {
    const double fp8 = kv_bytes_per_token(model, KvFormat::kFp8).value;
    if (model.mla) {
      EXPECT_EQ(fp8, 656.0 * model.num_layers) << model.id;
    } else {
      EXPECT_EQ(fp8, static_cast<double>(model.expected.kv_bytes_per_token.at("fp8"))) << model.id;
    }
  }
}

// The names are Hugging Face's, and the engine loads by them: each must be there once.
TEST(Tensors, NamesAreUnique) {
  for (const ModelEntry& model : shipped().all<ModelEntry>()) {
    std::set<std::pair<std::string, Where>> seen;
    for (const Tensor& t : tensors(model))
      EXPECT_TRUE(seen.insert({t.name, t.where}).second) << model.id << " " << t.name;
  }
}

TEST(Tensors, EverySchemeStoresNoMoreThanBf16) {
  for (const ModelEntry& model : shipped().all<ModelEntry>()) {
    const Bytes bf16 = checkpoint_bytes(model, scheme("bf16"), true);
    for (const WeightScheme& s : weight_schemes())
      EXPECT_LE(checkpoint_bytes(model, s, true), bf16) << model.id << " " << s.name;
  }
}

}  // namespace
}  // namespace fathom
