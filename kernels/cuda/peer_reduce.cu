// A block per row: what comes of a row stays in registers from its addends to its norm.
#include <algorithm>

#include "cuda/launch.cuh"
#include "cuda/peers.cuh"
#include "cuda/reduce.cuh"

namespace fathom::cuda {
namespace {

constexpr int kMostWidth = 16384;

// Four values of a row in one thread: with kEach groups and a block of up to 1024 threads, the whole row.
template <int kEach>
struct RowPart {
  float4 value[kEach];

  __device__ void clear() {
#pragma unroll
    for (int i = 0; i < kEach; ++i) value[i] = make_float4(0, 0, 0, 0);
  }
  __device__ void add(int i, uint2 bf16) {
    value[i].x += low_bf16(bf16.x), value[i].y += high_bf16(bf16.x);
    value[i].z += low_bf16(bf16.y), value[i].w += high_bf16(bf16.y);
  }
};

template <int kEach>
__device__ inline void read_weight(const PeerReduce& op, float4* weight) {
  if (op.weight == nullptr) return;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    if (group < op.width / 4) weight[i] = *reinterpret_cast<const float4*>(op.weight + 4 * group);
  }
}

__device__ inline uint2 read_own(const PeerReduce& op, int row, int group) {
  return *reinterpret_cast<const uint2*>(op.partial[op.peers.rank] + static_cast<std::int64_t>(row) * op.width +
                                         4 * group);
}

template <int kEach>
__device__ inline RowPart<kEach> read_residual(const PeerReduce& op, int row) {
  RowPart<kEach> old;
  old.clear();
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    if (op.replace || group >= op.width / 4) continue;
    old.value[i] =
        *reinterpret_cast<const float4*>(op.residual + static_cast<std::int64_t>(row) * op.width + 4 * group);
  }
  return old;
}

// The residual stream, with the sum added, and its norm.
template <int kEach>
__device__ inline void finish_row(const PeerReduce& op, int row, const RowPart<kEach>& old, RowPart<kEach>& sum,
                                  const float4* weight, float* scratch) {
  float squares = 0;
  const std::int64_t at = static_cast<std::int64_t>(row) * op.width;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    if (group >= op.width / 4) continue;
    float4& v = sum.value[i];
    const float4& o = old.value[i];
    v.x += o.x, v.y += o.y, v.z += o.z, v.w += o.w;
    *reinterpret_cast<float4*>(op.residual + at + 4 * group) = v;
    squares += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
  }
  if (op.weight == nullptr) return;
  const float factor = rsqrtf(block_sum(squares, scratch) / op.width + op.epsilon);
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    if (group >= op.width / 4) continue;
    const float4 &v = sum.value[i], &w = weight[i];
    write_four(op.out, at + 4 * group, v.x * factor * w.x, v.y * factor * w.y, v.z * factor * w.z, v.w * factor * w.w);
  }
  __syncthreads();  // scratch is free again
}

