#include <algorithm>
#include <cmath>

#include "operators/operator.h"

namespace fathom {

namespace {

class StepBuilder {
 public:
  StepBuilder(const StageProgram& program, const Batch& batch)
      : program_(program), a_(program.architecture()), l_(program.layout()), stage_(program.stage()), batch_(batch) {
    ops_.reserve(48);
    drafts_ = l_.mtp ? a_.mtp_modules : 0;
    // Each attention group has its own share of the sequences.
    // With fewer sequences than groups the busiest group still has a whole one.
    sequences_ = std::max(batch.sequences / l_.attention_dp, std::min(1.0, batch.sequences));
    new_tokens_ = batch.prefill_tokens / l_.attention_dp;
    prompts_ = new_tokens_ > 0 ? std::max(batch.prefill_prompts / l_.attention_dp, 1e-9) : 0;
    tokens_ = sequences_ * (1 + drafts_) + new_tokens_;
    stage_tokens_ = batch.sequences * (1 + drafts_) + batch.prefill_tokens;
  }

  std::vector<Operator> build() {
    stage_.has_embedding ? embed() : receive();
    attention(stage_.layers, Where::kEveryLayer);
    if (stage_.dense_layers > 0) dense_ffn(stage_.dense_layers, Where::kDenseLayers);
    if (stage_.moe_layers > 0) moe(stage_.moe_layers, Where::kMoeLayers);
    if (stage_.has_head) {
      head();
      if (drafts_ > 0) draft();
    } else {
      Operator& op = add("stage.send", OperatorKind::kSendRecv, 1);
      collective(op, Axis::kPipeline, 2, tokens_ * a_.hidden_size * 2 / l_.tp);  // each rank sends its slice
    }
    return std::move(ops_);
  }

 private:
  Operator& add(std::string_view name, OperatorKind kind, double count) {
    ops_.push_back({.name = name, .kind = kind, .count = count, .draft = in_draft_, .tokens = tokens_});
    return ops_.back();
  }

  const LocalWeights& local(std::string_view op, Where where) const { return program_.local(op, where); }

  Operator& linear(std::string_view name, std::string_view tensor_op, Where where, double count, double tokens) {
    const LocalWeights& w = local(tensor_op, where);
    Operator& op = add(name, OperatorKind::kLinear, count);
    op.tokens = tokens;
    op.width_in = w.cols;
    op.width_out = w.rows;
    op.weight_elements = w.elements;
    op.weight_bytes = w.bytes;
    op.weights = op.math = w.format;
    return op;
  }

  void elementwise(std::string_view name, OperatorKind kind, double count, double tokens, double in, double out,
                   Bytes weights = {}) {
    Operator& op = add(name, kind, count);
    op.tokens = tokens;
    op.width_in = in;
    op.width_out = out;
    op.weight_bytes = weights;
  }

  static void collective(Operator& op, Axis axis, int ranks, double payload_bytes) {
    op.axis = axis;
    op.ranks = ranks;
    op.payload = Bytes(payload_bytes);
  }

  void all_reduce(std::string_view name, double count, double tokens) {
    if (l_.tp <= 1) return;
    collective(add(name, OperatorKind::kAllReduce, count), Axis::kTp, l_.tp, tokens * a_.hidden_size * 2);
  }

  void norm(std::string_view name, Where where, double count, double tokens, double width) {
    // Reads the residual and the block's output, writes the residual and the normalised copy.
    elementwise(name, OperatorKind::kNorm, count, tokens, 2 * width, 2 * width, local(name, where).bytes);
  }

  // The previous stage sent each rank its slice of the activations.
  void receive() {
    if (l_.tp > 1)
      collective(add("stage.all_gather", OperatorKind::kAllGather, 1), Axis::kTp, l_.tp,
                 tokens_ * a_.hidden_size * 2 / l_.tp);
  }

  void embed() {
    const LocalWeights& w = local("embed", Where::kOnce);
    Operator& op = add("embed", OperatorKind::kEmbed, 1);
    op.width_out = a_.hidden_size;
    op.weights = w.format;
    // Only the rows looked up, each on the rank that holds it.
    op.weight_bytes = Bytes(tokens_ * a_.hidden_size * bits_per_weight(w.format) / 8 / l_.tp);
    all_reduce("embed.all_reduce", 1, tokens_);
  }

  void attention(double layers, Where where) {
    norm("attention.norm", where, layers, tokens_, a_.hidden_size);
    a_.mla ? mla(layers, where) : gqa(layers, where);
    linear("attention.out", "attention.out", where, layers, tokens_);
    all_reduce("attention.all_reduce", layers, tokens_);
    norm("ffn.norm", where, layers, tokens_, a_.hidden_size);
  }

