#include "memory/ledger.h"

#include <algorithm>
#include <map>

namespace fathom {

Bytes Ledger::weights() const {
  Bytes sum;
  for (const LedgerRow& row : rows) {
    if (row.name.rfind("weights: ", 0) == 0) sum += row.bytes;
  }
  return sum;
}

Bytes Ledger::used() const {
  Bytes sum;
  for (const LedgerRow& row : rows) sum += row.bytes;
  return sum;
}

double Ledger::kv_tokens() const {
  if (kv_room() <= Bytes(0) || kv_per_token <= Bytes(0)) return 0;
  return kv_room() / kv_per_token;
}

namespace {

void add_weights(Ledger& ledger, const MemoryInput& in, const Stage& stage) {
  std::map<Role, LedgerRow> by_role;
  for (const Tensor& t : in.tensors) {
    double layers = layers_with(stage, in.layout, in.architecture, t);
    // A tied head on another stage than the embedding needs its own copy, and so does a draft module, to look up tokens.
    if (t.op == "embed" && t.split == Split::kVocab && (in.architecture.tied_embeddings || in.layout.mtp) &&
        stage.has_head && !stage.has_embedding)
      layers = 1;
    if (layers == 0) continue;
    const Shard s = shard(t, in.architecture, in.layout, 0);
    const Bytes held = stored_bytes(s, t, in.layout.weights) * layers;
    if (in.layout.offload_experts && t.role == Role::kRoutedExpert) {
      ledger.host += held;
      continue;
    }
    LedgerRow& row = by_role[t.role == Role::kRouterBias ? Role::kRouter : t.role];
    row.name = "weights: " + to_string(t.role);
    row.bytes += held;
    if (s.copied) row.copied += held;
  }
  for (auto& [role, row] : by_role) ledger.rows.push_back(std::move(row));
}

// The widest tensors alive at once in a prefill step: residual, normalised copy, and the two sides of the widest linear,
// all bf16; and logits in fp32 for the rows that are sampled.
Bytes activation_bytes(const MemoryInput& in, const Stage& stage) {
  const Architecture& a = in.architecture;
  const double tp = in.layout.tp;
  double widest = 2.0 * a.intermediate_size / tp;
  widest = std::max(widest, (a.num_heads + 2.0 * a.num_kv_heads) * a.head_dim / tp);
  if (a.mla)
    widest =
        std::max(widest, a.num_heads * (a.mla->qk_head_dim() + a.mla->qk_nope_head_dim + 2.0 * a.mla->v_head_dim) / tp);
  double moe = 0;
  if (a.moe) {
    // Permuted tokens, gate and up, and outputs of the experts: each token is copied k times, spread over the EP ranks.
    const double copies = a.moe->experts_per_token * static_cast<double>(in.layout.attention_dp) / in.layout.ep;
    moe = copies * (2.0 * a.hidden_size + 3.0 * a.moe->intermediate_size / in.layout.expert_tp());
  }
  const double hidden = in.chunk_tokens * (4.0 * a.hidden_size + std::max(1.5 * widest, moe)) * 2;
  const double logits = stage.has_head ? 4.0 * a.vocab_size * std::max(1.0, in.sequences) : 0;
  return Bytes(hidden + logits);
}

}  // namespace

Ledger stage_ledger(const MemoryInput& in, const Stage& stage) {
  Ledger ledger;
  ledger.stage = stage.index;
  ledger.capacity = in.device_capacity;
  ledger.reserved_by_share = in.device_capacity * (1 - in.reserves.usable_share);
  add_weights(ledger, in, stage);
  ledger.rows.push_back({.name = "runtime context", .bytes = in.reserves.context});
  if (in.layout.devices_per_replica() > 1)
    ledger.rows.push_back({.name = "communicator buffers", .bytes = in.reserves.communicator});
  ledger.rows.push_back({.name = "workspace and graphs", .bytes = in.reserves.workspace});
  ledger.rows.push_back({.name = "activations", .bytes = activation_bytes(in, stage)});

  const KvShape kv = kv_shape(in.architecture, in.layout.kv);
  const double split = kv.splits_by_head ? std::min(in.layout.tp, in.architecture.num_kv_heads) : 1;
  const double draft_layers = in.layout.mtp && stage.has_head ? in.architecture.mtp_modules : 0;
  const double full = stage.layers - stage.window_layers + draft_layers;
  ledger.kv_per_token = (kv.per_token_full + kv.index_per_token) * (full / split);
  ledger.kv_per_sequence = kv.per_token_window * (static_cast<double>(kv.window) * stage.window_layers / split);
  return ledger;
}

ReplicaMemory replica_memory(const MemoryInput& in, const std::vector<Stage>& stages) {
  ReplicaMemory memory;
  std::vector<const Stage*> shapes;
  for (const Stage& stage : stages) {
    const auto like = std::find_if(shapes.begin(), shapes.end(), [&](const Stage* s) { return same_shape(*s, stage); });
    if (like != shapes.end()) {
      ++memory.stages[static_cast<std::size_t>(like - shapes.begin())].alike;
      continue;
    }
    shapes.push_back(&stage);
    memory.stages.push_back(stage_ledger(in, stage));
  }
  const auto tokens = [](const Ledger& ledger) {  // negative room orders before zero
    return ledger.kv_per_token > Bytes(0) ? ledger.kv_room() / ledger.kv_per_token : ledger.kv_room().value;
  };
  for (std::size_t i = 1; i < memory.stages.size(); ++i) {
    if (tokens(memory.stages[i]) < tokens(memory.worst())) memory.tightest = static_cast<int>(i);
  }
  const double group_tokens = memory.fits() ? std::max(0.0, memory.worst().kv_tokens()) : 0;
  memory.kv_tokens = group_tokens * in.layout.attention_dp;
  const Ledger& worst = memory.worst();
  if (memory.fits()) memory.max_context = std::max(0.0, (worst.kv_room() - worst.kv_per_sequence) / worst.kv_per_token);
  return memory;
}

double sequences_that_fit(const ReplicaMemory& memory, const Layout& layout, double tokens) {
  double fewest = 1e18;
  for (const Ledger& ledger : memory.stages) {
    const Bytes one = ledger.kv_per_token * tokens + ledger.kv_per_sequence;
    if (one <= Bytes(0)) continue;
    fewest = std::min(fewest, std::max(0.0, ledger.kv_room() / one));
  }
  return fewest * layout.attention_dp;
}

}  // namespace fathom
