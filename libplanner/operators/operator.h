// One step of a decoder as a list of plain values: what each rank computes, reads and sends.
//
// decoder_step() is the only code that knows a model's structure in motion. The planner sums this list, the probe will
// measure its shapes, the engine will execute it, and results are joined by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "layout/layout.h"
#include "model/format.h"
#include "units/quantity.h"

namespace fathom {

enum class OperatorKind {
  kEmbed,          // gather rows of the embedding
  kNorm,           // RMSNorm or LayerNorm, residual addition included
  kLinear,         // y = x W^T
  kGroupedLinear,  // the same over the routed experts that this rank holds
  kRope,           // rotate queries and keys, write the KV cache
  kAttention,      // softmax(q k^T) v over cached heads (GQA, MHA)
  kMlaAttention,   // the same over the latent cache (absorbed) or over expanded heads (prefill)
  kIndexer,        // scores of the sparse indexer over the context
  kActivation,     // SwiGLU or GELU
  kRouter,         // scores, top-k, permutation
  kCombine,        // weighted sum of expert outputs
  kSample,         // next token from logits
  kAllReduce,
  kAllGather,
  kAllToAll,
  kSendRecv,
};
std::string_view to_string(OperatorKind kind);
bool is_collective(OperatorKind kind);

// Which ranks take part in a collective.
enum class Axis { kNone, kTp, kStageWidth, kPipeline };

struct Operator {
  std::string_view name;  // "moe.experts.down": one per kind of layer, always a string literal
  OperatorKind kind = OperatorKind::kLinear;
  double count = 1;                // how often it runs in this step on this stage (its layers)
  bool draft = false;              // belongs to the multi-token-prediction module
  bool on_host = false;            // runs on the CPU, from host memory
  Format math = Format::kBf16;     // element type that enters the multiplication
  Format weights = Format::kBf16;  // storage of the weights it reads

  // Shape. All are of one execution on one rank; fractions are expected values.
  double tokens = 0;           // rows of activations
  double width_in = 0;         // columns in
  double width_out = 0;        // columns out
  double weight_elements = 0;  // multiplied by every token (or by every token routed here)
  Bytes weight_bytes{};        // read once; experts: of the distinct experts expected to be hit
  Bytes held_bytes{};          // experts: what this rank would read if every expert it holds were hit
  double pairs = 0;            // query-key pairs, per head
  double heads = 0;            // query heads on this rank
  double pair_flops = 0;       // FLOP per pair and head
  Bytes kv_bytes{};            // cache read or written
  Bytes payload{};             // collective: bytes each rank contributes (all-reduce: the whole buffer)
  Axis axis = Axis::kNone;
  int ranks = 1;                 // of the collective
  const Moe* routing = nullptr;  // all-to-all: what chooses the ranks that a token goes to
  double imbalance = 1;          // work of the busiest rank over the mean, expert parallelism only
};

// Its name in a plan and in a trace: operators of the draft module begin with "mtp.".
std::string plan_name(const Operator& op);

// The three sums, one home each; every caller gets them here.
Flops flops(const Operator& op);
Bytes bytes_moved(const Operator& op);  // weights, cache and activations through the memory of one device
Bytes wire_bytes(const Operator& op);   // sent by one rank, ring algorithms

// Of the whole message of a collective, what a rank sends over one link of a ring: all-reduce 2 (n-1)/n; all-gather, reduce-scatter and
// all-to-all (n-1)/n; others 1. `name` as nccl-tests have it: "all_reduce". Message x share / time is what they call bus bandwidth.
double ring_share(std::string_view name, double ranks);

// Of `places` (ranks or nodes) that hold the experts in equal parts, how many a token is sent to: expected number of different
// ones among its experts' places, within the groups that it keeps.
double places_reached(const Moe& moe, double places);

// What the busiest rank of an expert-parallel group does: it has more tokens, but never more experts than it holds.
struct Work {
  Bytes weights{}, others{};
  Flops flops_done{};
};
Work busiest_work(const Operator& op);

// What runs in one step on one replica. Prefill and decode may be mixed (chunked prefill).
struct Batch {
  double sequences = 0;        // decoding, over the whole replica (or micro-batch)
  double context = 0;          // their mean length so far, tokens
  double prefill_tokens = 0;   // new prompt tokens in this step, over the whole replica
  double prefill_context = 0;  // of those prompts, tokens already in the cache, mean
  double prefill_prompts = 1;  // how many prompts the prefill tokens belong to
};

// What one rank holds of the tensors that one operator reads.
struct LocalWeights {
  std::string_view op;
  Where where = Where::kOnce;
  double elements = 0;  // of matrices; of one expert for routed experts
  double rows = 0;      // outputs
  double cols = 0;      // inputs
  Bytes bytes{};        // of everything; of one expert for routed experts
  double experts = 1;   // held here, per layer
  Format format = Format::kBf16;
};

// The operators of one rank on one stage, ready to be listed for any batch. Rank 0 holds the longest vocabulary share.
// Keeps references to its arguments.
class StageProgram {
 public:
  StageProgram(const Architecture& architecture, const std::vector<Tensor>& tensors, const Layout& layout,
               const Stage& stage, int rank = 0);
  std::vector<Operator> operators(const Batch& batch) const;

  const Architecture& architecture() const { return architecture_; }
  const Layout& layout() const { return layout_; }
  const Stage& stage() const { return stage_; }
  const LocalWeights& local(std::string_view op, Where where) const;  // zeros when there are none

 private:
  const Architecture& architecture_;
  const Layout& layout_;
  Stage stage_;
  std::vector<LocalWeights> weights_;
};

// The same in one call.
std::vector<Operator> decoder_step(const Architecture& architecture, const std::vector<Tensor>& tensors,
                                   const Layout& layout, const Stage& stage, const Batch& batch, int rank = 0);

// Expected number of different experts, of `held`, that `tokens` tokens reach, each choosing k of E at random:
// held * (1 - (1 - k/E)^tokens).
double distinct_experts(const Moe& moe, double held, double tokens);

// Expected load of the busiest of `ranks` over the mean when `tokens` tokens choose experts at random within their allowed
// groups: the maximum of exchangeable counts with the exact variance. Within 9 % of a simulation for 2 to 64 ranks, 1 to
// 512 tokens, with and without groups; one R1 token on four ranks 4.14 of its 8 experts (simulated 4.25), 3.45 (3.51)
// without groups.
double expert_imbalance(const Moe& moe, int ranks, double tokens);

}  // namespace fathom