  double local_heads() const { return static_cast<double>(a_.num_heads) / l_.tp; }

  // Query-key pairs of the prompt tokens of this step: each sees what is cached and the prompt before it.
  double prefill_pairs(double seen_limit) const {
    if (new_tokens_ <= 0) return 0;
    const double per_prompt = new_tokens_ / prompts_;
    const double mean_seen = batch_.prefill_context + (per_prompt + 1) / 2;
    return new_tokens_ * std::min(mean_seen, seen_limit);
  }

  void gqa(double layers, Where where) {
    linear("attention.qkv", "attention.qkv", where, layers, tokens_);
    const KvShape kv = kv_shape(a_, l_.kv);
    const double kv_heads = static_cast<double>(a_.num_kv_heads) / std::min(l_.tp, a_.num_kv_heads);
    const Bytes kv_token = kv.per_token_full * (kv_heads / a_.num_kv_heads);
    Operator& rope = add("attention.rope", OperatorKind::kRope, layers);
    rope.width_in = rope.width_out = (local_heads() + kv_heads) * a_.head_dim;
    rope.kv_bytes = kv_token * tokens_;
    rope.weight_bytes = local("attention.rope", where).bytes;
    const double window_layers = in_draft_ ? 0 : stage_.window_layers;
    const Bytes extra = local("attention.core", where).bytes;  // attention sinks
    if (layers - window_layers > 0) core("attention.core", layers - window_layers, 1e18, kv_token, extra);
    if (window_layers > 0) core("attention.core_window", window_layers, kv.window, kv_token, extra);
  }

  void core(std::string_view name, double layers, double window, Bytes kv_token, Bytes extra_weights) {
    const double seen = std::min(batch_.context, window);
    Operator& op = add(name, OperatorKind::kAttention, layers);
    op.heads = local_heads();
    op.pair_flops = 4.0 * a_.head_dim;  // q.k and p.v, multiply and add
    op.pairs = sequences_ * (1 + drafts_) * seen + prefill_pairs(window);
    op.kv_bytes = kv_token * (sequences_ * seen + prompts_ * std::min(batch_.prefill_context, window) + new_tokens_);
    op.weight_bytes = extra_weights;
    op.width_in = op.width_out = op.heads * a_.head_dim;
  }

  // Decode multiplies in the latent space (absorbed), prefill expands keys and values once per prompt token; a mixed step
  // does both. W_UK and W_UV are the two halves of kv_b and are read in either form.
  void mla(double layers, Where where) {
    const Mla& m = *a_.mla;
    linear("attention.latent", "attention.latent", where, layers, tokens_);
    norm("attention.latent_norm", where, layers, tokens_, (m.q_lora_rank + m.kv_lora_rank) / 2.0);
    linear("attention.q", "attention.q", where, layers, tokens_);
    const KvShape kv = kv_shape(a_, l_.kv);
    Operator& rope = add("attention.rope", OperatorKind::kRope, layers);
    rope.width_in = rope.width_out = local_heads() * m.qk_rope_head_dim + m.cached_values();
    rope.kv_bytes = (kv.per_token_full + kv.index_per_token) * tokens_;
    const double read_limit = a_.indexer ? a_.indexer->topk : 1e18;
    if (a_.indexer) indexer(layers, where, kv.index_per_token);
    if (sequences_ > 0) mla_decode(layers, where, kv.per_token_full, read_limit);
    if (new_tokens_ > 0) mla_prefill(layers, where, kv.per_token_full, read_limit);
  }

  void mla_decode(double layers, Where where, Bytes kv_token, double read_limit) {
    const Mla& m = *a_.mla;
    const double rows = sequences_ * (1 + drafts_), seen = std::min(batch_.context, read_limit);
    const LocalWeights& kv_b = local("attention.kv_b", where);
    const auto half = [&](std::string_view name, int dim) {
      const double part = static_cast<double>(dim) / (m.qk_nope_head_dim + m.v_head_dim);
      Operator& op = linear(name, "attention.kv_b", where, layers, rows);
      op.weight_elements *= part;
      op.weight_bytes = kv_b.bytes * part;
      op.width_in = op.width_out = local_heads() * (dim + m.kv_lora_rank) / 2;
      op.math = Format::kBf16;  // batched small products per head run in bf16 in every engine we know
    };
    half("attention.q_absorb", m.qk_nope_head_dim);
    Operator& op = add("attention.core", OperatorKind::kMlaAttention, layers);
    op.tokens = rows;
    op.heads = local_heads();
    op.pair_flops = 2.0 * (m.cached_values() + m.kv_lora_rank);
    op.pairs = rows * seen;
    op.kv_bytes = kv_token * (sequences_ * seen);
    op.width_in = op.heads * m.cached_values();
    op.width_out = op.heads * m.kv_lora_rank;
    half("attention.v_up", m.v_head_dim);
  }

