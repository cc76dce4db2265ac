// The list of a model's weights: names, shapes, how each may be split, and which operator reads it.
//
// This list is the only home of parameter counts, weight bytes and shard rules. The planner folds over it, the operator
// list takes its matrices from it, and the engine loads by its names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/format.h"
#include "units/quantity.h"

namespace fathom {

enum class Role {
  kEmbedding,
  kHead,
  kNorm,
  kAttention,
  kLatent,   // MLA down-projections: every tensor-parallel rank holds all of them
  kIndexer,  // DeepSeek V3.2 sparse attention
  kDenseFfn,
  kRouter,
  kRouterBias,  // fp32 in every scheme
  kRoutedExpert,
  kSharedExpert,
  kMtpProjection,
};
std::string to_string(Role role);

enum class Split {
  kReplicated,
  kVocab,       // rows of the embedding and the head, uneven shares allowed
  kQueryHeads,  // rows, one unit per query head
  kKvHeads,     // rows, one unit per KV head; beyond one head per rank heads are copied
  kHeadInputs,  // columns, one unit per query head (output projection)
  kRows,        // columns of an FFN: rows of gate and up
  kColumns,     // rows of an FFN: columns of down
};

enum class Where { kOnce, kEveryLayer, kDenseLayers, kMoeLayers, kMtp };

struct Tensor {
  std::string name;       // Hugging Face name; {l} is the layer, {e} the expert
  std::string op;         // operator that reads it, e.g. "attention.qkv"; tensors of one operator are read together
  std::int64_t rows = 0;  // outputs
  std::int64_t cols = 1;  // inputs; 1 for a vector
  Role role = Role::kNorm;
  Split split = Split::kReplicated;
  Where where = Where::kOnce;
  int experts = 1;         // copies per layer with {e} = 0 … experts-1
  bool vector = false;     // norms and biases: never quantised
  bool duplicate = false;  // an MTP module's second copy of the embedding or head, in the checkpoint only

  double elements() const { return static_cast<double>(rows) * static_cast<double>(cols); }
};

// All weights of the main model, then those of the MTP modules (where == kMtp).
std::vector<Tensor> tensors(const Architecture& architecture);

int layers_with(const Architecture& architecture, Where where);  // how many times `where` occurs

Format format_of(const Tensor& tensor, const WeightScheme& scheme);
Bytes stored_bytes(const Tensor& tensor, const WeightScheme& scheme);  // one instance

struct ParameterCounts {
  std::int64_t total = 0;                           // main model, without MTP
  std::int64_t active = 0;                          // every parameter one token touches, input embedding counted whole
  std::int64_t active_without_input_embedding = 0;  // what is read per decoded token
  std::int64_t routed_experts = 0;
  std::int64_t mtp = 0;  // unique parameters of the MTP modules
};
ParameterCounts count_parameters(const Architecture& architecture);

Bytes checkpoint_bytes(const Architecture& architecture, const WeightScheme& scheme, bool with_mtp);

// The KV cache of one sequence, whole model, before sharding.
struct KvShape {
  Bytes per_token_full;    // per token and layer with full attention
  Bytes per_token_window;  // per token and layer with a sliding window, up to `window` tokens
  Bytes index_per_token;   // keys of the sparse indexer, per token and layer
  int full_layers = 0;
  int window_layers = 0;
  int window = 0;
  bool splits_by_head = true;  // false: the MLA latent, the same on every tensor-parallel rank
};
KvShape kv_shape(const Architecture& architecture, KvFormat format);
Bytes kv_bytes_per_token(const Architecture& architecture, KvFormat format);  // all layers, below the window

}  // namespace fathom
