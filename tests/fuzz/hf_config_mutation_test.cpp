// Damaged Hugging Face configurations: refused at a place in the file, or a model whose sizes are positive and finite.
#include <gtest/gtest.h>

#include <cmath>

#include "model/architecture.h"
#include "model/tensors.h"
#include "support/mutation.h"
#include "support/scratch_folder.h"
#include "support/yaml_edit.h"

namespace fathom {
namespace {

// One of every family that differs in structure, with keys as the published files have them.
const std::vector<std::string> kConfigs = {
    R"({"model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
  "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 14336, "max_position_embeddings": 131072, "rope_theta": 500000.0,
  "rms_norm_eps": 1e-05, "tie_word_embeddings": false, "attention_bias": false,
  "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
  "quantization_config": {"quant_method": "awq"}})",
    R"({"model_type": "deepseek_v32", "vocab_size": 129280, "hidden_size": 7168, "num_hidden_layers": 61, "num_attention_heads": 128,
  "num_key_value_heads": 128, "intermediate_size": 18432, "max_position_embeddings": 163840, "q_lora_rank": 1536, "kv_lora_rank": 512,
  "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "n_routed_experts": 256, "num_experts_per_tok": 8,
  "n_shared_experts": 1, "moe_intermediate_size": 2048, "first_k_dense_replace": 3, "n_group": 8, "topk_group": 4,
  "norm_topk_prob": true, "routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "topk_method": "noaux_tc",
  "num_nextn_predict_layers": 1, "index_n_heads": 64, "index_head_dim": 128, "index_topk": 2048,
  "quantization_config": {"quant_method": "fp8"}})",
    R"({"model_type": "qwen3_moe", "vocab_size": 151936, "hidden_size": 4096, "num_hidden_layers": 94, "num_attention_heads": 64,
  "num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 12288, "num_experts": 128, "num_experts_per_tok": 8,
  "moe_intermediate_size": 1536, "decoder_sparse_step": 1, "norm_topk_prob": true})",
    R"({"model_type": "gpt_oss", "vocab_size": 201088, "hidden_size": 2880, "num_hidden_layers": 36, "num_attention_heads": 64,
  "num_key_value_heads": 8, "head_dim": 64, "intermediate_size": 2880, "num_local_experts": 128, "num_experts_per_tok": 4,
  "sliding_window": 128})",
    R"({"model_type": "glm4_moe", "vocab_size": 151552, "hidden_size": 5120, "num_hidden_layers": 92, "num_attention_heads": 96,
  "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 12288, "n_routed_experts": 160, "num_experts_per_tok": 8,
  "n_shared_experts": 1, "moe_intermediate_size": 1536, "first_k_dense_replace": 3, "n_group": 1, "topk_group": 1,
  "use_qk_norm": true, "num_nextn_predict_layers": 1, "routed_scaling_factor": 2.5})",
    R"({"model_type": "gpt2", "vocab_size": 50257, "n_embd": 12288, "n_layer": 96, "n_head": 96, "n_positions": 2048, "n_inner": 49152})",
    R"({"model_type": "mixtral", "vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
  "num_key_value_heads": 8, "intermediate_size": 14336, "num_local_experts": 8, "num_experts_per_tok": 2})",
};

// Reads, and folds over what was read as the planner does.
void read_and_count(const std::string& text) {
  static const ScratchFolder folder;
  const Architecture a = read_hf_config(folder.write("config.json", text));
  const ParameterCounts counts = count_parameters(a);
  EXPECT_GT(counts.total, 0);
  EXPECT_GT(counts.active, 0);
  EXPECT_LE(counts.active, counts.total);
  EXPECT_GE(counts.mtp, 0);
  for (const WeightScheme& scheme : weight_schemes()) {
    const double stored = checkpoint_bytes(a, scheme, true).value;
    EXPECT_TRUE(std::isfinite(stored) && stored > 0) << scheme.name;
  }
  for (const KvFormat format : {KvFormat::kBf16, KvFormat::kFp8}) {
    const double cached = kv_bytes_per_token(a, format).value;
    EXPECT_TRUE(std::isfinite(cached) && cached > 0);
  }
}

TEST(HfConfigMutation, EveryConfigReadsUnchanged) {
  for (const std::string& text : kConfigs) EXPECT_NO_THROW(read_and_count(text)) << text;
}

TEST(HfConfigMutation, EveryValueOfEveryKeyIsReadOrRefused) {
  int count = 0, refused = 0;
  for (const std::string& config : kConfigs) {
    const YamlEdit whole(parse_yaml(config, "config.json"));
    for (const std::string& path : whole.paths()) {
      for (const char* value : {"0", "-1", "1", "7", "16777216", "2147483647", "-2147483648", "2147483648", "1e18",
                                "1e308", "1e999", "1.5", "\"8\"", "[8]", "{}", "null", "true", "NaN", "abc"}) {
        YamlEdit edit = whole;
        edit.set(path, value);
        SCOPED_TRACE(path + ": " + value);
        refused += refusal(path + ": " + value, [&] { read_and_count(edit.text()); }).has_value();
        ++count;
      }
    }
  }
  EXPECT_GE(count, 1000);
  EXPECT_GE(refused, count / 2);
}

// What no model can have is refused, whatever the family.
TEST(HfConfigMutation, SizesThatMakeNoModelAreRefused) {
  for (const std::string& config : kConfigs) {
    const YamlEdit whole(parse_yaml(config, "config.json"));
    for (const char* key :
         {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
          "num_experts_per_tok", "kv_lora_rank", "n_routed_experts", "num_experts", "num_local_experts",
          "moe_intermediate_size", "n_embd", "n_layer", "n_head", "head_dim"}) {
      if (!whole.has(key)) continue;
      for (const char* value : {"0", "-1", "2147483647", "1e18", "1.5", "\"8\"", "[8]", "{}", "many"}) {
        YamlEdit edit = whole;
        edit.set(key, value);
        EXPECT_TRUE(refusal(key, [&] { read_and_count(edit.text()); })) << key << ": " << value;
      }
    }
  }
}

TEST(HfConfigMutation, EveryMissingKeyIsReadOrRefused) {
  for (const std::string& config : kConfigs) {
    const YamlEdit whole(parse_yaml(config, "config.json"));
    for (const std::string& path : whole.paths()) {
      YamlEdit edit = whole;
      edit.remove(path);
      refusal("without " + path, [&] { read_and_count(edit.text()); });
    }
    for (const char* key : {"model_type", "vocab_size"}) {
      YamlEdit edit = whole;
      edit.remove(key);
      EXPECT_TRUE(refusal(key, [&] { read_and_count(edit.text()); })) << "taken for a model without " << key;
    }
  }
}

TEST(HfConfigMutation, AConfigCutOffAnywhereIsRefused) {
  for (const std::string& config : kConfigs) {
    for (std::size_t cut = 1; cut < config.size(); cut += kThinning) {
      EXPECT_TRUE(refusal("cut", [&] { read_and_count(config.substr(0, cut)); })) << config.substr(0, cut);
    }
  }
}

TEST(HfConfigMutation, RandomDamageIsReadOrRefused) {
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string text = kConfigs[random() % kConfigs.size()];
    for (auto edits = 1 + random() % 4; edits > 0; --edits) text = mutated(std::move(text), random);
    SCOPED_TRACE(text);
    refusal(text, [&] { read_and_count(text); });
  }
}

}  // namespace
}  // namespace fathom