  void mla_prefill(double layers, Where where, Bytes kv_token, double read_limit) {
    const Mla& m = *a_.mla;
    const double cached = prompts_ * batch_.prefill_context;
    linear("attention.kv_b", "attention.kv_b", where, layers, new_tokens_ + cached);
    if (sequences_ > 0) ops_.back().weight_bytes = Bytes(0);  // already read by the absorbed halves
    Operator& op = add("attention.core_prefill", OperatorKind::kMlaAttention, layers);
    op.tokens = new_tokens_;
    op.heads = local_heads();
    op.pair_flops = 2.0 * (m.qk_head_dim() + m.v_head_dim);
    op.pairs = prefill_pairs(read_limit);
    op.kv_bytes = kv_token * (cached + new_tokens_);
    op.width_in = op.heads * m.qk_head_dim();
    op.width_out = op.heads * m.v_head_dim;
  }

  void indexer(double layers, Where where, Bytes key_bytes) {
    const LocalWeights& w = local("attention.indexer", where);
    Operator& op = add("attention.indexer", OperatorKind::kIndexer, layers);
    op.width_in = op.width_out = a_.hidden_size;
    op.weight_elements = w.elements;
    op.weight_bytes = w.bytes;
    op.weights = w.format;
    op.heads = a_.indexer->heads;
    op.pair_flops = 2.0 * a_.indexer->head_dim;
    op.pairs = sequences_ * (1 + drafts_) * batch_.context + prefill_pairs(1e18);
    op.kv_bytes = key_bytes * (sequences_ * batch_.context + prompts_ * batch_.prefill_context + new_tokens_);
  }

  void ffn(std::string_view gate_up, std::string_view act, std::string_view down, Where where, double layers) {
    Operator& first = linear(gate_up, gate_up, where, layers, tokens_);
    const double width = first.width_out;
    elementwise(act, OperatorKind::kActivation, layers, tokens_, width, a_.gated_ffn ? width / 2 : width);
    linear(down, down, where, layers, tokens_);
  }

  void dense_ffn(double layers, Where where) {
    ffn("ffn.gate_up", "ffn.activation", "ffn.down", where, layers);
    all_reduce("ffn.all_reduce", layers, tokens_);
  }

  void grouped(std::string_view name, Where where, double layers, double routed, double touched, double imbalance) {
    const LocalWeights& w = local(name, where);
    Operator& op = add(name, OperatorKind::kGroupedLinear, layers);
    op.tokens = routed;
    op.width_in = w.cols;
    op.width_out = w.rows;
    op.weight_elements = w.elements;
    op.weight_bytes = w.bytes * touched;
    op.held_bytes = w.bytes * w.experts;
    op.weights = op.math = w.format;
    op.imbalance = imbalance;
    op.on_host = l_.offload_experts;
  }

  // Tokens are known to every rank of the stage (attention-DP 1): each runs its own experts and the all-reduce joins the
  // sums. With attention-DP, tokens travel to their experts and back.
  void moe(double layers, Where where) {
    const Moe& m = *a_.moe;
    const double everywhere = stage_tokens_;
    const double routed = everywhere * m.experts_per_token / l_.ep;
    const double held = static_cast<double>(m.routed_experts) / l_.ep;
    const double touched = distinct_experts(m, held, everywhere);
    const double imbalance = expert_imbalance(m, l_.ep, everywhere);
    const bool exchange = l_.attention_dp > 1;

    Operator& router = linear("moe.router", "moe.router", where, layers, tokens_);
    router.kind = OperatorKind::kRouter;
    const double sent = tokens_ / l_.tp;                        // ranks of a group share the sending
    if (exchange) all_to_all("moe.dispatch", layers, sent, 1);  // fp8 payload (DeepEP)
    grouped("moe.experts.gate_up", where, layers, routed, touched, imbalance);
    const double width = 2.0 * m.intermediate_size / l_.expert_tp();
    elementwise("moe.experts.activation", OperatorKind::kActivation, layers, routed, width, width / 2);
    ops_.back().on_host = l_.offload_experts;
    grouped("moe.experts.down", where, layers, routed, touched, imbalance);
    if (exchange) all_to_all("moe.combine_exchange", layers, sent, 2);
    if (m.shared_experts > 0) ffn("moe.shared.gate_up", "moe.shared.activation", "moe.shared.down", where, layers);
    elementwise("moe.combine", OperatorKind::kCombine, layers, tokens_, a_.hidden_size * 2.0, a_.hidden_size);
    all_reduce("moe.all_reduce", layers, tokens_);
  }

