// How one model is laid over devices: degrees of parallelism, formats, and which layers each pipeline stage holds.
//
// Devices of a replica are numbered ((stage * attention_dp + group) * tp + rank): the ranks of a tensor-parallel group are
// neighbours, so they share the fastest links; stages are farthest apart.
#pragma once

#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/format.h"
#include "model/tensors.h"
#include "units/quantity.h"

namespace fathom {

struct Layout {
  int tp = 1;            // ranks that split heads and FFN columns
  int attention_dp = 1;  // groups of `tp` ranks with sequences of their own that share one set of experts
  int pp = 1;            // pipeline stages
  int ep = 1;            // ranks over which experts are dealt out; stage_width / ep ranks split each of them
  int replicas = 1;
  WeightScheme weights = weight_schemes().front();
  KvFormat kv = KvFormat::kBf16;
  bool offload_experts = false;  // routed experts live in host memory and run on the CPU
  bool mtp = false;              // the multi-token-prediction module is loaded and drafts

  int stage_width() const { return tp * attention_dp; }
  int expert_tp() const { return stage_width() / ep; }
  int devices_per_replica() const { return stage_width() * pp; }
};

std::string short_name(const Layout& layout);  // "TP4 EP4 PP2 x3, int4-experts+fp8, kv bf16"

// A contiguous run of layers on one pipeline stage.
struct Stage {
  int index = 0;
  int first_layer = 0;
  int layers = 0;
  int dense_layers = 0;
  int moe_layers = 0;
  int window_layers = 0;  // layers of this stage whose attention has a sliding window
  bool has_embedding = false;
  bool has_head = false;
};

bool has_window(const Architecture& architecture, int layer);  // evenly interleaved, a window first (GPT-OSS)

bool same_shape(const Stage& a, const Stage& b);  // differ in position only

int layers_with(const Stage& stage, const Layout& layout, const Architecture& architecture, const Tensor& tensor);

// The part of one tensor that one rank holds, `experts` counting the experts of one layer.
struct Shard {
  double rows = 0;
  double cols = 0;
  double experts = 0;
  bool copied = false;  // other ranks of the stage hold the same elements
};
// `rank` is the position within the tensor-parallel group; only vocabulary splits depend on it (the first ranks hold one
// row more when the vocabulary does not divide).
Shard shard(const Tensor& tensor, const Architecture& architecture, const Layout& layout, int rank);

// The same part by position, for those who load it. `stage_rank` counts the ranks of a stage: group * tp + rank. Routed
// experts are dealt out in runs of routed_experts / ep; the ranks that share a run split each of its experts.
struct Slice {
  std::int64_t row = 0, rows = 0;
  std::int64_t col = 0, cols = 0;
  int first_expert = 0, experts = 1;
};
Slice slice(const Tensor& tensor, const Architecture& architecture, const Layout& layout, int stage_rank);
Bytes stored_bytes(const Shard& shard, const Tensor& tensor, const WeightScheme& scheme);

// Cuts the layers into `layout.pp` runs so that the heaviest stage is as light as possible in stored bytes.
std::vector<Stage> stages(const Architecture& architecture, const std::vector<Tensor>& tensors, const Layout& layout);

// Why this model cannot be cut this way, whatever the devices; empty when it can.
std::string illegal(const Architecture& architecture, const std::vector<Tensor>& tensors, const Layout& layout);

}  // namespace fathom
