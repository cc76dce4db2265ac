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

constexpr std::int64_t kPageRows = 64;  // a piece is at most so many rows

// The three loops of a piece. For double they are written out here, for float vectorised in vector_math.h.
inline void page_scores(const double* query, std::int64_t width, const double* columns, double scale, double* scores) {
  for (std::int64_t j = 0; j < kPageRows; ++j) {
    scores[j] = 0;
    for (std::int64_t i = 0; i < width; ++i) scores[j] += query[i] * columns[i * kPageRows + j];
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

// Keys of a page by column, [width][kPageRows], zero beyond `rows`: then 64 scores are one vector and no score needs a sum
// across a register. `stride` is from row to row of what is read.
template <class Real>
void keys_by_column(const Real* rows_of_keys, std::int64_t stride, std::int64_t width, std::int64_t rows,
                    Real* columns) {
  for (std::int64_t i = 0; i < width; ++i) {
    Real* column = columns + i * kPageRows;
    for (std::int64_t j = 0; j < rows; ++j) column[j] = rows_of_keys[j * stride + i];
    std::fill(column + rows, column + kPageRows, Real(0));
  }
}

// Rows [first, last) of a page: keys by column, values [kPageRows, value_width] with their stride; `scores` is scratch of
// kPageRows. Rows beyond the query's own position must not be among them: causality is the caller's.
template <class Real>
void attend(const Real* query, std::int64_t key_width, const Real* key_columns, const Real* values,
            std::int64_t value_width, std::int64_t value_stride, std::int64_t first, std::int64_t last, Real scale,
            Real* scores, SoftmaxState<Real>& state, Real* out) {
  if (first >= last) return;
  page_scores(query, key_width, key_columns, scale, scores);
  const Real highest = std::max(state.max, *std::max_element(scores + first, scores + last));
  const Real shrink = std::exp(state.max - highest);  // 0 for the first piece: e^-inf
  for (std::int64_t i = 0; i < value_width; ++i) out[i] *= shrink;
  state.sum = state.sum * shrink + exponentials(scores + first, last - first, highest);
  add_weighted_rows(out, value_width, scores + first, values + first * value_stride, value_stride, last - first);
  state.max = highest;
}

template <class Real>
void finish(const SoftmaxState<Real>& state, Real* out, std::int64_t value_width) {
  const Real factor = 1 / state.sum;
  for (std::int64_t i = 0; i < value_width; ++i) out[i] *= factor;
}

}  // namespace fathom::host
