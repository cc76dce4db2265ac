#include "host/vector_math.h"

#include <algorithm>
#include <bit>
#include <cmath>

// One source, compiled for several instruction sets; the loader picks. Without fused multiply-add all give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define FATHOM_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FATHOM_CLONES
#endif

namespace fathom::host {

namespace {

constexpr int kLanes = 16;

float sum_of(const float (&lane)[kLanes]) {
  float pair[8], four[4];
  for (int i = 0; i < 8; ++i) pair[i] = lane[i] + lane[i + 8];
  for (int i = 0; i < 4; ++i) four[i] = pair[i] + pair[i + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

// Always inlined, so that each clone has its own.
[[gnu::always_inline]] inline float lanes_dot(const float* a, const float* b, std::int64_t n) {
  float lane[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) lane[j] += a[i + j] * b[i + j];
  }
  for (int j = 0; i < n; ++i, ++j) lane[j] += a[i] * b[i];
  return sum_of(lane);
}

// exp(x) = 2^n e^r with n = round(x / ln 2), |r| <= ln(2)/2, and the Taylor series of e^r to the seventh power, whose rest
// is below 1e-8. ln 2 in two parts keeps r exact (Cody and Waite). No branch, so that loops of it vectorise.
[[gnu::always_inline]] inline float exponential(float x) {
  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it leaves no fraction bits
  const float inside = std::min(std::max(x, -87.0f), 88.0f);
  const float n = (inside * 1.44269504f + kRounder) - kRounder;
  const float r = (inside - n * 0.693359375f) - n * -2.12194440e-4f;
  const float series =
      1 + r * (1 + r * (0.5f + r * (1 / 6.f + r * (1 / 24.f + r * (1 / 120.f + r * (1 / 720.f + r / 5040.f))))));
  const float power = std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
  return x < -87.0f ? 0.0f : series * power;
}

}  // namespace

FATHOM_CLONES void add_scaled(float* y, float a, const float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

FATHOM_CLONES void add(float* y, const float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += x[i];
}

FATHOM_CLONES void rms_norm(const float* x, const float* weight, float epsilon, std::int64_t n, float* y) {
  const float factor = 1.0f / std::sqrt(lanes_dot(x, x, n) / static_cast<float>(n) + epsilon);
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] * factor * weight[i];
}

FATHOM_CLONES void silu_times(const float* gate, const float* up, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = gate[i] / (1.0f + exponential(-gate[i])) * up[i];
}

FATHOM_CLONES void page_scores(const float* query, std::int64_t width, const float* columns, float scale,
                               float* scores) {
  constexpr int kRows = 64;  // attention.h, kPageRows
  float sums[kRows] = {};
  for (std::int64_t i = 0; i < width; ++i) {
    for (int j = 0; j < kRows; ++j) sums[j] += query[i] * columns[i * kRows + j];
  }
  for (int j = 0; j < kRows; ++j) scores[j] = sums[j] * scale;
}

FATHOM_CLONES float exponentials(float* scores, std::int64_t rows, float highest) {
  for (std::int64_t j = 0; j < rows; ++j) scores[j] = exponential(scores[j] - highest);
  float sum = 0;
  for (std::int64_t j = 0; j < rows; ++j) sum += scores[j];
  return sum;
}

// Four rows at a time, so that `out` is read and written a quarter as often.
FATHOM_CLONES void add_weighted_rows(float* out, std::int64_t width, const float* weights, const float* values,
                                     std::int64_t stride, std::int64_t rows) {
  std::int64_t j = 0;
  for (; j + 4 <= rows; j += 4) {
    const float *a = values + j * stride, *b = a + stride, *c = b + stride, *d = c + stride;
    const float wa = weights[j], wb = weights[j + 1], wc = weights[j + 2], wd = weights[j + 3];
    for (std::int64_t i = 0; i < width; ++i) out[i] = (((out[i] + wa * a[i]) + wb * b[i]) + wc * c[i]) + wd * d[i];
  }
  for (; j < rows; ++j) {
    const float* row = values + j * stride;
    for (std::int64_t i = 0; i < width; ++i) out[i] += weights[j] * row[i];
  }
}

FATHOM_CLONES void widen_bf16(const std::uint16_t* from, std::int64_t n, float* to) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = std::bit_cast<float>(static_cast<std::uint32_t>(from[i]) << 16);
}

}  // namespace fathom::host
