// Attention of one query over a run of cached rows, taken piece by piece (online softmax): the pieces are pages.
//
//   m' = max(m, s_j)   l' = l e^(m-m') + sum_j e^(s_j-m')   o' = o e^(m-m') + sum_j e^(s_j-m') v_j,   result o / l
//
// Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018. Real is float in the executor, double in the
// tests that tell rounding from error.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "host/vector_math.h"

namespace fathom::host {

template <class Real>
struct SoftmaxState {
  Real max = -std::numeric_limits<Real>::infinity();
  Real sum = 0;
};

// The three loops of a piece. For double they are written out here, for float vectorised in vector_math.h.
inline void scores_of(const double* query, std::int64_t width, const double* keys, std::int64_t stride,
                      std::int64_t rows, double scale, double* scores) {
  for (std::int64_t j = 0; j < rows; ++j) {
    scores[j] = 0;
    for (std::int64_t i = 0; i < width; ++i) scores[j] += query[i] * keys[j * stride + i];
    scores[j] *= scale;
  }
}
inline double exponentials(double* scores, std::int64_t rows, double highest) {
  double sum = 0;
  for (std::int64_t j = 0; j < rows; ++j) sum += scores[j] = std::exp(scores[j] - highest);
  return sum;
}
inline void add_weighted_rows(double* out, std::int64_t width, const double* weights, const double* values,
                              std::int64_t stride, std::int64_t rows) {
  for (std::int64_t j = 0; j < rows; ++j) {
    for (std::int64_t i = 0; i < width; ++i) out[i] += weights[j] * values[j * stride + i];
  }
}

// `rows` keys [rows, key_width] and values [rows, value_width], both with their strides; `scores` is scratch of `rows`.
// Rows beyond the query's own position must not be passed: causality is the caller's.
template <class Real>
void attend(const Real* query, std::int64_t key_width, const Real* keys, std::int64_t key_stride, const Real* values,
            std::int64_t value_width, std::int64_t value_stride, std::int64_t rows, Real scale, Real* scores,
            SoftmaxState<Real>& state, Real* out) {
  if (rows <= 0) return;
  scores_of(query, key_width, keys, key_stride, rows, scale, scores);
  const Real highest = std::max(state.max, *std::max_element(scores, scores + rows));
  const Real shrink = std::exp(state.max - highest);  // 0 for the first piece: e^-inf
  for (std::int64_t i = 0; i < value_width; ++i) out[i] *= shrink;
  state.sum = state.sum * shrink + exponentials(scores, rows, highest);
  add_weighted_rows(out, value_width, scores, values, value_stride, rows);
  state.max = highest;
}

template <class Real>
void finish(const SoftmaxState<Real>& state, Real* out, std::int64_t value_width) {
  const Real factor = 1 / state.sum;
  for (std::int64_t i = 0; i < value_width; ++i) out[i] *= factor;
}

}  // namespace fathom::host
