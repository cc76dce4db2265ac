// out = (x + add) / sqrt(mean((x + add)^2) + epsilon) * weight, row by row.
//
// Bound by one read and one write. Reference: host/vector_math.h, rms_norm.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

struct RmsNorm {
  int rows = 0;
  int width = 0;  // a multiple of 4, at most 16384
  const void* x = nullptr;
  std::int64_t x_stride = 0;  // values, as the other strides; a multiple of 4
  bool x_fp32 = true;         // else bf16
  const void* add = nullptr;  // or nullptr
  std::int64_t add_stride = 0;
  bool add_fp32 = true;
  float* sum = nullptr;  // x + add [rows, x_stride], or nullptr; may be x
  const float* weight = nullptr;
  float epsilon = 0;
  const std::int32_t* rows_of_x = nullptr;  // which rows; nullptr: row r is row r. Not with `sum`
  std::uint16_t* out = nullptr;             // bf16 [rows, out_stride]
  std::int64_t out_stride = 0;
};

void rms_norm(const Launch& how, const RmsNorm& op);

}  // namespace fathom::cuda
