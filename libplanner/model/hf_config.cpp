#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <map>

#include "input/reader.h"
#include "model/architecture.h"
#include "model/format.h"
#include "model/tensors.h"

namespace fathom {

namespace {

// A config.json has many keys that do not matter here, so nothing calls finish() on it.
class Config {
 public:
  explicit Config(const Document& document) : reader_(document.file, document.root, "a model configuration") {}

  int integer(const std::string& key) { return size(reader_.need(key), key); }
  int integer(const std::string& key, int fallback) {
    const Value* value = reader_.take(key);
    return value == nullptr ? fallback : size(*value, key);
  }
  double number(const std::string& key, double fallback) { return reader_.get<double>(key, fallback); }
  bool flag(const std::string& key, bool fallback) { return reader_.get<bool>(key, fallback); }
  std::string text(const std::string& key, const std::string& fallback) {
    return reader_.get<std::string>(key, fallback);
  }
  bool has(const std::string& key) { return reader_.take(key) != nullptr; }
  MapReader& reader() { return reader_; }
  // A key that would change the shapes in a way this program does not know must be absent or have its ordinary value.
  void refuse(bool unusual, const std::string& key, const std::string& what) {
    if (unusual) reader_.context(reader_.need(key)).fail(fmt::format("{} is not supported: {}", key, what));
  }

 private:
  // Sizes and counts: sums of a few of them must stay ints until `contradiction` has looked at them.
  int size(const Value& value, const std::string& key) {
    int number = 0;
    read(reader_.context(value), number);
    check_range(reader_.context(value), number, 0, 1 << 28, fmt::format("\"{}\"", key));
    return number;
  }

