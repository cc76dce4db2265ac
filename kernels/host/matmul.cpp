#include <algorithm>

#include "host/matmul_paths.h"

namespace fathom::host {
namespace {

std::vector<MatmulPath> available_paths() {
  std::vector<MatmulPath> paths;
#if defined(__x86_64__)
  // F16C came before AVX2 and is in every processor that has it; Clang 14 cannot ask for it by name.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
    paths.push_back(kAvx512Path);
  }
  if (avx2) paths.push_back(kAvx2Path);
#endif
  paths.push_back(kPortablePath);
  return paths;
}

// Waking a team costs some 5 us, in which a core does about 64 Ki multiply-adds on weights from memory (bf16, 25 GB/s).
constexpr std::int64_t kWorthAWorker = 64 * 1024;

std::int64_t worthwhile(std::int64_t work_per_item, std::int64_t multiple) {
  const std::int64_t items = kWorthAWorker / std::max<std::int64_t>(work_per_item, 1) + 1;
  return (items + multiple - 1) / multiple * multiple;
}

}  // namespace

const std::vector<MatmulPath>& matmul_paths() {
  static const std::vector<MatmulPath> paths = available_paths();
  return paths;
}

void matmul_on(const MatmulPath& path, Team& team, const Matrix& w, const float* x, std::int64_t x_stride,
               std::int64_t tokens, float* y, std::int64_t y_stride) {
  if (tokens <= 0) return;
  team.for_ranges(w.rows, worthwhile(w.cols * tokens, 4), [&](std::int64_t begin, std::int64_t end) {
    path.multiply(w.row_range(begin, end - begin), x, x_stride, tokens, y + begin, y_stride);
  });
}

void matmul_transposed_on(const MatmulPath& path, Team& team, const Matrix& w, const float* x, std::int64_t x_stride,
                          std::int64_t tokens, float* y, std::int64_t y_stride) {
  if (tokens <= 0) return;
  team.for_ranges(w.cols, worthwhile(w.rows * tokens, 128), [&](std::int64_t begin, std::int64_t end) {
    path.multiply_transposed(w, begin, end, x, x_stride, tokens, y, y_stride);
  });
}

void matmul(Team& team, const Matrix& w, const float* x, std::int64_t x_stride, std::int64_t tokens, float* y,
            std::int64_t y_stride) {
  matmul_on(matmul_paths().front(), team, w, x, x_stride, tokens, y, y_stride);
}

void matmul_all(Team& team, std::span<const Product> products, const float* x, std::int64_t x_stride,
                std::int64_t tokens) {
  if (tokens <= 0 || products.empty()) return;
  std::int64_t rows = 0;
  for (const Product& p : products) rows += p.w.rows;
  const MatmulPath& path = matmul_paths().front();
  team.for_ranges(rows, worthwhile(products.front().w.cols * tokens, 4), [&](std::int64_t begin, std::int64_t end) {
    std::int64_t first = 0;  // of this product, in the rows of all
    for (const Product& p : products) {
      const std::int64_t from = std::max(begin - first, std::int64_t{0}), to = std::min(end - first, p.w.rows);
      if (from < to) path.multiply(p.w.row_range(from, to - from), x, x_stride, tokens, p.y + from, p.y_stride);
      first += p.w.rows;
    }
  });
}

void matmul_transposed(Team& team, const Matrix& w, const float* x, std::int64_t x_stride, std::int64_t tokens,
                       float* y, std::int64_t y_stride) {
  matmul_transposed_on(matmul_paths().front(), team, w, x, x_stride, tokens, y, y_stride);
}

const char* matmul_path() { return matmul_paths().front().name; }

}  // namespace fathom::host
