#include "program/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "program/rope_frequencies.h"
#include "weights/weight_source.h"

namespace fathom {

namespace {

enum class Block { kOnce, kAttention, kDense, kMoe };

// Operators of one block stand together in the list and repeat together.
Block block_of(std::string_view name) {
  const auto starts = [&](std::string_view prefix) { return name.substr(0, prefix.size()) == prefix; };
  if (starts("attention.") || name == "ffn.norm") return Block::kAttention;
  if (starts("ffn.")) return Block::kDense;
  if (starts("moe.")) return Block::kMoe;
  return Block::kOnce;
}

class Lowering {
 public:
  Lowering(const StageProgram& program, const std::vector<Operator>& operators)
      : a_(program.architecture()), stage_(program.stage()), operators_(operators) {}

  Program lower() {
    emit_once(false, /*before_layers=*/true);
    const int first_moe = a_.moe ? a_.moe->first_k_dense : a_.num_layers;
    for (int layer = stage_.first_layer; layer < stage_.first_layer + stage_.layers; ++layer) {
      emit(Block::kAttention, false, layer);
      emit(layer < first_moe ? Block::kDense : Block::kMoe, false, layer);
    }
    emit_once(false, /*before_layers=*/false);
    if (std::any_of(operators_.begin(), operators_.end(), [](const Operator& op) { return op.draft; })) {
      const int layer = a_.num_layers;
      emit_once(true, true);
      emit(Block::kAttention, true, layer);
      emit(a_.moe ? Block::kMoe : Block::kDense, true, layer);
      emit_once(true, false);
    }
    return std::move(program_);
  }

 private:
  void add(const Operator& op, int layer) {
    const std::string name = plan_name(op);
    auto row =
        std::find_if(program_.rows.begin(), program_.rows.end(), [&](const TraceRow& r) { return r.name == name; });
    if (row == program_.rows.end()) row = program_.rows.insert(row, {.name = name, .kind = op.kind});
    program_.body.push_back({.name = op.name,
                             .kind = op.kind,
                             .draft = op.draft,
                             .layer = layer,
                             .slot = static_cast<int>(row - program_.rows.begin())});
  }

  // One block of one layer, with the attention that this layer has.
  void emit(Block block, bool draft, int layer) {
    const bool window = !draft && has_window(a_, layer);
    for (const Operator& op : operators_) {
      if (op.draft != draft || block_of(op.name) != block) continue;
      if (op.name == "attention.core_window" && !window) continue;
      if (op.name == "attention.core" && window && !a_.mla) continue;
      add(op, layer);
    }
  }

  // What runs once, before the first block or after the last.
  void emit_once(bool draft, bool before_layers) {
    bool seen_layers = false;
    for (const Operator& op : operators_) {
      if (op.draft != draft) continue;
      if (block_of(op.name) != Block::kOnce) {
        seen_layers = true;
      } else if (seen_layers != before_layers) {
        add(op, draft ? a_.num_layers : -1);
      }
    }
  }

  const Architecture& a_;
  const Stage& stage_;
  const std::vector<Operator>& operators_;
  Program program_;
};

}  // namespace

Program lower(const StageProgram& stage_program, BatchKind kind) {
  // Only the presence of operators matters here, not their sizes: one sequence and one prompt token of each group.
  const double groups = stage_program.layout().attention_dp;
  Batch batch;
  if (kind.decode) batch.sequences = groups, batch.context = 1;
  if (kind.prefill) batch.prefill_tokens = batch.prefill_prompts = groups;
  return Lowering(stage_program, stage_program.operators(batch)).lower();
}

std::string unsupported(const Architecture& a, const Layout& l) {
  // What was held against another implementation (tests/oracle), and what differs from it in sizes only.
  static const std::set<std::string> kFamilies = {"llama",     "mistral",     "qwen2",       "qwen3",  "mixtral",
                                                  "qwen3_moe", "deepseek_v2", "deepseek_v3", "kimi_k2"};
  if (a.indexer) return "sparse attention with an indexer (DeepSeek V3.2)";
  if (a.sinks) return "attention sinks (GPT-OSS)";
  if (a.learned_positions > 0 || a.norm_has_bias || !a.gated_ffn)
    return "GPT-2 style blocks (LayerNorm, learned positions)";
  if (a.moe && a.moe->expert_bias) return "biases on experts";
  if (!kFamilies.contains(a.family) && !a.indexer) return "models of type " + a.family;
  if (l.offload_experts) return "experts in host memory";
  if (l.mtp && a.mtp_modules > 1) return fmt::format("{} MTP modules; it runs one", a.mtp_modules);
  for (Format format : {l.weights.experts, l.weights.linears, l.weights.embeddings, l.weights.router}) {
    if (const std::string why = unsupported(format); !why.empty()) return why;
  }
  try {
    rope_frequencies(a);
  } catch (const std::invalid_argument& why) {
    return why.what();
  }
  return {};
}

}  // namespace fathom
