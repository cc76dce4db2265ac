// Sums over warps and blocks, in an order that depends on the block's size only, and four values at a time.
#pragma once

#include <cstdint>

#include "cuda/numbers.cuh"

namespace fathom::cuda {

template <class T>
__device__ inline T warp_sum(T x) {
#pragma unroll
  for (int d = 16; d > 0; d /= 2) x += __shfl_xor_sync(0xffffffffu, x, d);
  return x;
}

// Of all threads, to all threads. `scratch` holds a value per warp and is free again after the next barrier.
template <class T>
__device__ inline T block_sum(T x, T* scratch) {
  const int lane = threadIdx.x % 32, warps = (blockDim.x + 31) / 32;
  x = warp_sum(x);
  if (lane == 0) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  return warp_sum(lane < warps ? scratch[lane] : T{});
}

__device__ inline float4 read_four(const void* from, bool fp32, std::int64_t at) {
  if (fp32) return *reinterpret_cast<const float4*>(static_cast<const float*>(from) + at);
  const uint2 pairs = *reinterpret_cast<const uint2*>(static_cast<const std::uint16_t*>(from) + at);
  return make_float4(low_bf16(pairs.x), high_bf16(pairs.x), low_bf16(pairs.y), high_bf16(pairs.y));
}

__device__ inline void write_four(std::uint16_t* to, std::int64_t at, float a, float b, float c, float d) {
  *reinterpret_cast<uint2*>(to + at) = make_uint2(to_bf16_pair(a, b), to_bf16_pair(c, d));
}

}  // namespace fathom::cuda