  void all_to_all(std::string_view name, double layers, double tokens, double bytes_per_value) {
    // A token goes once to every rank that holds one of its experts.
    Operator& op = add(name, OperatorKind::kAllToAll, layers);
    collective(op, Axis::kStageWidth, l_.ep,
               tokens * places_reached(*a_.moe, l_.ep) * a_.hidden_size * bytes_per_value);
    op.routing = &*a_.moe;
  }

  void head() {
    const double rows = sequences_ * (1 + drafts_) + prompts_;  // one next token per prompt
    norm("head.norm", Where::kOnce, 1, rows, a_.hidden_size);
    Operator& op = linear("head", a_.tied_embeddings ? "embed" : "head", Where::kOnce, 1, rows);
    gather_logits(rows, op.width_out);
    elementwise("sample", OperatorKind::kSample, 1, rows, a_.vocab_size, 1);
  }

  void gather_logits(double rows, double local_vocab) {
    if (l_.tp <= 1) return;
    collective(add("head.all_gather", OperatorKind::kAllGather, 1), Axis::kTp, l_.tp, rows * local_vocab * 2);
  }

  // The module runs once per drafted token on every sequence, with one attention and one FFN block and the shared head.
  void draft() {
    in_draft_ = true;
    tokens_ = sequences_ + new_tokens_;
    stage_tokens_ = batch_.sequences + batch_.prefill_tokens;
    const double modules = drafts_;
    drafts_ = 0;
    Operator& token = add("mtp.embed", OperatorKind::kEmbed, modules);  // of the token after each position
    token.width_out = a_.hidden_size;
    token.weights = local("embed", Where::kOnce).format;
    token.weight_bytes = Bytes(tokens_ * a_.hidden_size * bits_per_weight(token.weights) / 8 / l_.tp);
    all_reduce("mtp.embed.all_reduce", modules, tokens_);
    norm("mtp.norm", Where::kMtp, modules, tokens_, a_.hidden_size);
    linear("mtp.project", "mtp.project", Where::kMtp, modules, tokens_);
    attention(modules, Where::kMtp);
    a_.moe ? moe(modules, Where::kMtp) : dense_ffn(modules, Where::kMtp);
    const double rows = sequences_ + prompts_;  // the first draft follows the prompt
    if (rows > 0) {
      norm("mtp.head.norm", Where::kMtp, modules, rows, a_.hidden_size);
      Operator& op = linear("mtp.head", a_.tied_embeddings ? "embed" : "head", Where::kOnce, modules, rows);
      gather_logits(rows, op.width_out);
      ops_.back().count = modules;
    }
  }

  const StageProgram& program_;
  const Architecture& a_;
  const Layout& l_;
  const Stage& stage_;
  const Batch& batch_;
  int drafts_ = 0;
  double sequences_ = 0, new_tokens_ = 0, prompts_ = 0, tokens_ = 0;  // of one attention group
  double stage_tokens_ = 0;                                           // of all groups
  bool in_draft_ = false;
  std::vector<Operator> ops_;
};

}  // namespace

StageProgram::StageProgram(const Architecture& architecture, const std::vector<Tensor>& tensors, const Layout& layout,
                           const Stage& stage, int rank)
    : architecture_(architecture), layout_(layout), stage_(stage) {
  for (const Tensor& t : tensors) {
    if (t.duplicate) continue;
    auto same = std::find_if(weights_.begin(), weights_.end(),
                             [&](const LocalWeights& w) { return w.op == t.op && w.where == t.where; });
    if (same == weights_.end()) same = weights_.insert(weights_.end(), {.op = t.op, .where = t.where});
    Shard one = shard(t, architecture, layout, rank);
    same->experts = one.experts;
    one.experts = 1;
    same->bytes += stored_bytes(one, t, layout.weights);
    if (t.vector) continue;
    same->elements += one.rows * one.cols;
    same->rows += one.rows;
    same->cols = one.cols;
    same->format = format_of(t, layout.weights);
  }
}

const LocalWeights& StageProgram::local(std::string_view op, Where where) const {
  static const LocalWeights none;
  for (const LocalWeights& w : weights_) {
    if (w.where == where && w.op == op) return w;
  }
  return none;
}

std::vector<Operator> StageProgram::operators(const Batch& batch) const { return StepBuilder(*this, batch).build(); }

std::vector<Operator> decoder_step(const Architecture& architecture, const std::vector<Tensor>& tensors,
                                   const Layout& layout, const Stage& stage, const Batch& batch, int rank) {
  return StageProgram(architecture, tensors, layout, stage, rank).operators(batch);
}

}  // namespace fathom
