// Loops over memory that do nothing else, to see how fast it is. Copies are cudaMemcpyAsync's.
//
// Bound by their bytes. References: random_numbers.h, which knows what was written there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

// How much is under way: blocks for each multiprocessor (0: one for every part of the memory), loads of 16 bytes that each of a block's
// 256 threads begins before it uses the first: 4 or 8.
struct MemoryGrid {
  int blocks_per_multiprocessor = 8;
  int loads = 4;
};

// Adds the 64-bit words there to *sum, wrapping, `passes` times over; `bytes` a multiple of kMemoryPart.
inline constexpr std::size_t kMemoryPart = 256 * 16 * 8;
void read_memory(const Launch& how, const MemoryGrid& grid, const void* from, std::size_t bytes, int passes,
                 unsigned long long* sum);
// Writes `word` everywhere.
void write_memory(const Launch& how, const MemoryGrid& grid, void* to, std::size_t bytes, std::uint32_t word);

}  // namespace fathom::cuda
