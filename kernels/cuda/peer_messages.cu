// Columns to everyone, and values to the next rank.
#include <algorithm>

#include "cuda/launch.cuh"
#include "cuda/peers.cuh"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 512;

// Block b of every rank sends the same share of its own columns, so peers meet block by block.
__global__ __launch_bounds__(kThreads) void gather_columns(const __grid_constant__ PeerGather op) {
  const Peers& peers = op.peers;
  start_successor();
  const unsigned call = number_of_call(peers);
  wait_for_predecessor();
  if (op.meet_first) meet(peers, blockIdx.x, 0, call);
  const float* own = op.at[peers.rank];
  const int step = gridDim.x * kThreads, from = blockIdx.x * kThreads + threadIdx.x;
  const bool by_four = (op.first | op.count | op.stride) % 4 == 0;
  const std::int64_t columns = by_four ? op.count / 4 : op.count, all = op.rows * columns;
  for (std::int64_t i = from; i < all; i += step) {
    const std::int64_t row = i / columns, column = i % columns;
    const std::int64_t at = row * op.stride + op.first + (by_four ? 4 * column : column);
    if (by_four) {
      const float4 value = *reinterpret_cast<const float4*>(own + at);
      for (int n = 1; n < peers.ranks; ++n) {
        *reinterpret_cast<float4*>(op.at[(peers.rank + n) % peers.ranks] + at) = value;
      }
    } else {
      const float value = own[at];
      for (int n = 1; n < peers.ranks; ++n) op.at[(peers.rank + n) % peers.ranks][at] = value;
    }
  }
  meet(peers, blockIdx.x, 1, call);
}

// A mailbox has two places. Flags: of turn 0 the sender's word that place n is full, of turn 1 the receiver's that it is empty.
__device__ inline unsigned* mail_flag(const Peers& peers, int of, int from, int block, int turn) {
  return peers.flags[of] + (turn * kPeerBlocks + block) * kMostPeers + from;
}

__device__ inline void wait_for(const Peers& peers, int peer, const unsigned* flag, unsigned least) {
  __syncthreads();
  if (threadIdx.x == 0) {
    Patience patience(peers, peer);
    while (static_cast<int>(look_at_flag(flag) - least) < 0 && patience.wait_on()) {
    }
  }
  __syncthreads();
}

__global__ __launch_bounds__(kThreads) void send_values(const __grid_constant__ PeerMessage op) {
  const Peers& peers = op.peers;
  const int to = peers.rank + 1, block = blockIdx.x;
  start_successor();
  const unsigned message = number_of_call(peers);
  wait_for_predecessor();
  wait_for(peers, to, mail_flag(peers, peers.rank, to, block, 1), message - 2);
  const auto* from = reinterpret_cast<const float4*>(op.values);
  auto* place = reinterpret_cast<float4*>(op.mailbox[to] + message % 2 * op.room);
  for (std::int64_t i = block * kThreads + threadIdx.x; i < op.count / 4; i += gridDim.x * kThreads) place[i] = from[i];
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence_system();
    set_flag(mail_flag(peers, to, peers.rank, block, 0), message);
  }
}

__global__ __launch_bounds__(kThreads) void receive_values(const __grid_constant__ PeerMessage op) {
  const Peers& peers = op.peers;
  const int from = peers.rank - 1, block = blockIdx.x;
  start_successor();
  const unsigned message = number_of_call(peers);
  wait_for_predecessor();
  wait_for(peers, from, mail_flag(peers, peers.rank, from, block, 0), message);
  const float* place = op.mailbox[peers.rank] + message % 2 * op.room;
  auto* to = reinterpret_cast<uint4*>(op.values);
  for (std::int64_t i = block * kThreads + threadIdx.x; i < op.count / 4; i += gridDim.x * kThreads) {
    to[i] = read_fresh(place + 4 * i);
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence_system();
    set_flag(mail_flag(peers, from, peers.rank, block, 1), message);
  }
}

// Of every message, long or short: each block has a word of its own with its peer about the message before last.
constexpr int kMessageBlocks = 16;

void check(const PeerMessage& op) {
  if (op.count % 4 != 0 || op.count > op.room) throw CudaError("peer message: the size is not supported");
}

}  // namespace

void peer_gather(const Launch& how, const PeerGather& op) {
  if (op.peers.ranks > kMostPeers) throw CudaError("peer_gather: so many ranks are not supported");
  if (op.rows < 1) return;
  const std::int64_t all = op.rows * op.stride / op.peers.ranks;  // as many blocks on every rank
  const int blocks = static_cast<int>(std::clamp<std::int64_t>(all / (4 * kThreads), 1, kPeerBlocks));
  launch("peer_gather", gather_columns, blocks, kThreads, 0, how, op);
}

void peer_send(const Launch& how, const PeerMessage& op) {
  check(op);
  launch("peer_send", send_values, kMessageBlocks, kThreads, 0, how, op);
}

void peer_receive(const Launch& how, const PeerMessage& op) {
  check(op);
  launch("peer_receive", receive_values, kMessageBlocks, kThreads, 0, how, op);
}

}  // namespace fathom::cuda
