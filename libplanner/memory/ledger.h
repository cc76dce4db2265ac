// What lies in the memory of one accelerator: every byte in a named row, and the room that is left for the KV cache.
#pragma once

#include <string>
#include <vector>

#include "layout/layout.h"
#include "units/quantity.h"

namespace fathom {

// Memory that the serving engine takes besides weights, cache and activations (catalogs/engines.yaml).
struct Reserves {
  Bytes context{};          // driver context and loaded kernels
  Bytes communicator{};     // NCCL or HCCL buffers, when the replica has more than one device
  Bytes workspace{};        // GEMM workspaces, graphs
  double usable_share = 1;  // share of the device the engine allows itself (vLLM: gpu_memory_utilization)
};

struct LedgerRow {
  std::string name;
  Bytes bytes;
  Bytes copied{};  // the part of it that other ranks of the stage hold as well
};

// The ledger of the fullest device of one stage.
struct Ledger {
  int stage = 0;
  int alike = 1;                // stages of this shape, this one included
  std::vector<LedgerRow> rows;  // weights by role, then reserves, then activations; the KV cache is what is left
  Bytes capacity{};             // of the device
  Bytes reserved_by_share{};    // capacity that the engine leaves alone
  Bytes kv_per_token{};         // one token of one sequence, on this device, growing part
  Bytes kv_per_sequence{};      // fixed part: sliding windows once full
  Bytes host{};                 // experts of this device kept in host memory

  Bytes weights() const;
  Bytes used() const;                                                      // sum of rows
  Bytes kv_room() const { return capacity - reserved_by_share - used(); }  // negative: does not fit
  double kv_tokens() const;  // tokens of growing cache that fit when no sequence has a window; 0 when negative
};

struct MemoryInput {
  const Architecture& architecture;
  const std::vector<Tensor>& tensors;
  const Layout& layout;
  Bytes device_capacity;
  Reserves reserves;
  double chunk_tokens;  // tokens of one prefill step, per attention group
  double sequences;     // decoding sequences, per attention group
};

Ledger stage_ledger(const MemoryInput& input, const Stage& stage);

// The stage with the least room, and the tokens of cache that the whole replica can hold (all attention groups).
struct ReplicaMemory {
  std::vector<Ledger> stages;  // one for each shape of stage
  int tightest = 0;
  double kv_tokens = 0;
  double max_context = 0;  // longest single sequence: the cache of one attention group

  const Ledger& worst() const { return stages[static_cast<std::size_t>(tightest)]; }
  bool fits() const { return worst().kv_room() > Bytes(0); }
};
ReplicaMemory replica_memory(const MemoryInput& input, const std::vector<Stage>& stages);

// How many sequences of `tokens` tokens the replica can hold at once.
double sequences_that_fit(const ReplicaMemory& memory, const Layout& layout, double tokens);

}  // namespace fathom
