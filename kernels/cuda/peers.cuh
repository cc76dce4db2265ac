// Flags and packets between GPUs. Only .cu files include this.
#pragma once

#include <cuda_runtime.h>

#include "cuda/peers.h"

namespace fathom::cuda {

// Eight bytes of data and their mark twice: sixteen bytes cross a link as two halves at worst, and each half carries the mark.
struct Packet {
  unsigned low, low_mark, high, high_mark;
};

__device__ inline void send_packet(Packet* to, uint2 data, unsigned mark) {
  asm volatile("st.volatile.global.v4.u32 [%0], {%1, %2, %3, %2};" ::"l"(to), "r"(data.x), "r"(mark), "r"(data.y)
               : "memory");
}
__device__ inline Packet look_at_packet(const Packet* from) {
  Packet p;
  asm volatile("ld.volatile.global.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(p.low), "=r"(p.low_mark), "=r"(p.high), "=r"(p.high_mark)
               : "l"(from)
               : "memory");
  return p;
}

__device__ inline void set_flag(unsigned* flag, unsigned value) {
  asm volatile("st.release.sys.global.u32 [%0], %1;" ::"l"(flag), "r"(value) : "memory");
}
__device__ inline unsigned look_at_flag(const unsigned* flag) {
  unsigned value;
  asm volatile("ld.acquire.sys.global.u32 %0, [%1];" : "=r"(value) : "l"(flag) : "memory");
  return value;
}

// What a peer wrote is read past this multiprocessor's own cache.
__device__ inline uint4 read_fresh(const void* from) {
  uint4 v;
  asm volatile("ld.volatile.global.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from)
               : "memory");
  return v;
}
__device__ inline uint2 read_fresh_pair(const void* from) {
  uint2 v;
  asm volatile("ld.volatile.global.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(from) : "memory");
  return v;
}

__device__ inline std::uint64_t nanoseconds() {
  std::uint64_t now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  return now;
}

// One thread's wait for one peer. wait_on() is asked after every look in vain, and says when to give up.
class Patience {
 public:
  __device__ Patience(const Peers& peers, int peer) : peers_(peers), peer_(peer) {}
  __device__ bool wait_on() {
    constexpr unsigned kLooks = 4096;  // the clock and the host's memory are slow to read
    if (++looks_ % kLooks != 0) return true;
    if (peers_.trouble->missing != 0 || peers_.trouble->stop != 0) return false;
    const std::uint64_t now = nanoseconds();
    if (since_ == 0) since_ = now;
    if (now - since_ < peers_.patience_ns) return true;
    peers_.trouble->what = peers_.what;
    __threadfence_system();
    peers_.trouble->missing = peer_ + 1;
    return false;
  }

 private:
  const Peers& peers_;
  int peer_;
  unsigned looks_ = 0;
  std::uint64_t since_ = 0;
};

// All threads of the block with this number of every rank: what each wrote before is visible to the others after. `turn` is 0 or 1, a
// flag of its own each, so that a call may meet twice.
__device__ inline void meet(const Peers& peers, int block, int turn, unsigned call) {
  __syncthreads();
  if (threadIdx.x < peers.ranks && static_cast<int>(threadIdx.x) != peers.rank) {
    const int peer = static_cast<int>(threadIdx.x), line = (turn * kPeerBlocks + block) * kMostPeers;
    __threadfence_system();
    set_flag(peers.flags[peer] + line + peers.rank, call);
    Patience patience(peers, peer);
    // Calls have rising numbers: a peer that is ahead has been here.
    while (static_cast<int>(look_at_flag(peers.flags[peers.rank] + line + peer) - call) < 0 && patience.wait_on()) {
    }
  }
  __syncthreads();
}

// May be asked for before the kernel's predecessor is done.
__device__ inline unsigned number_of_call(const Peers& peers) {
  return peers.ranks > 1 ? *peers.before + peers.number : 0;
}

}  // namespace fathom::cuda
