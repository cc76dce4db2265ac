#include "support/tiny_models.h"

#include <cmath>
#include <stdexcept>

namespace fathom::testing {

namespace {

Architecture dense(const std::string& id) {
  Architecture a;
  a.id = a.name = id;
  a.family = "llama";
  a.hidden_size = 64;
  a.num_layers = 3;
  a.num_heads = 8;
  a.num_kv_heads = 2;
  a.head_dim = 16;
  a.intermediate_size = 96;
  a.vocab_size = 203;
  a.rope_theta = 10000;
  a.norm_epsilon = 1e-6;
  a.max_position = 4096;
  return a;
}

Architecture latent(const std::string& id, int q_rank) {
  Architecture a = dense(id);
  a.family = "deepseek_v3";
  a.num_kv_heads = a.num_heads;
  a.mla =
      Mla{.q_lora_rank = q_rank, .kv_lora_rank = 32, .qk_nope_head_dim = 16, .qk_rope_head_dim = 8, .v_head_dim = 24};
  a.head_dim = a.mla->qk_head_dim();
  a.moe = Moe{.routed_experts = 16,
              .experts_per_token = 4,
              .shared_experts = 1,
              .intermediate_size = 32,
              .first_k_dense = 1,
              .scoring = RouterScoring::kSigmoid,
              .norm_topk_prob = true,
              .routed_scaling_factor = 2.5,
              .groups = 4,
              .groups_kept = 2,
              .correction_bias = true};
  a.rope_scaling = RopeScaling{.type = "yarn",
                               .factor = 40,
                               .original_max_position = 32,
                               .beta_fast = 32,
                               .beta_slow = 1,
                               .mscale = 1,
                               .mscale_all_dim = 1};
  return a;
}

}  // namespace

std::vector<Architecture> tiny_models() {
  std::vector<Architecture> all;
  Architecture llama = dense("llama");
  llama.rope_scaling = RopeScaling{
      .type = "llama3", .factor = 8, .original_max_position = 32, .low_freq_factor = 1, .high_freq_factor = 4};
  all.push_back(llama);

  Architecture qwen2 = dense("qwen2");
  qwen2.attention_bias = AttentionBias::kQkv;
  qwen2.tied_embeddings = true;
  all.push_back(qwen2);

  Architecture qwen3 = dense("qwen3");
  qwen3.qk_norm = true;
  qwen3.head_dim = 24;
  all.push_back(qwen3);

  Architecture window = dense("mistral");
  window.sliding_window = 20;
  window.sliding_layers = 3;
  all.push_back(window);

  Architecture mixtral = dense("mixtral");
  mixtral.intermediate_size = 0;
  mixtral.moe = Moe{.routed_experts = 8,
                    .experts_per_token = 2,
                    .intermediate_size = 48,
                    .scoring = RouterScoring::kSoftmaxOfSelected};
  all.push_back(mixtral);

  Architecture qwen3_moe = dense("qwen3-moe");
  qwen3_moe.qk_norm = true;
  qwen3_moe.intermediate_size = 0;
  qwen3_moe.moe = Moe{.routed_experts = 16, .experts_per_token = 4, .intermediate_size = 32, .norm_topk_prob = true};
  all.push_back(qwen3_moe);

  Architecture v2 = latent("deepseek-v2-lite", 0);
  v2.family = "deepseek_v2";
  v2.moe->scoring = RouterScoring::kSoftmax;
  v2.moe->norm_topk_prob = false;
  v2.moe->routed_scaling_factor = 1;
  v2.moe->groups = v2.moe->groups_kept = 1;
  v2.moe->correction_bias = false;
  v2.moe->shared_experts = 2;
  v2.rope_scaling->mscale = v2.rope_scaling->mscale_all_dim = 0.707;
  all.push_back(v2);

  Architecture v3 = latent("deepseek-v3", 48);
  v3.mtp_modules = 1;
  all.push_back(v3);
  return all;
}

Architecture tiny_model(const std::string& id) {
  for (Architecture& a : tiny_models()) {
    if (a.id == id) return a;
  }
  throw std::out_of_range(id);
}

std::vector<int> some_tokens(int count, int vocabulary, int seed) {
  std::vector<int> tokens;
  unsigned state = static_cast<unsigned>(seed) * 2654435761u + 1;
  for (int i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;  // Numerical Recipes' generator
    tokens.push_back(static_cast<int>((state >> 8) % static_cast<unsigned>(vocabulary)));
  }
  return tokens;
}

double nmse(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size() || b.empty()) return INFINITY;
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    norm += static_cast<double>(b[i]) * b[i];
  }
  return norm > 0 ? error / norm : INFINITY;
}

}  // namespace fathom::testing
