// Cached pages with poison where nothing may be read, and attention in double over them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "host/attention.h"
#include "on_device.h"

namespace fathom::cuda {

// Sequences of these lengths on shuffled pages. Pages that nobody has, and rows of a page beyond a length, are NaN.
struct Paged {
  std::vector<int> lengths;
  int table_stride = 0;
  std::int64_t page_values = 0;
  std::vector<std::int32_t> table;
  std::vector<std::uint16_t> pages;

  Paged(std::vector<int> lengths_, std::int64_t page_values_, Random& random)
      : lengths(std::move(lengths_)), page_values(page_values_) {
    int wanted = 0;
    for (int l : lengths) {
      table_stride = std::max(table_stride, (l + 63) / 64 + 2);
      wanted += (l + 63) / 64;
    }
    std::vector<std::int32_t> free(wanted + 5);
    std::iota(free.begin(), free.end(), 0);
    for (std::size_t i = free.size(); i > 1; --i) std::swap(free[i - 1], free[random.below(static_cast<int>(i))]);
    table.assign(lengths.size() * table_stride, -1);
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      for (int p = 0; p < (lengths[s] + 63) / 64; ++p) table[s * table_stride + p] = free[--wanted];
    }
    pages.assign((free.size()) * page_values, 0xffff);
  }
  std::uint16_t* page_of(std::size_t sequence, int token) {
    return pages.data() + table[sequence * table_stride + token / 64] * page_values;
  }
};

// One row over `keys` and `values` [tokens, width], in double.
inline std::vector<float> reference(const float* q, int key, const std::vector<double>& keys,
                                    const std::vector<double>& values, int value, int first, int last, float scale) {
  std::vector<double> query(q, q + key), out(value, 0), columns(64 * key), scores(64);
  host::SoftmaxState<double> state;
  for (int page = first / 64 * 64; page < last; page += 64) {
    const int count = std::min(64, last - page);
    host::keys_by_column(keys.data() + page * key, key, key, count, columns.data());
    host::attend<double>(query.data(), key, columns.data(), values.data() + page * value, value, value,
                         std::max(0, first - page), count, scale, scores.data(), state, out.data());
  }
  host::finish(state, out.data(), value);
  return {out.begin(), out.end()};
}

inline void expect_close(const std::vector<float>& actual, const std::vector<float>& expected) {
  double dot = 0, a = 0, b = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    dot += static_cast<double>(actual[i]) * expected[i];
    a += static_cast<double>(actual[i]) * actual[i];
    b += static_cast<double>(expected[i]) * expected[i];
  }
  EXPECT_LT(1 - dot / std::sqrt(a * b), 5e-6);
  EXPECT_LT(distance(actual, expected), 5e-3);
}

}  // namespace fathom::cuda
