#include "model/tensors.h"

#include <algorithm>
#include <cmath>

namespace fathom {

namespace {

// Collects tensors of one place in the model; `prefix` is the name up to the layer.
class TensorList {
 public:
  explicit TensorList(std::vector<Tensor>& list) : list_(list) {}

  void place(Where where, std::string prefix) {
    where_ = where;
    prefix_ = std::move(prefix);
  }
  Tensor& matrix(const std::string& name, const std::string& op, std::int64_t rows, std::int64_t cols, Role role,
                 Split split) {
    list_.push_back({.name = prefix_ + name + ".weight",
                     .op = op,
                     .rows = rows,
                     .cols = cols,
                     .role = role,
                     .split = split,
                     .where = where_});
    return list_.back();
  }
  Tensor& vector(const std::string& name, const std::string& op, std::int64_t size, Role role,
                 Split split = Split::kReplicated) {
    list_.push_back({.name = prefix_ + name,
                     .op = op,
                     .rows = size,
                     .cols = 1,
                     .role = role,
                     .split = split,
                     .where = where_,
                     .vector = true});
    return list_.back();
  }
  void norm(const std::string& name, const std::string& op, std::int64_t size, bool with_bias) {
    vector(name + ".weight", op, size, Role::kNorm);
    if (with_bias) vector(name + ".bias", op, size, Role::kNorm);
  }

