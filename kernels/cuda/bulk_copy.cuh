// Hopper's bulk copies to shared memory, of bytes or of boxes of an array (tensor_map.h), and the barriers that count their bytes.
#pragma once

#include <cstdint>

#include "cuda/mma.cuh"

namespace fathom::cuda {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define FATHOM_BULK_COPIES 1
#endif

// A barrier in shared memory. A phase ends when `arrivals` threads arrived and every byte that they announced is there; phases are
// waited for by their parity, of which the first is 0.
struct BulkBarrier {
  std::uint64_t state;

  __device__ void begin(unsigned arrivals) {
#ifdef FATHOM_BULK_COPIES
    asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(shared_address(&state)), "r"(arrivals) : "memory");
#endif
  }
  __device__ void arrive() {
#ifdef FATHOM_BULK_COPIES
    asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(shared_address(&state)) : "memory");
#endif
  }
  __device__ void arrive_and_expect(unsigned bytes) {
#ifdef FATHOM_BULK_COPIES
    asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(shared_address(&state)), "r"(bytes)
                 : "memory");
#endif
  }
  // Once every copy_16() of this thread so far is there.
  __device__ void arrive_after_copies() {
#ifdef FATHOM_BULK_COPIES
    asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" ::"r"(shared_address(&state)) : "memory");
#endif
  }
  __device__ void wait(unsigned parity) {
#ifdef FATHOM_BULK_COPIES
    asm volatile(
        "{\n"
        ".reg .pred done;\n"
        "again:\n"
        "mbarrier.try_wait.parity.shared.b64 done, [%0], %1;\n"
        "@!done bra again;\n"
        "}\n" ::"r"(shared_address(&state)),
        "r"(parity)
        : "memory");
#endif
  }
};

// After begin(), before any other thread or copy uses the barriers.
__device__ inline void show_barriers() {
#ifdef FATHOM_BULK_COPIES
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}

// For what is read once: it need not displace anything else from the second-level cache.
__device__ inline std::uint64_t read_once() {
  std::uint64_t policy = 0;
#ifdef FATHOM_BULK_COPIES
  asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
#endif
  return policy;
}

// For what many blocks read.
__device__ inline std::uint64_t read_often() {
  std::uint64_t policy = 0;
#ifdef FATHOM_BULK_COPIES
  asm volatile("createpolicy.fractional.L2::evict_normal.b64 %0, 1.0;" : "=l"(policy));
#endif
  return policy;
}

// `bytes`: a multiple of 16.
__device__ inline void copy_bulk(void* to, const void* from, unsigned bytes, BulkBarrier& counted,
                                 std::uint64_t policy) {
#ifdef FATHOM_BULK_COPIES
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], %4;" ::
          "r"(shared_address(to)),
      "l"(from), "r"(bytes), "r"(shared_address(&counted.state)), "l"(policy)
      : "memory");
#endif
}

// A box of the array that `map` (a CUtensorMap that the kernel got as a parameter) describes, from these places of its four
// dimensions on. What lies outside the array counts too, as zeros.
__device__ inline void copy_box(void* to, const void* map, int at0, int at1, int at2, int at3, BulkBarrier& counted) {
#ifdef FATHOM_BULK_COPIES
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4, %5}], "
      "[%6];" ::"r"(shared_address(to)),
      "l"(map), "r"(at0), "r"(at1), "r"(at2), "r"(at3), "r"(shared_address(&counted.state))
      : "memory");
#endif
}

// Tensor cores and bulk copies come to shared memory by a way of their own, unordered behind ordinary accesses. In every thread after
// stores that they are to see, or loads from what a copy is to fill next, before the barrier that lets them at it.
__device__ inline void fence_async_proxy() {
#ifdef FATHOM_BULK_COPIES
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

}  // namespace fathom::cuda
