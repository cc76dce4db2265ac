// The published config.json of each family gives the catalogued counts, and what cannot be read is refused with a place.
#include <gtest/gtest.h>

#include <fstream>

#include "input/error.h"
#include "model/architecture.h"
#include "model/tensors.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

std::filesystem::path config(const std::string& name) {
  return std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/data/configs" / (name + ".json");
}

struct Family {
  const char *file, *catalogued;
};

class HfConfig : public ::testing::TestWithParam<Family> {};

TEST_P(HfConfig, GivesTheCataloguedCounts) {
  const Architecture read = read_hf_config(config(GetParam().file));
  const ModelEntry& known = shipped().model(GetParam().catalogued);
  const ParameterCounts a = count_parameters(read), b = count_parameters(known);
  EXPECT_EQ(a.total, b.total);
  EXPECT_EQ(a.active, b.active);
  EXPECT_EQ(a.active_without_input_embedding, b.active_without_input_embedding);
  EXPECT_EQ(a.routed_experts, b.routed_experts);
  EXPECT_EQ(a.mtp, b.mtp);
  EXPECT_EQ(kv_bytes_per_token(read, KvFormat::kBf16), kv_bytes_per_token(known, KvFormat::kBf16));
  EXPECT_EQ(read.native_weights, known.native_weights);
  EXPECT_EQ(read.max_position, known.max_position);
  EXPECT_EQ(read.sliding_layers, known.sliding_layers);
  EXPECT_EQ(read.norm_epsilon, known.norm_epsilon);
  EXPECT_EQ(read.rope_scaling.has_value(), known.rope_scaling.has_value());
  ASSERT_EQ(read.moe.has_value(), known.moe.has_value());
  if (!known.moe) return;
  EXPECT_EQ(read.moe->scoring, known.moe->scoring);
  EXPECT_EQ(read.moe->groups, known.moe->groups);
  EXPECT_EQ(read.moe->groups_kept, known.moe->groups_kept);
  EXPECT_EQ(read.moe->norm_topk_prob, known.moe->norm_topk_prob);
  EXPECT_EQ(read.moe->routed_scaling_factor, known.moe->routed_scaling_factor);
}

INSTANTIATE_TEST_SUITE_P(Families, HfConfig,
                         ::testing::Values(Family{"llama", "llama-3.1-8b"}, Family{"qwen2", "qwen2.5-32b"},
                                           Family{"qwen3", "qwen3-32b"}, Family{"qwen3_moe", "qwen3-30b-a3b"},
                                           Family{"mixtral", "mixtral-8x7b"}, Family{"gpt_oss", "gpt-oss-20b"},
                                           Family{"deepseek_v2_lite", "deepseek-v2-lite"},
                                           Family{"deepseek_v3", "deepseek-r1"}, Family{"kimi_k2", "kimi-k2"},
                                           Family{"glm4_moe", "glm-4.5"}, Family{"gpt2_175b", "gpt3-175b"}),
                         [](const ::testing::TestParamInfo<Family>& family) { return std::string(family.param.file); });

class Refusal : public ::testing::Test {
 protected:
  ScratchFolder folder_;  // tests run side by side
  std::filesystem::path file_ = folder_.path() / "fathom_refused_config.json";

  void expect(const std::string& text, int line, const std::string& message) {
    SCOPED_TRACE(text);
    std::ofstream(file_) << text;
    try {
      read_hf_config(file_);
      ADD_FAILURE() << "was accepted";
    } catch (const InputError& error) {
      EXPECT_NE(error.message().find(message), std::string::npos) << error.message();
      EXPECT_EQ(error.at().line, line) << error.message();
      EXPECT_NE(std::string(error.what()).find("fathom_refused_config.json"), std::string::npos) << error.what();
    }
  }
};

const std::string kSizes = R"("hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 8, "vocab_size": 100)";

TEST_F(Refusal, OfAnUnknownModelTypePointsAtIt) {
  expect("{\"vocab_size\": 100,\n \"model_type\": \"qwen4\"}", 2, "model_type \"qwen4\" is not known");
}

TEST_F(Refusal, OfAMissingKeyNamesIt) {
  expect("{\"model_type\": \"llama\",\n \"hidden_size\": 64, \"num_attention_heads\": 8, \"vocab_size\": 100}", 1,
         "num_hidden_layers");
  expect("{\"hidden_size\": 64}", 1, "model_type");
}

TEST_F(Refusal, OfContradictoryNumbersSaysWhatContradicts) {
  const std::string llama = "{\"model_type\": \"llama\", " + kSizes;
  expect(llama + ", \"intermediate_size\": 128, \"num_key_value_heads\": 3}", 1, "8 heads do not divide by 3 KV heads");
  expect(llama + "}", 1, "dense layers without an intermediate_size");
  expect(llama + ", \"intermediate_size\": -5}", 1, "must be between 0 and");
  expect("{\"model_type\": \"mixtral\", " + kSizes +
             ", \"intermediate_size\": 128, \"num_local_experts\": 4, \"num_experts_per_tok\": 5}",
         1, "5 experts per token of 4");
}

TEST_F(Refusal, OfWhatIsNotAConfigurationAtAll) {
  expect("[1, 2, 3]", 1, "model configuration");
  expect("{\"model_type\": \"llama\", " + kSizes + ", \"intermediate_size\": \"wide\"}", 1, "expected a whole number");
}

TEST(Contradiction, FindsNoneInTheCatalog) {
  for (const ModelEntry& model : shipped().all<ModelEntry>()) EXPECT_EQ(contradiction(model), "") << model.id;
}

}  // namespace
}  // namespace fathom