 private:
  std::vector<Tensor>& list_;
  Where where_ = Where::kOnce;
  std::string prefix_;
};

void add_gqa_attention(TensorList& list, const Architecture& a) {
  const std::int64_t d = a.hidden_size, q = std::int64_t{a.num_heads} * a.head_dim,
                     kv = std::int64_t{a.num_kv_heads} * a.head_dim;
  const bool qkv_bias = a.attention_bias != AttentionBias::kNone;
  list.matrix("self_attn.q_proj", "attention.qkv", q, d, Role::kAttention, Split::kQueryHeads);
  list.matrix("self_attn.k_proj", "attention.qkv", kv, d, Role::kAttention, Split::kKvHeads);
  list.matrix("self_attn.v_proj", "attention.qkv", kv, d, Role::kAttention, Split::kKvHeads);
  if (qkv_bias) {
    list.vector("self_attn.q_proj.bias", "attention.qkv", q, Role::kAttention, Split::kQueryHeads);
    list.vector("self_attn.k_proj.bias", "attention.qkv", kv, Role::kAttention, Split::kKvHeads);
    list.vector("self_attn.v_proj.bias", "attention.qkv", kv, Role::kAttention, Split::kKvHeads);
  }
  if (a.qk_norm) {
    list.vector("self_attn.q_norm.weight", "attention.rope", a.head_dim, Role::kNorm);
    list.vector("self_attn.k_norm.weight", "attention.rope", a.head_dim, Role::kNorm);
  }
  if (a.sinks) list.vector("self_attn.sinks", "attention.core", a.num_heads, Role::kAttention, Split::kQueryHeads);
  list.matrix("self_attn.o_proj", "attention.out", d, q, Role::kAttention, Split::kHeadInputs);
  if (a.attention_bias == AttentionBias::kQkvo)
    list.vector("self_attn.o_proj.bias", "attention.out", d, Role::kAttention);
}

void add_mla_attention(TensorList& list, const Architecture& a) {
  const Mla& m = *a.mla;
  const std::int64_t d = a.hidden_size, heads = a.num_heads;
  if (m.q_lora_rank > 0) {
    list.matrix("self_attn.q_a_proj", "attention.latent", m.q_lora_rank, d, Role::kLatent, Split::kReplicated);
    list.vector("self_attn.q_a_layernorm.weight", "attention.latent_norm", m.q_lora_rank, Role::kNorm);
    list.matrix("self_attn.q_b_proj", "attention.q", heads * m.qk_head_dim(), m.q_lora_rank, Role::kAttention,
                Split::kQueryHeads);
  } else {
    list.matrix("self_attn.q_proj", "attention.q", heads * m.qk_head_dim(), d, Role::kAttention, Split::kQueryHeads);
  }
  list.matrix("self_attn.kv_a_proj_with_mqa", "attention.latent", m.cached_values(), d, Role::kLatent,
              Split::kReplicated);
  list.vector("self_attn.kv_a_layernorm.weight", "attention.latent_norm", m.kv_lora_rank, Role::kNorm);
  list.matrix("self_attn.kv_b_proj", "attention.kv_b", heads * (m.qk_nope_head_dim + m.v_head_dim), m.kv_lora_rank,
              Role::kAttention, Split::kQueryHeads);
  list.matrix("self_attn.o_proj", "attention.out", d, heads * m.v_head_dim, Role::kAttention, Split::kHeadInputs);
  if (a.indexer) {
    const SparseIndexer& i = *a.indexer;
    list.matrix("self_attn.indexer.wq_b", "attention.indexer", std::int64_t{i.heads} * i.head_dim, m.q_lora_rank,
                Role::kIndexer, Split::kReplicated);
    list.matrix("self_attn.indexer.wk", "attention.indexer", i.head_dim, d, Role::kIndexer, Split::kReplicated);
    list.norm("self_attn.indexer.k_norm", "attention.indexer", i.head_dim, /*with_bias=*/true);
    list.matrix("self_attn.indexer.weights_proj", "attention.indexer", i.heads, d, Role::kIndexer, Split::kReplicated);
  }
}

void add_attention(TensorList& list, const Architecture& a) {
  list.norm("input_layernorm", "attention.norm", a.hidden_size, a.norm_has_bias);
  a.mla ? add_mla_attention(list, a) : add_gqa_attention(list, a);
  list.norm("post_attention_layernorm", "ffn.norm", a.hidden_size, a.norm_has_bias);
}

struct FfnNames {
  std::string gate = "gate_proj", up = "up_proj", down = "down_proj";
};

// Gate and up are read by one operator, down by the next.
void add_ffn(TensorList& list, const Architecture& a, const std::string& name, const std::string& op,
             std::int64_t width, Role role, int experts, const FfnNames& names = {}) {
  const bool biases = !a.gated_ffn || (role == Role::kRoutedExpert && a.moe->expert_bias);
  const auto first = [&](const std::string& part) {
    list.matrix(name + part, op + ".gate_up", width, a.hidden_size, role, Split::kRows).experts = experts;
    if (biases) list.vector(name + part + ".bias", op + ".gate_up", width, role, Split::kRows).experts = experts;
  };
  if (a.gated_ffn) first(names.gate);
  first(names.up);
  list.matrix(name + names.down, op + ".down", a.hidden_size, width, role, Split::kColumns).experts = experts;
  if (biases) list.vector(name + names.down + ".bias", op + ".down", a.hidden_size, role).experts = experts;
}

void add_moe(TensorList& list, const Architecture& a) {
  const Moe& m = *a.moe;
  const bool mixtral = a.family == "mixtral";  // has names of its own
  const std::string block = mixtral ? "block_sparse_moe." : "mlp.";
  list.matrix(block + "gate", "moe.router", m.routed_experts, a.hidden_size, Role::kRouter, Split::kReplicated);
  if (m.correction_bias)
    list.vector(block + "gate.e_score_correction_bias", "moe.router", m.routed_experts, Role::kRouterBias);
  if (m.expert_bias) list.vector(block + "gate.bias", "moe.router", m.routed_experts, Role::kRouter);
  add_ffn(list, a, block + "experts.{e}.", "moe.experts", m.intermediate_size, Role::kRoutedExpert, m.routed_experts,
          mixtral ? FfnNames{.gate = "w1", .up = "w3", .down = "w2"} : FfnNames{});
  if (m.shared_experts > 0) {
    add_ffn(list, a, "mlp.shared_experts.", "moe.shared", std::int64_t{m.shared_experts} * m.intermediate_size,
            Role::kSharedExpert, 1);
  }
}

// One module: norms of the two inputs, the projection that joins them, then a whole MoE block (DeepSeek-V3 report, 2.2).
void add_mtp(TensorList& list, const Architecture& a) {
  list.norm("enorm", "mtp.norm", a.hidden_size, false);
  list.norm("hnorm", "mtp.norm", a.hidden_size, false);
  list.matrix("eh_proj", "mtp.project", a.hidden_size, 2 * std::int64_t{a.hidden_size}, Role::kMtpProjection,
              Split::kReplicated);
  list.norm("shared_head.norm", "mtp.head.norm", a.hidden_size, false);
  add_attention(list, a);
  a.moe ? add_moe(list, a) : add_ffn(list, a, "mlp.", "ffn", a.intermediate_size, Role::kDenseFfn, 1);
  list.matrix("embed_tokens", "mtp.embed", a.vocab_size, a.hidden_size, Role::kEmbedding, Split::kVocab).duplicate =
      true;
  list.matrix("shared_head.head", "mtp.head", a.vocab_size, a.hidden_size, Role::kHead, Split::kVocab).duplicate = true;
}

}  // namespace

std::vector<Tensor> tensors(const Architecture& a) {
  std::vector<Tensor> all;
  TensorList list(all);
  list.place(Where::kOnce, "model.");
  list.matrix("embed_tokens", "embed", a.vocab_size, a.hidden_size, Role::kEmbedding, Split::kVocab);
  if (a.learned_positions > 0) {
    list.matrix("embed_positions", "embed.positions", a.learned_positions, a.hidden_size, Role::kEmbedding,
                Split::kReplicated);
  }
  list.place(Where::kEveryLayer, "model.layers.{l}.");
  add_attention(list, a);
  if (a.dense_layers() > 0) {
    list.place(Where::kDenseLayers, "model.layers.{l}.");
    add_ffn(list, a, "mlp.", "ffn", a.intermediate_size, Role::kDenseFfn, 1);
  }
  if (a.moe) {
    list.place(Where::kMoeLayers, "model.layers.{l}.");
    add_moe(list, a);
  }
  list.place(Where::kOnce, "model.");
  list.norm("norm", "head.norm", a.hidden_size, a.norm_has_bias);
  list.place(Where::kOnce, "");
  if (!a.tied_embeddings) list.matrix("lm_head", "head", a.vocab_size, a.hidden_size, Role::kHead, Split::kVocab);
  if (a.mtp_modules > 0) {
    list.place(Where::kMtp, "model.layers.{l}.");
    add_mtp(list, a);
  }
  return all;
}

int layers_with(const Architecture& a, Where where) {
  switch (where) {
    case Where::kOnce:
      return 1;
    case Where::kEveryLayer:
      return a.num_layers;
    case Where::kDenseLayers:
      return a.dense_layers();
    case Where::kMoeLayers:
      return a.moe_layers();
    case Where::kMtp:
      return a.mtp_modules;
  }
  return 0;
}

Format format_of(const Tensor& tensor, const WeightScheme& scheme) {
  if (tensor.role == Role::kRouterBias) return Format::kFp32;
  if (tensor.vector) return Format::kBf16;
  switch (tensor.role) {
    case Role::kEmbedding:
    case Role::kHead:
      return scheme.embeddings;
    case Role::kRouter:
      return scheme.router;
    case Role::kRoutedExpert:
      return scheme.experts;
    case Role::kMtpProjection:
      return Format::kBf16;  // not converted in the published fp8 checkpoint
    case Role::kNorm:
    case Role::kRouterBias:
      return Format::kBf16;
    case Role::kAttention:
    case Role::kLatent:
    case Role::kIndexer:
      return scheme.attention.value_or(scheme.linears);
    case Role::kDenseFfn:
    case Role::kSharedExpert:
      return scheme.linears;
  }
  return Format::kBf16;
}

Bytes stored_bytes(const Tensor& tensor, const WeightScheme& scheme) {
  return bytes(format_of(tensor, scheme), tensor.rows, tensor.cols);
}

ParameterCounts count_parameters(const Architecture& a) {
  ParameterCounts counts;
  std::int64_t input_embedding = 0;
  for (const Tensor& t : tensors(a)) {
    const std::int64_t n = t.rows * t.cols * t.experts * layers_with(a, t.where);
    if (t.where == Where::kMtp) {
      if (!t.duplicate) counts.mtp += n;
      continue;
    }
    counts.total += n;
    if (t.role == Role::kRoutedExpert) counts.routed_experts += n;
    if (t.op == "embed" && t.split == Split::kVocab && !a.tied_embeddings) input_embedding += n;
  }
  counts.active = counts.total;
  if (a.moe)
    counts.active -= counts.routed_experts / a.moe->routed_experts * (a.moe->routed_experts - a.moe->experts_per_token);
  counts.active_without_input_embedding = counts.active - input_embedding;
  return counts;
}

Bytes checkpoint_bytes(const Architecture& a, const WeightScheme& scheme, bool with_mtp) {
  Bytes total;
  for (const Tensor& t : tensors(a)) {
    if (t.where == Where::kMtp && !with_mtp) continue;
    total += stored_bytes(t, scheme) * t.experts * layers_with(a, t.where);
  }
  return total;
}

KvShape kv_shape(const Architecture& a, KvFormat format) {
  const double width = format == KvFormat::kBf16 ? 2 : 1;
  KvShape shape;
  shape.window = a.sliding_window;
  shape.window_layers = a.sliding_window > 0 ? a.sliding_layers : 0;
  shape.full_layers = a.num_layers - shape.window_layers;
  if (a.mla) {
    shape.splits_by_head = false;
    // fp8 latent as FlashMLA stores it: the latent in e4m3 with an fp32 scale per 128, the rotary key in bf16
    // (656 B at rank 512; deepseek-ai/FlashMLA README).
    shape.per_token_full =
        format == KvFormat::kBf16
            ? Bytes(2.0 * a.mla->cached_values())
            : Bytes(a.mla->kv_lora_rank + 4.0 * std::ceil(a.mla->kv_lora_rank / 128.0) + 2.0 * a.mla->qk_rope_head_dim);
  } else {
    shape.per_token_full = Bytes(2.0 * a.num_kv_heads * a.head_dim * width);
    shape.per_token_window = shape.per_token_full;
  }
  // One fp8 key and its fp32 scale per context token (DeepSeek-V3.2-Exp inference code).
  if (a.indexer) shape.index_per_token = Bytes(a.indexer->head_dim + 4.0);
  return shape;
}

Bytes kv_bytes_per_token(const Architecture& a, KvFormat format) {
  const KvShape shape = kv_shape(a, format);
  return shape.per_token_full * shape.full_layers + shape.per_token_window * shape.window_layers;
}

std::string to_string(Role role) {
  switch (role) {
    case Role::kEmbedding:
      return "input embedding";
    case Role::kHead:
      return "output head";
    case Role::kNorm:
      return "norms";
    case Role::kAttention:
      return "attention";
    case Role::kLatent:
      return "latent projections";
    case Role::kIndexer:
      return "sparse indexer";
    case Role::kDenseFfn:
      return "dense FFN";
    case Role::kRouter:
    case Role::kRouterBias:
      return "router";
    case Role::kRoutedExpert:
      return "routed experts";
    case Role::kSharedExpert:
      return "shared experts";
    case Role::kMtpProjection:
      return "MTP projection";
  }
  return "?";
}

}  // namespace fathom