// One flight. Two calls' data lie apart: a rank that is in the call after next has this rank's data of the next one, so this rank
// is done with these. Packets and flights have memory of their own, or a call of one kind could meet the other's of the call before.
template <int kEach, int kRanks>
__global__ __launch_bounds__(1024) void reduce_in_one(const __grid_constant__ PeerReduce op) {
  __shared__ float scratch[32];
  const Peers& peers = op.peers;
  const int row = blockIdx.x, groups = op.width / 4;
  start_successor();
  float4 weight[kEach];
  read_weight<kEach>(op, weight);
  const unsigned call = number_of_call(peers);
  wait_for_predecessor();
  const std::int64_t lane = static_cast<std::int64_t>(op.packet_rows) * groups;  // packets of one sender
  const std::int64_t half = (call & 1) * peers.ranks * lane + static_cast<std::int64_t>(row) * groups;
  uint2 own[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    if (group < groups) own[i] = read_own(op, row, group);
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    if (group >= groups) continue;
    for (int n = 1; n < peers.ranks; ++n) {  // not all to the same rank first
      const int to = (peers.rank + n) % peers.ranks;
      send_packet(static_cast<Packet*>(op.packets[to]) + half + peers.rank * lane + group, own[i], call);
    }
  }
  const RowPart<kEach> old = read_residual<kEach>(op, row);  // arrives while the packets are on their way
  const auto* inbox = static_cast<const Packet*>(op.packets[peers.rank]) + half;
  RowPart<kEach> sum;
  sum.clear();
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    if (group >= groups) continue;
    Packet seen[kRanks];  // all are looked at before any is waited for
#pragma unroll
    for (int from = 0; from < kRanks; ++from) {
      if (from < peers.ranks && from != peers.rank) seen[from] = look_at_packet(inbox + from * lane + group);
    }
#pragma unroll
    for (int from = 0; from < kRanks; ++from) {
      if (from >= peers.ranks) continue;
      if (from == peers.rank) {
        sum.add(i, own[i]);
        continue;
      }
      Patience patience(peers, from);
      while ((seen[from].low_mark != call || seen[from].high_mark != call) && patience.wait_on()) {
        seen[from] = look_at_packet(inbox + from * lane + group);
      }
      sum.add(i, make_uint2(seen[from].low, seen[from].high));
    }
  }
  finish_row<kEach>(op, row, old, sum, weight, scratch);
}

// One flight without marks: rows of bf16 [half][sender][row][width], and a flag for each row.
template <int kEach, int kRanks>
__global__ __launch_bounds__(1024) void reduce_row_by_row(const __grid_constant__ PeerReduce op) {
  __shared__ float scratch[32];
  const Peers& peers = op.peers;
  const int row = blockIdx.x, groups = op.width / 4;
  start_successor();
  float4 weight[kEach];
  read_weight<kEach>(op, weight);
  const unsigned call = number_of_call(peers);
  wait_for_predecessor();
  const std::int64_t lane = static_cast<std::int64_t>(op.flight_rows) * groups;  // groups of one sender
  const std::int64_t half = (call & 1) * peers.ranks * lane + static_cast<std::int64_t>(row) * groups;
  uint2 own[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    if (group < groups) own[i] = read_own(op, row, group);
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    if (group >= groups) continue;
    for (int n = 1; n < peers.ranks; ++n) {
      const int to = (peers.rank + n) % peers.ranks;
      static_cast<uint2*>(op.flights[to])[half + peers.rank * lane + group] = own[i];
    }
  }
  const RowPart<kEach> old = read_residual<kEach>(op, row);
  meet(peers, row, 0, call);
  const auto* inbox = static_cast<const uint2*>(op.flights[peers.rank]) + half;
  RowPart<kEach> sum;
  sum.clear();
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    if (group >= groups) continue;
    uint2 part[kRanks];
#pragma unroll
    for (int from = 0; from < kRanks; ++from) {
      if (from < peers.ranks && from != peers.rank) part[from] = read_fresh_pair(inbox + from * lane + group);
    }
#pragma unroll
    for (int from = 0; from < kRanks; ++from) {
      if (from < peers.ranks) sum.add(i, from == peers.rank ? own[i] : part[from]);
    }
  }
  finish_row<kEach>(op, row, old, sum, weight, scratch);
}

