// Arrays as Hopper's copy engine sees them: it brings boxes of them to shared memory, swizzled, with zeros where a box reaches beyond
// the array. bulk_copy.cuh has the instruction.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace fathom::cuda {

// Of bf16. Dimension 0 is contiguous; `bytes[i]` from one place of dimension i + 1 to the next, a multiple of 16. Boxes are 64 values
// wide, so that swizzled_matrix() of wgmma.cuh can name what arrives.
struct MappedArray {
  const void* data = nullptr;  // at a multiple of 16
  std::uint64_t size[4] = {1, 1, 1, 1};
  std::uint64_t bytes[3] = {16, 16, 16};
  std::uint32_t box[4] = {64, 1, 1, 1};
};

// Throws CudaError where the driver has no such thing or does not like the array.
CUtensorMap tensor_map(const MappedArray& array);

}  // namespace fathom::cuda
