// The operands of a product as its kernels take them, and how a sum becomes an output.
#pragma once

#include <cstdint>

#include "cuda/linear.h"
#include "cuda/numbers.cuh"

namespace fathom::cuda {

struct MatrixPointers {
  const char* codes = nullptr;
  const char* scales = nullptr;
  const char* zeros = nullptr;
  std::int64_t row_phase = 0;
};

struct LinearArguments {
  MatrixPointers matrix[2];  // the second is Up of a gated product
  bool gated = false;
  std::int64_t rows = 0, cols = 0, scale_stride = 0;
  const std::uint16_t* x = nullptr;
  std::int64_t x_stride = 0;
  int tokens = 0;  // of this launch; ignored with first_pair
  int tile_tokens = 0;
  void* y = nullptr;
  std::int64_t y_stride = 0;
  bool y_fp32 = false;
  const void* add = nullptr;
  const std::uint16_t* bias = nullptr;
  TokenNorm norm;
  float* partials = nullptr;
  std::uint32_t* counters = nullptr;
  const std::int32_t* first_pair = nullptr;
  const std::int32_t* used = nullptr;
  int slots = 1;  // of `used`, to visit
  const std::int32_t* x_rows = nullptr;
  std::int64_t expert_scale_bytes = 0;  // from one expert's scales to the next one's; zeros: rows
};

// Rows of a matrix that a format stores, in bytes.
template <class Format>
__host__ __device__ inline std::int64_t code_bytes(std::int64_t columns) {
  return columns * Format::kBits / 8;
}

// What an output has besides its product.
__device__ inline float addend(const LinearArguments& a, std::int64_t token, std::int64_t row) {
  float value = a.bias != nullptr ? from_bf16(a.bias[row]) : 0.0f;
  if (a.add == nullptr) return value;
  const std::int64_t at = token * a.y_stride + row;
  return value +
         (a.y_fp32 ? static_cast<const float*>(a.add)[at] : from_bf16(static_cast<const std::uint16_t*>(a.add)[at]));
}
__device__ inline void store_whole(const LinearArguments& a, std::int64_t token, std::int64_t row, float value) {
  const std::int64_t at = token * a.y_stride + row;
  if (a.y_fp32) {
    static_cast<float*>(a.y)[at] = value;
  } else {
    static_cast<std::uint16_t*>(a.y)[at] = to_bf16(value);
  }
}
__device__ inline void store_output(const LinearArguments& a, std::int64_t token, std::int64_t row, float value) {
  store_whole(a, token, row, value + addend(a, token, row));
}

}  // namespace fathom::cuda