  MapReader reader_;
};

void read_mla(Config& config, Architecture& a) {
  Mla mla;
  mla.q_lora_rank = config.integer("q_lora_rank", 0);
  mla.kv_lora_rank = config.integer("kv_lora_rank");
  mla.qk_nope_head_dim = config.integer("qk_nope_head_dim");
  mla.qk_rope_head_dim = config.integer("qk_rope_head_dim");
  mla.v_head_dim = config.integer("v_head_dim");
  a.mla = mla;
  a.head_dim = mla.qk_head_dim();
}

void read_deepseek(Config& config, Architecture& a) {
  read_mla(config, a);
  if (!config.has("n_routed_experts")) return;
  Moe moe;
  moe.routed_experts = config.integer("n_routed_experts");
  moe.experts_per_token = config.integer("num_experts_per_tok");
  moe.shared_experts = config.integer("n_shared_experts", 0);
  moe.intermediate_size = config.integer("moe_intermediate_size");
  moe.first_k_dense = config.integer("first_k_dense_replace", 0);
  moe.groups = config.integer("n_group", 1);
  moe.groups_kept = config.integer("topk_group", 1);
  moe.norm_topk_prob = config.flag("norm_topk_prob", false);
  moe.routed_scaling_factor = config.number("routed_scaling_factor", 1);
  const bool v3 = a.family != "deepseek_v2";
  moe.scoring = config.text("scoring_func", v3 ? "sigmoid" : "softmax") == "sigmoid" ? RouterScoring::kSigmoid
                                                                                     : RouterScoring::kSoftmax;
  moe.correction_bias = config.text("topk_method", v3 ? "noaux_tc" : "greedy") == "noaux_tc";
  a.moe = moe;
  config.refuse(config.integer("moe_layer_freq", 1) != 1, "moe_layer_freq",
                "every layer after the dense ones must be MoE");
  a.mtp_modules = config.integer("num_nextn_predict_layers", 0);
  if (config.has("index_n_heads")) {
    a.indexer =
        SparseIndexer{config.integer("index_n_heads"), config.integer("index_head_dim"), config.integer("index_topk")};
  }
}

void read_mixtral(Config& config, Architecture& a) {
  a.moe = Moe{.routed_experts = config.integer("num_local_experts"),
              .experts_per_token = config.integer("num_experts_per_tok"),
              .intermediate_size = config.integer("intermediate_size"),
              .scoring = RouterScoring::kSoftmaxOfSelected};
  a.intermediate_size = 0;
}

void read_qwen3_moe(Config& config, Architecture& a) {
  config.refuse(config.integer("decoder_sparse_step", 1) != 1, "decoder_sparse_step",
                "MoE layers must follow the dense ones");
  if (const Value* dense = config.reader().take("mlp_only_layers")) {
    config.refuse(!dense->items.empty(), "mlp_only_layers", "dense layers among the MoE layers");
  }
  a.qk_norm = true;
  a.intermediate_size = 0;
  a.moe = Moe{.routed_experts = config.integer("num_experts"),
              .experts_per_token = config.integer("num_experts_per_tok"),
              .intermediate_size = config.integer("moe_intermediate_size"),
              .norm_topk_prob = config.flag("norm_topk_prob", true)};
}

void read_gpt_oss(Config& config, Architecture& a) {
  a.attention_bias = AttentionBias::kQkvo;
  a.sinks = true;
  a.sliding_window = config.integer("sliding_window", 128);
  a.sliding_layers = a.num_layers / 2;
  a.intermediate_size = 0;
  a.native_weights = "mxfp4-experts+bf16";
  a.moe = Moe{.routed_experts = config.integer("num_local_experts"),
              .experts_per_token = config.integer("num_experts_per_tok"),
              .intermediate_size = config.integer("intermediate_size"),
              .scoring = RouterScoring::kSoftmaxOfSelected,
              .expert_bias = true};
}

void read_glm4_moe(Config& config, Architecture& a) {
  a.attention_bias = config.flag("attention_bias", true) ? AttentionBias::kQkv : AttentionBias::kNone;
  a.qk_norm = config.flag("use_qk_norm", false);
  a.mtp_modules = config.integer("num_nextn_predict_layers", 0);
  a.moe = Moe{.routed_experts = config.integer("n_routed_experts"),
              .experts_per_token = config.integer("num_experts_per_tok"),
              .shared_experts = config.integer("n_shared_experts", 0),
              .intermediate_size = config.integer("moe_intermediate_size"),
              .first_k_dense = config.integer("first_k_dense_replace", 0),
              .scoring = RouterScoring::kSigmoid,
              .norm_topk_prob = config.flag("norm_topk_prob", true),
              .routed_scaling_factor = config.number("routed_scaling_factor", 1),
              .groups = config.integer("n_group", 1),
              .groups_kept = config.integer("topk_group", 1),
              .correction_bias = true};
}

// GPT-2 and GPT-3 names differ from all later ones.
void read_gpt2(Config& config, Architecture& a) {
  a.hidden_size = config.integer("n_embd");
  a.num_layers = config.integer("n_layer");
  a.num_heads = a.num_kv_heads = config.integer("n_head");
  a.head_dim = a.num_heads > 0 ? a.hidden_size / a.num_heads : 0;
  a.intermediate_size = config.integer("n_inner", 4 * a.hidden_size);
  a.max_position = a.learned_positions = config.integer("n_positions");
  a.norm_epsilon = config.number("layer_norm_epsilon", 1e-5);
  a.tied_embeddings = true;
  a.attention_bias = AttentionBias::kQkvo;
  a.gated_ffn = false;
  a.norm_has_bias = true;
}

void read_common(Config& config, Architecture& a) {
  a.hidden_size = config.integer("hidden_size");
  a.num_layers = config.integer("num_hidden_layers");
  a.num_heads = config.integer("num_attention_heads");
  a.num_kv_heads = config.integer("num_key_value_heads", a.num_heads);
  a.head_dim = config.integer("head_dim", a.num_heads > 0 ? a.hidden_size / a.num_heads : 0);
  a.intermediate_size = config.integer("intermediate_size", 0);
  a.tied_embeddings = config.flag("tie_word_embeddings", false);
  a.max_position = config.integer("max_position_embeddings", 0);
  a.norm_epsilon = config.number("rms_norm_eps", 1e-6);
  a.rope_theta = config.number("rope_theta", 10000);
}

void read_rope_scaling(Config& config, Architecture& a) {
  const Value* value = config.reader().take("rope_scaling");
  if (value == nullptr || value->kind != Value::Kind::kMapping) return;
  MapReader rope(config.reader().file(), *value, "rope_scaling");
  RopeScaling s;
  s.type = rope.get<std::string>("rope_type", rope.get<std::string>("type", ""));
  s.factor = rope.get<double>("factor", 1);
  s.original_max_position = rope.get<double>("original_max_position_embeddings", 0);
  s.beta_fast = rope.get<double>("beta_fast", 0);
  s.beta_slow = rope.get<double>("beta_slow", 0);
  s.mscale = rope.get<double>("mscale", 0);
  s.mscale_all_dim = rope.get<double>("mscale_all_dim", 0);
  s.low_freq_factor = rope.get<double>("low_freq_factor", 0);
  s.high_freq_factor = rope.get<double>("high_freq_factor", 0);
  a.rope_scaling = s;
}

void read_quantization(Config& config, Architecture& a) {
  const Value* value = config.reader().take("quantization_config");
  if (value == nullptr || value->kind != Value::Kind::kMapping) return;
  MapReader quantization(config.reader().file(), *value, "quantization_config");
  const std::string method = quantization.get<std::string>("quant_method", "");
  if (method == "fp8") a.native_weights = "fp8";
  if (method == "mxfp4") a.native_weights = "mxfp4-experts+bf16";
  if (method == "awq" || method == "gptq") a.native_weights = "int4";
}

const std::map<std::string, std::function<void(Config&, Architecture&)>>& families() {
  static const std::map<std::string, std::function<void(Config&, Architecture&)>> table = {
      {"llama",
       [](Config& c, Architecture& a) {
         a.attention_bias = c.flag("attention_bias", false) ? AttentionBias::kQkvo : AttentionBias::kNone;
         c.refuse(c.flag("mlp_bias", false), "mlp_bias", "biases in the FFN");
       }},
      {"mistral",
       [](Config& c, Architecture& a) {  // the first release: the same window on every layer
         a.sliding_window = c.integer("sliding_window", 0);
         a.sliding_layers = a.sliding_window > 0 ? a.num_layers : 0;
       }},
      {"qwen2",
       [](Config& c, Architecture& a) {
         a.attention_bias = AttentionBias::kQkv;
         c.refuse(c.flag("use_sliding_window", false), "use_sliding_window", "a window on some layers only");
       }},
      {"qwen3",
       [](Config& c, Architecture& a) {
         a.qk_norm = true;
         c.refuse(c.flag("use_sliding_window", false), "use_sliding_window", "a window on some layers only");
         c.refuse(c.flag("attention_bias", false), "attention_bias", "biases beside the norms of queries and keys");
       }},
      {"qwen3_moe", read_qwen3_moe},
      {"mixtral", read_mixtral},
      {"gpt_oss", read_gpt_oss},
      {"deepseek_v2", read_deepseek},
      {"deepseek_v3", read_deepseek},
      {"deepseek_v32", read_deepseek},
      {"kimi_k2", read_deepseek},
      {"glm4_moe", read_glm4_moe},
      {"gpt2", read_gpt2},
  };
  return table;
}

}  // namespace

Architecture read_hf_config(const std::filesystem::path& path) {
  const bool folder = std::filesystem::is_directory(path);
  const Document document = read_yaml(folder ? path / "config.json" : path);
  Config config(document);
  Architecture a;
  a.family = config.reader().required<std::string>("model_type");
  const auto family = families().find(a.family);
  if (family == families().end()) {
    std::vector<std::string> known;
    for (const auto& [name, reader] : families()) known.push_back(name);
    const std::string close = did_you_mean(a.family, known);
    config.reader()
        .context(config.reader().need("model_type"))
        .fail(fmt::format("model_type \"{}\" is not known", a.family),
              close.empty() ? fmt::format("known: {}", fmt::join(known, ", "))
                            : fmt::format("did you mean \"{}\"?", close));
  }
  a.vocab_size = config.integer("vocab_size");
  if (a.family != "gpt2") read_common(config, a);
  family->second(config, a);
  read_rope_scaling(config, a);
  read_quantization(config, a);
  a.id = a.name = (folder ? path / "config.json" : path).parent_path().filename().string();
  if (a.name.empty()) a.id = a.name = a.family;
  if (const std::string wrong = contradiction(a); !wrong.empty()) config.reader().fail(wrong);
  return a;
}

namespace {

constexpr int kWidest = 1 << 24;  // far above any model, far below overflow of a product of two
constexpr double kMostParameters = 1e15;

std::string mla_contradiction(const Architecture& a) {
  const Mla& m = *a.mla;
  if (m.q_lora_rank < 0 || m.kv_lora_rank < 1 || m.qk_nope_head_dim < 1 || m.qk_rope_head_dim < 1 || m.v_head_dim < 1) {
    return "the latent attention has a size that is not positive";
  }
  const std::int64_t per_head = std::int64_t{m.cached_values()} + m.qk_nope_head_dim + m.v_head_dim;
  if (m.q_lora_rank > kWidest || per_head * a.num_heads > kWidest) return "the latent attention is too wide";
  return {};
}

// Counted in doubles: this guards the integers.
std::string too_many_parameters(const Architecture& a) {
  double sum = 0;
  for (const Tensor& t : tensors(a)) sum += static_cast<double>(t.rows) * t.cols * t.experts * layers_with(a, t.where);
  return sum <= kMostParameters ? std::string() : fmt::format("these sizes make {:.3g} parameters", sum);
}

std::string moe_contradiction(const Architecture& a) {
  const Moe& m = *a.moe;
  if (m.routed_experts < 1 || m.routed_experts > 100000 || m.intermediate_size < 1 || m.intermediate_size > kWidest) {
    return "the number or width of experts is out of range";
  }
  if (m.experts_per_token < 1 || m.experts_per_token > m.routed_experts) {
    return fmt::format("{} experts per token of {}", m.experts_per_token, m.routed_experts);
  }
  if (m.first_k_dense < 0 || m.first_k_dense > a.num_layers) return "more dense layers than layers";
  if (m.shared_experts < 0) return "a negative number of shared experts";
  if (std::int64_t{m.shared_experts} * m.intermediate_size > kWidest) return "the shared experts are too wide";
  if (m.groups < 1 || m.groups_kept < 1 || m.groups_kept > m.groups || m.routed_experts % m.groups != 0) {
    return fmt::format("{} of {} expert groups over {} experts", m.groups_kept, m.groups, m.routed_experts);
  }
  if (m.experts_per_token > m.routed_experts / m.groups * m.groups_kept)
    return "a token needs more experts than its groups hold";
  return {};
}

}  // namespace

std::string contradiction(const Architecture& a) {
  for (const auto& [name, value] : std::map<std::string, int>{{"hidden_size", a.hidden_size},
                                                              {"num_layers", a.num_layers},
                                                              {"num_heads", a.num_heads},
                                                              {"num_kv_heads", a.num_kv_heads},
                                                              {"vocab_size", a.vocab_size}}) {
    if (value < 1 || value > kWidest) return fmt::format("{} is {}: expected 1 to {}", name, value, kWidest);
  }
  if (a.num_layers > 10000) return fmt::format("{} layers: expected 1 to 10000", a.num_layers);
  if (a.intermediate_size < 0 || a.intermediate_size > kWidest)
    return fmt::format("intermediate_size is {}", a.intermediate_size);
  if (a.dense_layers() > 0 && a.intermediate_size < 1) return "dense layers without an intermediate_size";
  if (a.mla) {
    if (std::string wrong = mla_contradiction(a); !wrong.empty()) return wrong;
  } else {
    if (a.head_dim < 1 || a.head_dim > kWidest / a.num_heads)
      return fmt::format("{} heads of {}", a.num_heads, a.head_dim);
    if (a.num_heads % a.num_kv_heads != 0)
      return fmt::format("{} heads do not divide by {} KV heads", a.num_heads, a.num_kv_heads);
  }
  if (a.indexer &&
      (!a.mla || a.mla->q_lora_rank < 1 || a.indexer->heads < 1 || a.indexer->head_dim < 1 || a.indexer->topk < 1)) {
    return "the sparse indexer needs latent queries and positive sizes";
  }
  if (a.indexer && a.indexer->head_dim > kWidest / a.indexer->heads) return "the sparse indexer is too wide";
  if (a.mtp_modules < 0 || a.mtp_modules > 16) return fmt::format("{} MTP modules", a.mtp_modules);
  if (a.sliding_window < 0 || a.sliding_layers < 0 || a.sliding_layers > a.num_layers)
    return "the sliding window does not make sense";
  if (!find_weight_scheme(a.native_weights)) return fmt::format("weight scheme \"{}\" is not known", a.native_weights);
  if (std::string wrong = a.moe ? moe_contradiction(a) : std::string(); !wrong.empty()) return wrong;
  return too_many_parameters(a);
}

}  // namespace fathom
