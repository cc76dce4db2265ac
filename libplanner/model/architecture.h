// The shape of a decoder-only language model, as a Hugging Face config.json gives it. Values only: tensors.h lists the
// weights that follow from it, and operators/ what a step does with them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "input/value.h"

namespace fathom {

enum class AttentionBias { kNone, kQkv, kQkvo };
enum class RouterScoring { kSoftmax, kSigmoid, kSoftmaxOfSelected };

// Multi-head latent attention (DeepSeek V2/V3, Kimi-K2): the cache holds one latent and one rotary key per token.
struct Mla {
  int q_lora_rank = 0;  // 0: queries are projected directly (V2-Lite)
  int kv_lora_rank = 0;
  int qk_nope_head_dim = 0;
  int qk_rope_head_dim = 0;
  int v_head_dim = 0;

  int qk_head_dim() const { return qk_nope_head_dim + qk_rope_head_dim; }
  int cached_values() const { return kv_lora_rank + qk_rope_head_dim; }  // per token and layer
};

struct Moe {
  int routed_experts = 0;
  int experts_per_token = 0;
  int shared_experts = 0;
  int intermediate_size = 0;  // of one expert
  int first_k_dense = 0;      // leading layers with a dense FFN
  RouterScoring scoring = RouterScoring::kSoftmax;
  bool norm_topk_prob = true;
  double routed_scaling_factor = 1;
  int groups = 1;                // group-limited routing: experts come in `groups` …
  int groups_kept = 1;           // … of which a token may use `groups_kept`
  bool correction_bias = false;  // fp32 bias per expert for the choice (noaux_tc)
  bool expert_bias = false;      // biases on expert and router linears (GPT-OSS)
};

// DeepSeek V3.2: a small attention picks the context tokens that the real one reads.
struct SparseIndexer {
  int heads = 0;
  int head_dim = 0;
  int topk = 0;
};

// YaRN and Llama-3 rope scaling, kept for the engine; the planner does not read them.
struct RopeScaling {
  std::string type;
  double factor = 1;
  double original_max_position = 0;
  double beta_fast = 0, beta_slow = 0;
  double mscale = 0, mscale_all_dim = 0;
  double low_freq_factor = 0, high_freq_factor = 0;
};

struct Architecture {
  std::string id;  // catalog id, or the folder of the config
  std::string name;
  std::string family;  // Hugging Face `model_type`: "llama", "qwen2", "deepseek_v3" …
  int hidden_size = 0;
  int num_layers = 0;
  int num_heads = 0;
  int num_kv_heads = 0;
  int head_dim = 0;
  int intermediate_size = 0;  // dense FFN; 0 when every layer is MoE
  int vocab_size = 0;
  bool tied_embeddings = false;
  AttentionBias attention_bias = AttentionBias::kNone;
  bool qk_norm = false;        // RMSNorm per head on q and k
  bool sinks = false;          // one learned logit per head (GPT-OSS)
  bool gated_ffn = true;       // gate, up, down; false: two matrices with biases (GPT-3)
  bool norm_has_bias = false;  // LayerNorm instead of RMSNorm
  int learned_positions = 0;   // rows of a learned position table (GPT-3)
  int sliding_window = 0;      // tokens; 0: none
  int sliding_layers = 0;      // how many layers have the window, evenly interleaved
  std::optional<Mla> mla;
  std::optional<Moe> moe;
  std::optional<SparseIndexer> indexer;
  int mtp_modules = 0;  // multi-token-prediction modules in the checkpoint
  double rope_theta = 0;
  double norm_epsilon = 1e-6;
  std::optional<RopeScaling> rope_scaling;
  int max_position = 0;
  std::string native_weights = "bf16";  // weight scheme of the published checkpoint

  int moe_layers() const { return moe ? num_layers - moe->first_k_dense : 0; }
  int dense_layers() const { return num_layers - moe_layers(); }
};

// Reads a Hugging Face config.json (a file, or a folder that holds one). Unknown keys are allowed there, missing or
// contradictory ones are InputErrors, and so is an architecture that this program does not know.
Architecture read_hf_config(const std::filesystem::path& path);

// Checks that the numbers make a model at all: positive sizes, heads divisible by KV heads, experts_per_token within
// routed_experts … Returns what is wrong, empty when nothing is.
std::string contradiction(const Architecture& architecture);

}  // namespace fathom
