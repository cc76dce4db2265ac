// Times of collectives and messages on a Span, by message size.
//
// t = latency + (V + 2 sqrt(fill V)) / w with V bytes over the slowest link, the smallest over the algorithms that exist
// there; the structure is NCCL's cost model (NVIDIA/nccl src/graph/tuning.cc) with the start-up of its pipeline.
// docs/formulas/network.md#collectives
#pragma once

#include "network/topology.h"
#include "units/quantity.h"

namespace fathom {

enum class AllReduceStyle {
  kNccl,     // ring or tree
  kOneShot,  // peer-to-peer kernels for small messages where peers read each other's memory, NCCL above
};

// What NCCL may choose from. Algorithms that a span cannot run are left out by themselves.
struct NcclChoice {
  bool ring = true, tree = true;
  double multicast = 0;  // of the link, what summing in the switch (NVLS) reaches; 0: switched off or no such switch
};

// `payload` is the whole buffer of one rank.
Seconds nccl_all_reduce_time(const Span& span, Bytes payload, const NcclChoice& choice);
Seconds all_reduce_time(const Span& span, Bytes payload, AllReduceStyle style);
// `payload` is the share that each rank contributes; a reduce-scatter to such shares takes as long.
Seconds all_gather_time(const Span& span, Bytes payload);
// `payload` is all that one rank sends, to itself included.
Seconds all_to_all_time(const Span& span, Bytes payload);
// The same in two hops: `crossing` is what a rank would send with one copy for each node, `payload` with one for each rank.
Seconds forwarded_exchange_time(const Span& span, Bytes payload, Bytes crossing);
Seconds send_time(const Tier& tier, Bytes payload);

// Tokens to the ranks of their experts and back as DeepEP sends them, on links at their nominal rate. Low latency: `payload`
// is what one rank sends, one copy for each expert of each token. For throughput: one copy for each node of each token, and
// the rate counts the copy to the own node too.
Seconds expert_exchange_time(const Span& span, Bytes payload);
BytesPerSecond expert_exchange_rate(const Span& span);

// The two bounds of a hierarchical all-reduce over `nodes` nodes of `per_node` ranks: phases overlapped, phases in turn.
struct HierarchicalBounds {
  Seconds intra, inter;
  Seconds overlapped() const { return intra > inter ? intra : inter; }
  Seconds serialised() const { return intra + inter; }
};
HierarchicalBounds hierarchical_all_reduce(Bytes payload, int nodes, int per_node, BytesPerSecond intra,
                                           BytesPerSecond inter);

}  // namespace fathom
