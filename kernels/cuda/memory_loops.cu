#include <algorithm>

#include "cuda/launch.cuh"
#include "cuda/memory_loops.h"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::size_t kVector = 16;

// Past the first-level cache, which would only be filled. volatile: a pass is not the one before.
__device__ uint4 load(const uint4* from) {
  uint4 v;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from));
  return v;
}

template <int kLoads>
__global__ void __launch_bounds__(kThreads)
    read(const uint4* from, std::size_t vectors, int passes, unsigned long long* sum) {
  constexpr std::size_t kPart = static_cast<std::size_t>(kThreads) * kLoads;
  unsigned long long own = 0;
  for (int pass = 0; pass < passes; ++pass) {
    for (std::size_t part = blockIdx.x * kPart; part < vectors; part += gridDim.x * kPart) {
      uint4 v[kLoads];
#pragma unroll
      for (int i = 0; i < kLoads; ++i) v[i] = load(from + part + i * kThreads + threadIdx.x);
#pragma unroll
      for (int i = 0; i < kLoads; ++i) {
        own += v[i].x | static_cast<unsigned long long>(v[i].y) << 32;
        own += v[i].z | static_cast<unsigned long long>(v[i].w) << 32;
      }
    }
  }
  for (int lane = 16; lane > 0; lane /= 2) own += __shfl_xor_sync(0xffffffffu, own, lane);
  if (threadIdx.x % 32 == 0) atomicAdd(sum, own);
}

__global__ void __launch_bounds__(kThreads) write(uint4* to, std::size_t vectors, std::uint32_t word) {
  const uint4 v = make_uint4(word, word, word, word);
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * kThreads;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * kThreads + threadIdx.x; i < vectors; i += step) {
    __stcs(to + i, v);
  }
}

int blocks_of(const MemoryGrid& grid, std::size_t parts) {
  const int own = grid.blocks_per_multiprocessor * device_traits().multiprocessors;
  return static_cast<int>(grid.blocks_per_multiprocessor == 0 ? parts : std::min<std::size_t>(parts, own));
}

}  // namespace

void read_memory(const Launch& how, const MemoryGrid& grid, const void* from, std::size_t bytes, int passes,
                 unsigned long long* sum) {
  const std::size_t vectors = bytes / kVector;
  const int blocks = blocks_of(grid, vectors / kThreads / grid.loads);
  launch("read_memory", grid.loads == 8 ? read<8> : read<4>, blocks, kThreads, 0, how, static_cast<const uint4*>(from),
         vectors, passes, sum);
}

void write_memory(const Launch& how, const MemoryGrid& grid, void* to, std::size_t bytes, std::uint32_t word) {
  const std::size_t vectors = bytes / kVector;
  launch("write_memory", write, blocks_of(grid, vectors / kThreads), kThreads, 0, how, static_cast<uint4*>(to), vectors,
         word);
}

}  // namespace fathom::cuda
