// Times of collectives and messages on a Span, by message size.
//
// t = latency(algorithm, protocol) + bytes / bandwidth, the smallest over the algorithms that exist there; the structure
// is NCCL's own cost model (NVIDIA/nccl src/graph/tuning.cc), its constants in collectives.cpp.
// docs/formulas/network.md#collectives
#pragma once

#include "network/topology.h"
#include "units/quantity.h"

namespace fathom {

enum class AllReduceStyle {
  kNccl,     // ring or tree, LL or Simple
  kOneShot,  // peer-to-peer kernels for small messages where peers read each other's memory, NCCL above
};

// `payload` is the whole buffer of one rank.
Seconds all_reduce_time(const Span& span, Bytes payload, AllReduceStyle style);
// `payload` is the share that each rank contributes.
Seconds all_gather_time(const Span& span, Bytes payload);
// `payload` is all that one rank sends, to itself included.
Seconds all_to_all_time(const Span& span, Bytes payload);
Seconds send_time(const Tier& tier, Bytes payload);

// The two bounds of a hierarchical all-reduce over `nodes` nodes of `per_node` ranks: phases overlapped, phases in turn.
struct HierarchicalBounds {
  Seconds intra, inter;
  Seconds overlapped() const { return intra > inter ? intra : inter; }
  Seconds serialised() const { return intra + inter; }
};
HierarchicalBounds hierarchical_all_reduce(Bytes payload, int nodes, int per_node, BytesPerSecond intra,
                                           BytesPerSecond inter);

}  // namespace fathom