// Two flights: rows are dealt to blocks in runs of as many as there are ranks, and within a run each rank sums one.
template <int kEach>
__global__ __launch_bounds__(1024) void reduce_in_two(const __grid_constant__ PeerReduce op) {
  __shared__ float scratch[32];
  const Peers& peers = op.peers;
  const int groups = op.width / 4, block = blockIdx.x, blocks = gridDim.x, ranks = peers.ranks;
  start_successor();
  float4 weight[kEach];
  read_weight<kEach>(op, weight);
  const unsigned call = number_of_call(peers);
  wait_for_predecessor();
  meet(peers, block, 0, call);
  for (int row = block * ranks + peers.rank; row < op.rows; row += blocks * ranks) {
    const std::int64_t at = static_cast<std::int64_t>(row) * op.width;
    RowPart<kEach> sum;
    sum.clear();
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int group = i * blockDim.x + threadIdx.x;
      if (group >= groups) continue;
      uint2 part[kMostPeers];
#pragma unroll
      for (int from = 0; from < kMostPeers; ++from) {
        if (from < ranks) part[from] = read_fresh_pair(op.partial[from] + at + 4 * group);
      }
#pragma unroll
      for (int from = 0; from < kMostPeers; ++from) {
        if (from < ranks) sum.add(i, part[from]);
      }
      const float4& v = sum.value[i];
      for (int n = 0; n < ranks; ++n) {
        write_four(op.sums[(peers.rank + n) % ranks], at + 4 * group, v.x, v.y, v.z, v.w);
      }
    }
  }
  meet(peers, block, 1, call);
  for (int first = block * ranks; first < op.rows; first += blocks * ranks) {
    for (int row = first; row < first + ranks && row < op.rows; ++row) {
      RowPart<kEach> sum;
      sum.clear();
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        const int group = i * blockDim.x + threadIdx.x;
        if (group >= groups) continue;
        sum.add(i, read_fresh_pair(op.sums[peers.rank] + static_cast<std::int64_t>(row) * op.width + 4 * group));
      }
      finish_row<kEach>(op, row, read_residual<kEach>(op, row), sum, weight, scratch);
    }
  }
}

template <int kEach, int kRanks>
void reduce_among(const Launch& how, const PeerReduce& op, int threads) {
  if (op.rows <= op.packet_rows || op.peers.ranks == 1) {
    launch("peer_reduce", reduce_in_one<kEach, kRanks>, op.rows, threads, 0, how, op);
  } else if (op.rows <= op.flight_rows) {
    launch("peer_reduce", reduce_row_by_row<kEach, kRanks>, op.rows, threads, 0, how, op);
  } else {
    const int runs = (op.rows + op.peers.ranks - 1) / op.peers.ranks;
    launch("peer_reduce", reduce_in_two<kEach>, std::min(runs, kPeerBlocks), threads, 0, how, op);
  }
}

template <int kEach>
void reduce(const Launch& how, const PeerReduce& op) {
  const int groups = op.width / 4, each = (groups + kEach - 1) / kEach, threads = (each + 31) / 32 * 32;
  if (op.peers.ranks <= 2) {
    reduce_among<kEach, 2>(how, op, threads);
  } else if (op.peers.ranks <= 4) {
    reduce_among<kEach, 4>(how, op, threads);
  } else {
    reduce_among<kEach, kMostPeers>(how, op, threads);
  }
}

}  // namespace

std::size_t peer_packet_bytes(int ranks, int rows, int width) {
  return std::size_t{2} * ranks * rows * (width / 4) * sizeof(Packet);
}

std::size_t peer_flight_bytes(int ranks, int rows, int width) {
  return std::size_t{2} * ranks * rows * (width / 4) * sizeof(uint2);
}

void peer_reduce(const Launch& how, const PeerReduce& op) {
  if (op.width % 8 != 0 || op.width > kMostWidth) throw CudaError("peer_reduce: the width is not supported");
  if (op.peers.ranks < 1 || op.peers.ranks > kMostPeers)
    throw CudaError("peer_reduce: so many ranks are not supported");
  if (op.flight_rows > kPeerBlocks) throw CudaError("peer_reduce: so many rows of one flight are not supported");
  if (op.rows < 1) return;
  const int groups = op.width / 4;
  if (groups <= 1024) {
    reduce<1>(how, op);
  } else if (groups <= 2048) {
    reduce<2>(how, op);
  } else {
    reduce<4>(how, op);
  }
}

}  // namespace fathom::cuda
