#include "layout/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom {

std::string short_name(const Layout& l) {
  std::string text = fmt::format("TP{}", l.tp);
  if (l.attention_dp > 1) text += fmt::format(" DP-attention{}", l.attention_dp);
  if (l.ep > 1) text += fmt::format(" EP{}", l.ep);
  if (l.pp > 1) text += fmt::format(" PP{}", l.pp);
  text += fmt::format(" x{}, {} weights, {} KV", l.replicas, l.weights.name, to_string(l.kv));
  if (l.offload_experts) text += ", experts on the host";
  if (l.mtp) text += ", MTP";
  return text;
}

bool same_shape(const Stage& a, const Stage& b) {
  return a.dense_layers == b.dense_layers && a.moe_layers == b.moe_layers && a.window_layers == b.window_layers &&
         a.has_embedding == b.has_embedding && a.has_head == b.has_head;
}

int layers_with(const Stage& stage, const Layout& layout, const Architecture& a, const Tensor& tensor) {
  switch (tensor.where) {
    case Where::kOnce:
      return (tensor.role == Role::kEmbedding ? stage.has_embedding : stage.has_head) ? 1 : 0;
    case Where::kEveryLayer:
      return stage.layers;
    case Where::kDenseLayers:
      return stage.dense_layers;
    case Where::kMoeLayers:
      return stage.moe_layers;
    // The duplicates of embedding and head in the checkpoint are shared with the main model when loaded.
    case Where::kMtp:
      return layout.mtp && stage.has_head && !tensor.duplicate ? a.mtp_modules : 0;
  }
  return 0;
}

Shard shard(const Tensor& t, const Architecture& a, const Layout& l, int rank) {
  Shard s{.rows = static_cast<double>(t.rows),
          .cols = static_cast<double>(t.cols),
          .experts = static_cast<double>(t.experts)};
  int ways = l.tp;
  if (t.role == Role::kRoutedExpert) {
    ways = l.expert_tp();
    s.experts /= l.ep;
  }
  switch (t.split) {
    case Split::kReplicated:
      s.copied = ways > 1;
      break;
    case Split::kVocab:
      s.rows = std::floor(s.rows / ways) + (rank < t.rows % ways ? 1 : 0);
      break;
    case Split::kQueryHeads:
    case Split::kRows:
      s.rows /= ways;
      break;
    case Split::kKvHeads:
      s.rows /= std::min(ways, a.num_kv_heads);
      s.copied = ways > a.num_kv_heads;
      break;
    case Split::kHeadInputs:
    case Split::kColumns:
      s.cols /= ways;
      break;
  }
  if (l.attention_dp > 1 && t.role != Role::kRoutedExpert) s.copied = true;
  return s;
}

Bytes stored_bytes(const Shard& s, const Tensor& t, const WeightScheme& scheme) {
  const Format format = format_of(t, scheme);
  return bytes(format, std::llround(s.rows), std::llround(s.cols)) * s.experts;
}

Slice slice(const Tensor& t, const Architecture& a, const Layout& l, int stage_rank) {
  const bool expert = t.role == Role::kRoutedExpert;
  const int ways = expert ? l.expert_tp() : l.tp, part = stage_rank % ways;
  const Shard size = shard(t, a, l, part);
  Slice s{.rows = std::llround(size.rows), .cols = std::llround(size.cols)};
  s.experts = expert ? static_cast<int>(std::llround(size.experts)) : 1;
  if (expert) s.first_expert = stage_rank / ways * s.experts;
  switch (t.split) {
    case Split::kReplicated:
      break;
    case Split::kVocab:
      s.row = t.rows / ways * part + std::min<std::int64_t>(part, t.rows % ways);
      break;
    case Split::kQueryHeads:
    case Split::kRows:
      s.row = s.rows * part;
      break;
    case Split::kKvHeads:  // beyond one head per rank, neighbours hold copies
      s.row = s.rows * (ways > a.num_kv_heads ? part / (ways / a.num_kv_heads) : part);
      break;
    case Split::kHeadInputs:
    case Split::kColumns:
      s.col = s.cols * part;
      break;
  }
  return s;
}

bool has_window(const Architecture& a, int layer) {
  if (a.sliding_window == 0 || a.sliding_layers == 0) return false;
  return (layer * a.sliding_layers) % a.num_layers < a.sliding_layers;
}

namespace {

struct LayerBytes {
  double dense = 0, moe = 0, embedding = 0, head = 0;
};

LayerBytes rank_bytes(const Architecture& a, const std::vector<Tensor>& tensors, const Layout& l) {
  LayerBytes sum;
  for (const Tensor& t : tensors) {
    if (l.offload_experts && t.role == Role::kRoutedExpert) continue;
    const double b = stored_bytes(shard(t, a, l, 0), t, l.weights).value;
    switch (t.where) {
      case Where::kOnce:
        (t.role == Role::kEmbedding ? sum.embedding : sum.head) += b;
        // The last stage needs its own copy for a tied head and for a draft module.
        if (t.op == "embed" && (a.tied_embeddings || l.mtp) && l.pp > 1) sum.head += b;
        break;
      case Where::kEveryLayer:
        sum.dense += b, sum.moe += b;
        break;
      case Where::kDenseLayers:
        sum.dense += b;
        break;
      case Where::kMoeLayers:
        sum.moe += b;
        break;
      case Where::kMtp:
        if (l.mtp && !t.duplicate) sum.head += b * a.mtp_modules;
        break;
    }
  }
  return sum;
}

// How many stages a greedy fill needs when no stage may exceed `limit`; stops counting past `most`.
int stages_needed(const std::vector<double>& layer, double first, double last, double limit, int most) {
  int count = 1;
  double load = first;
  for (std::size_t i = 0; i < layer.size(); ++i) {
    const double extra = layer[i] + (i + 1 == layer.size() ? last : 0);
    if (load + extra > limit && load > 0) {
      ++count;
      load = 0;
    }
    load += extra;
    if (load > limit || count > most) return most + 1;
  }
  return count;
}

}  // namespace

