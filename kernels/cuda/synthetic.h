// Weights out of thin air, made where they are read.
//
// Bound by writing them. Reference: libengine/weights/synthetic.h, which has the recipe; bit for bit the same.
#pragma once

#include <cstdint>

#include "cuda/launch.h"
#include "cuda/linear.h"

namespace fathom::cuda {

// Rows [row, row + rows) and columns [col, col + cols) of a tensor that is tensor_cols wide.
struct SyntheticMatrix {
  WeightFormat format = WeightFormat::kBf16;
  std::uint64_t value_key = 0, scale_key = 0, zero_key = 0;            // of the streams of random words
  float step = 0;                                                      // bf16: from one value to the next
  float scale = 0;                                                     // others: the middle one of their scales
  std::int64_t row = 0, rows = 0, col = 0, cols = 0, tensor_cols = 0;  // columns: multiples of 8; four bits: of 128
  void* codes = nullptr;          // four bits: in the host's order, for repack_int4_codes()
  void* scales = nullptr;         // as Weights has them
  std::uint8_t* zeros = nullptr;  // four bits: as Weights has them; nullptr: symmetric
  std::int64_t scale_stride = 0;
};
void make_synthetic(const Launch& how, const SyntheticMatrix& op);

}  // namespace fathom::cuda
