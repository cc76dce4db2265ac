// Tensor core and copy instructions of compute capability 8.0 and later, one function each.
//
// Of m16n8k16, lane 4 g + t holds: of A rows g and g + 8, columns 2t, 2t+1 and 2t+8, 2t+9; of B the same inputs of column g; of the
// sums rows g and g + 8, columns 2t, 2t+1. The order of the sixteen inputs is free as long as A and B agree: kernels here let a
// lane take neighbouring inputs, so that 16-byte loads feed it.
#pragma once

#include <cstdint>

namespace fathom::cuda {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define FATHOM_TENSOR_CORES 1
#endif

__device__ inline unsigned shared_address(const void* at) {
  return static_cast<unsigned>(__cvta_generic_to_shared(at));
}

__device__ inline void mma_bf16(float (&sum)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0,
                                unsigned b1) {
#ifdef FATHOM_TENSOR_CORES
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#endif
}

__device__ inline void mma_fp16(float (&sum)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0,
                                unsigned b1) {
#ifdef FATHOM_TENSOR_CORES
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#endif
}

// Four 8x8 matrices of 16-bit numbers; lane l names row l % 8 of matrix l / 8.
__device__ inline void load_matrices(unsigned (&to)[4], unsigned at) {
#ifdef FATHOM_TENSOR_CORES
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(at)
               : "memory");
#endif
}
__device__ inline void load_matrices_transposed(unsigned (&to)[4], unsigned at) {
#ifdef FATHOM_TENSOR_CORES
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(at)
               : "memory");
#endif
}

// 16 bytes to shared memory in the background, zeros where `wanted` is false (`from` must be readable all the same).
__device__ inline void copy_16(unsigned to, const void* from, bool wanted) {
#ifdef FATHOM_TENSOR_CORES
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(wanted ? 16 : 0)
               : "memory");
#endif
}
__device__ inline void copy_4(unsigned to, const void* from) {
#ifdef FATHOM_TENSOR_CORES
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(from) : "memory");
#endif
}
__device__ inline void end_copy_group() {
#ifdef FATHOM_TENSOR_CORES
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int kPending>
__device__ inline void wait_for_copies() {  // until at most kPending groups of this thread are under way
#ifdef FATHOM_TENSOR_CORES
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
#endif
}

// Weights are read once: they need not displace activations from the first-level cache.
__device__ inline uint4 load_streamed_16(const void* at) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(at));
  return v;
}

}  // namespace fathom::cuda