std::vector<Stage> stages(const Architecture& a, const std::vector<Tensor>& tensors, const Layout& l) {
  const LayerBytes size = rank_bytes(a, tensors, l);
  const int first_k_dense = a.moe ? a.moe->first_k_dense : a.num_layers;
  std::vector<double> layer(a.num_layers);
  for (int i = 0; i < a.num_layers; ++i) layer[i] = i < first_k_dense ? size.dense : size.moe;

  double low = 0, high = size.embedding + size.head;
  for (double b : layer) high += b;
  for (int step = 0; step < 50; ++step) {  // bisection on the heaviest stage
    const double middle = 0.5 * (low + high);
    (stages_needed(layer, size.embedding, size.head, middle, l.pp) <= l.pp ? high : low) = middle;
  }

  std::vector<Stage> result(l.pp);
  int next = 0;
  for (int s = 0; s < l.pp; ++s) {
    Stage& stage = result[s];
    stage.index = s;
    stage.first_layer = next;
    stage.has_embedding = s == 0;
    stage.has_head = s + 1 == l.pp;
    double load = stage.has_embedding ? size.embedding : 0;
    const int stages_after = l.pp - 1 - s;
    while (next < a.num_layers) {
      const double extra = layer[next] + (next + 1 == a.num_layers ? size.head : 0);
      const bool must_leave = a.num_layers - next <= stages_after;  // one layer at least for each stage to come
      const bool must_take = stages_after == 0 || stage.layers == 0;
      if (must_leave || (!must_take && load + extra > high)) break;
      load += extra;
      ++stage.layers;
      ++(next < first_k_dense ? stage.dense_layers : stage.moe_layers);
      stage.window_layers += has_window(a, next) ? 1 : 0;
      ++next;
    }
  }
  return result;
}

namespace {

bool needs_tiles(Format format) {
  return format == Format::kFp8Block128 || format == Format::kInt4G128 || format == Format::kInt4G128Asym;
}

// Block-scaled weights can only be cut between blocks: 128x128 tiles both ways, int4 groups of 128 along the inputs.
std::string split_breaks_blocks(const Tensor& t, const Architecture& a, const Layout& l) {
  const Format format = format_of(t, l.weights);
  if (t.vector || !needs_tiles(format)) return {};
  const Shard s = shard(t, a, l, 0);
  const bool rows_cut =
      s.rows < static_cast<double>(t.rows) && t.split != Split::kVocab && format == Format::kFp8Block128;
  const bool cols_cut = s.cols < static_cast<double>(t.cols);
  if ((rows_cut && std::fmod(s.rows, 128) != 0) || (cols_cut && std::fmod(s.cols, 128) != 0)) {
    return fmt::format("{} in {} cannot be cut {} ways: {} is no multiple of its 128 block", t.op, to_string(format),
                       t.role == Role::kRoutedExpert ? l.expert_tp() : l.tp, rows_cut ? s.rows : s.cols);
  }
  return {};
}

}  // namespace

std::string illegal(const Architecture& a, const std::vector<Tensor>& tensors, const Layout& l) {
  if (l.pp > a.num_layers) return fmt::format("{} pipeline stages for {} layers", l.pp, a.num_layers);
  if (a.num_heads % l.tp != 0) return fmt::format("{} attention heads do not divide by TP {}", a.num_heads, l.tp);
  if (!a.mla && a.num_kv_heads % l.tp != 0 && l.tp % a.num_kv_heads != 0) {
    return fmt::format("{} KV heads neither divide by TP {} nor repeat evenly", a.num_kv_heads, l.tp);
  }
  if (!a.moe && (l.ep > 1 || l.attention_dp > 1)) return "no experts to spread over attention-DP or EP ranks";
  if (a.dense_layers() > 0 && a.intermediate_size % l.tp != 0) {
    return fmt::format("dense FFN width {} does not divide by TP {}", a.intermediate_size, l.tp);
  }
  if (a.moe) {
    if (l.stage_width() % l.ep != 0)
      return fmt::format("EP {} does not divide the {} ranks of a stage", l.ep, l.stage_width());
    if (a.moe->routed_experts % l.ep != 0)
      return fmt::format("{} experts do not divide by EP {}", a.moe->routed_experts, l.ep);
    if (a.moe->intermediate_size % l.expert_tp() != 0) {
      return fmt::format("expert width {} does not divide by {}", a.moe->intermediate_size, l.expert_tp());
    }
    if (l.attention_dp > 1 && l.ep != l.stage_width())
      return "attention-DP is modelled with whole experts only (EP = TP x DP)";
    if (a.moe->shared_experts > 0 && (a.moe->shared_experts * a.moe->intermediate_size) % l.tp != 0) {
      return fmt::format("shared expert width does not divide by TP {}", l.tp);
    }
  }
  if (l.mtp && a.mtp_modules == 0) return "the model has no MTP module";
  for (const Tensor& t : tensors) {
    if (std::string why = split_breaks_blocks(t, a, l); !why.empty()) return why;
  }
  return {};
}

}  // namespace fathom
