// Weights of a linear layer as the host holds them, and y = x W^T over them.
//
// A Matrix is a view: it owns nothing. Arithmetic is fp32 whatever the storage; what a stored weight means is value().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "host/team.h"

namespace fathom::host {

enum class Storage {
  kFp32,          // float [rows][cols]
  kBf16,          // uint16 [rows][cols]
  kFp8Block128,   // e4m3 code [rows][cols]; W = code * scale, float scale [tile rows][ceil(cols/128)] per 128x128 tile
  kInt4G128,      // packed nibbles; W = scale * (q - 8), fp16 scale [rows][cols/128]
  kInt4G128Asym,  // the same with W = scale * (q - zero), 4-bit zero [rows][cols/128], two per byte, low first,
                  // each row from a byte of its own
};

// Four-bit rows: 64 bytes per group of 128 columns, sixteen little-endian 32-bit words; nibble j (low first) of word i
// is column 16 j + i, so that one permute of a 16-entry table turns a shifted vector of words into 16 neighbouring
// weights.
struct Matrix {
  Storage storage = Storage::kBf16;
  std::int64_t rows = 0;  // outputs
  std::int64_t cols = 0;  // inputs; a multiple of 128 for four-bit storage
  const void* codes = nullptr;
  const void* scales = nullptr;
  const void* zeros = nullptr;
  std::int64_t row_phase = 0;  // fp8: place of the first row within its tile of 128

  Matrix row_range(std::int64_t first, std::int64_t count) const;  // a view of some rows
};

// Bytes of each part for these sizes; row_phase 0.
struct MatrixBytes {
  std::size_t codes = 0, scales = 0, zeros = 0;
};
MatrixBytes matrix_bytes(Storage storage, std::int64_t rows, std::int64_t cols);

float value(const Matrix& w, std::int64_t row, std::int64_t col);

// y[t, n] = sum_k x[t, k] w[n, k], t < tokens. x is [tokens, w.cols] with x_stride floats from row to row, y is
// [tokens, w.rows] with y_stride. The order of a row's sum depends on the shape alone, never on the team or `tokens`;
// AVX2 and AVX-512 agree to the bit, the portable path rounds products separately. The two NaN codes of e4m3 must not
// occur in weights: fast paths read them as 480.
void matmul(Team& team, const Matrix& w, const float* x, std::int64_t x_stride, std::int64_t tokens, float* y,
            std::int64_t y_stride);

// The same of several matrices with one input, as one loop of the team: short ones are not worth waking it each.
struct Product {
  Matrix w;
  float* y = nullptr;
  std::int64_t y_stride = 0;
};
void matmul_all(Team& team, std::span<const Product> products, const float* x, std::int64_t x_stride,
                std::int64_t tokens);

// y[t, k] = sum_n x[t, n] w[n, k]: the same matrix from its other side (W_UK in absorbed latent attention).
void matmul_transposed(Team& team, const Matrix& w, const float* x, std::int64_t x_stride, std::int64_t tokens,
                       float* y, std::int64_t y_stride);

// Plain loops, one home of what the fast paths must equal up to rounding.
void matmul_reference(const Matrix& w, const float* x, std::int64_t x_stride, std::int64_t tokens, float* y,
                      std::int64_t y_stride);

const char* matmul_path();  // "AVX-512", "AVX2" or "portable": what this processor runs

}  // namespace fathom::host
