// Tiles in shared memory that producers fill and consumers empty in turn.
#pragma once

#include "cuda/bulk_copy.cuh"

namespace fathom::cuda {

template <class Tile_, int kStages>
struct Ring {
  using Tile = Tile_;
  Tile tile[kStages];
  BulkBarrier full[kStages], empty[kStages];

  // Where somebody is; a producer waits for the parity before.
  struct Turn {
    unsigned count = 0;
    __device__ unsigned stage() const { return count % kStages; }
    __device__ unsigned parity() const { return count / kStages % 2; }
  };
  // `fillers`, `emptiers`: arrivals by which a tile is full, and free again.
  __device__ void begin(unsigned fillers, unsigned emptiers) {
    for (int s = 0; s < kStages; ++s) full[s].begin(fillers), empty[s].begin(emptiers);
  }

  __device__ void wait_full(const Turn& turn) { full[turn.stage()].wait(turn.parity()); }
  __device__ void wait_empty(const Turn& turn) { empty[turn.stage()].wait(turn.parity() ^ 1); }
  // By all lanes of a warp that are done with the tile.
  __device__ void release(Turn& turn) {
    __syncwarp();
    if (threadIdx.x % 32 == 0) empty[turn.stage()].arrive();
    ++turn.count;
  }
  // The same after ordinary loads from it.
  __device__ void release_loaded(Turn& turn) {
    fence_async_proxy();
    release(turn);
  }
};

}  // namespace fathom::cuda
