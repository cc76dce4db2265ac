// The same multiplication for several instruction sets; the program picks one when it runs. For kernels/host, its tests and the
// probe, which measures each: other callers use matrix.h.
#pragma once

#include <cstdint>
#include <vector>

#include "host/matrix.h"

namespace fathom::host {

struct MatmulPath {
  const char* name;
  // As matmul(), on the calling thread, for all rows of w.
  void (*multiply)(const Matrix& w, const float* x, std::int64_t x_stride, std::int64_t tokens, float* y,
                   std::int64_t y_stride);
  // As matmul_transposed(), on the calling thread, for columns [begin, end); begin is a multiple of 128.
  void (*multiply_transposed)(const Matrix& w, std::int64_t begin, std::int64_t end, const float* x,
                              std::int64_t x_stride, std::int64_t tokens, float* y, std::int64_t y_stride);
};

// What this build has and this processor runs, fastest first; the portable one is last.
const std::vector<MatmulPath>& matmul_paths();

// The two public functions over a given path.
void matmul_on(const MatmulPath& path, Team& team, const Matrix& w, const float* x, std::int64_t x_stride,
               std::int64_t tokens, float* y, std::int64_t y_stride);
void matmul_transposed_on(const MatmulPath& path, Team& team, const Matrix& w, const float* x, std::int64_t x_stride,
                          std::int64_t tokens, float* y, std::int64_t y_stride);

extern const MatmulPath kPortablePath;
extern const MatmulPath kAvx2Path;    // x86-64 only
extern const MatmulPath kAvx512Path;  // x86-64 only

}  // namespace fathom::host
