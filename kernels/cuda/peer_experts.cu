// Rows to their experts and back. Block b has the rows b, b + blocks, ... of every group on every rank, so peers meet block by block.
#include <algorithm>

#include "cuda/launch.cuh"
#include "cuda/numbers.cuh"
#include "cuda/peers.cuh"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 256, kMostChosen = 32;

// Which ranks hold an expert that a row chose, one bit each; of the choices [chosen].
__device__ inline unsigned ranks_of(const PeerRows& p, const std::int32_t* expert) {
  unsigned ranks = 0;
  for (int k = 0; k < p.chosen; ++k) {
    if (expert[k] >= 0) ranks |= ((1u << p.owners) - 1) << p.owner[expert[k]];
  }
  return ranks;
}

__device__ inline void copy_row(std::uint16_t* to, const std::uint16_t* from, int width) {
  for (int i = threadIdx.x; i < width / 8; i += kThreads) {
    reinterpret_cast<uint4*>(to)[i] = reinterpret_cast<const uint4*>(from)[i];
  }
}

__global__ __launch_bounds__(kThreads) void dispatch_rows(const __grid_constant__ PeerDispatch op) {
  const Peers& peers = op.peers;
  const PeerRows& p = op.places;
  start_successor();
  const unsigned call = number_of_call(peers);
  wait_for_predecessor();
  meet(peers, blockIdx.x, 0, call);  // nobody works on what came before any more
  for (int row = blockIdx.x; row < p.slots; row += gridDim.x) {
    if (row % p.tp != peers.rank % p.tp) continue;
    const bool there = row < p.rows;
    const std::int32_t* expert = op.places.expert + static_cast<std::int64_t>(row) * p.chosen;
    const unsigned ranks = there ? ranks_of(p, expert) : 0;
    const std::int64_t slot = static_cast<std::int64_t>(p.group) * p.slots + row;
    for (int n = 0; n < peers.ranks; ++n) {
      const int to = (peers.rank + n) % peers.ranks;
      if (static_cast<int>(threadIdx.x) < p.chosen) {
        const int e = there ? expert[threadIdx.x] : -1;
        const bool held = e >= 0 && to >= p.owner[e] && to < p.owner[e] + p.owners;
        op.visitor_expert[to][slot * p.chosen + threadIdx.x] = held ? e : -1;
        op.visitor_weight[to][slot * p.chosen + threadIdx.x] =
            held ? op.weight[static_cast<std::int64_t>(row) * p.chosen + threadIdx.x] : 0.0f;
      }
      if (ranks >> to & 1) {
        copy_row(op.visitor[to] + slot * p.width, op.x + static_cast<std::int64_t>(row) * p.width, p.width);
      }
    }
  }
  meet(peers, blockIdx.x, 1, call);
}

__global__ __launch_bounds__(kThreads) void return_rows(const __grid_constant__ PeerReturn op) {
  const Peers& peers = op.peers;
  const PeerRows& p = op.places;
  start_successor();
  const unsigned call = number_of_call(peers);
  wait_for_predecessor();
  for (int row = blockIdx.x; row < p.slots; row += gridDim.x) {
    for (int n = 0; n < p.groups; ++n) {
      const int group = (p.group + n) % p.groups;
      const std::int64_t slot = static_cast<std::int64_t>(group) * p.slots + row;
      const bool wanted =
          static_cast<int>(threadIdx.x) < p.chosen && op.visitor_expert[slot * p.chosen + threadIdx.x] >= 0;
      if (!__syncthreads_or(wanted)) continue;
      const int to = group * p.tp + row % p.tp;
      copy_row(op.answers[to] + (static_cast<std::int64_t>(peers.rank) * p.slots + row) * p.width,
               op.sums + slot * p.width, p.width);
    }
  }
  meet(peers, blockIdx.x, 0, call);
  for (int row = blockIdx.x; row < p.rows; row += gridDim.x) {
    const unsigned ranks =
        row % p.tp == peers.rank % p.tp ? ranks_of(p, p.expert + static_cast<std::int64_t>(row) * p.chosen) : 0;
    for (int i = threadIdx.x; i < p.width / 4; i += kThreads) {
      auto* to = reinterpret_cast<float4*>(op.out + static_cast<std::int64_t>(row) * p.width) + i;
      float4 sum = op.add ? *to : make_float4(0, 0, 0, 0);
      for (int from = 0; from < peers.ranks; ++from) {
        if (!(ranks >> from & 1)) continue;
        const uint2 part = read_fresh_pair(op.answers[peers.rank] +
                                           (static_cast<std::int64_t>(from) * p.slots + row) * p.width + 4 * i);
        sum.x += low_bf16(part.x), sum.y += high_bf16(part.x), sum.z += low_bf16(part.y), sum.w += high_bf16(part.y);
      }
      *to = sum;
    }
  }
}

void check(const Peers& peers, const PeerRows& p) {
  if (p.width % 8 != 0 || p.chosen > kMostChosen || peers.ranks > kMostPeers || peers.ranks != p.groups * p.tp) {
    throw CudaError("peer rows: the sizes are not supported");
  }
}

int blocks_for(const PeerRows& p) { return std::clamp(p.slots, 1, kPeerBlocks); }

}  // namespace

void peer_dispatch(const Launch& how, const PeerDispatch& op) {
  check(op.peers, op.places);
  launch("peer_dispatch", dispatch_rows, blocks_for(op.places), kThreads, 0, how, op);
}

void peer_return(const Launch& how, const PeerReturn& op) {
  check(op.peers, op.places);
  launch("peer_return", return_rows, blocks_for(op.places), kThreads, 0, how, op);
}

}  // namespace fathom::cuda
