// Blocks of y = x W^T, written once over a vector type of sixteen fp32 lanes; each instruction set brings its own
// `Lanes` (matmul_avx512.cpp, matmul_avx2.cpp, matmul_portable.cpp) and instantiates everything here.
//
// One order for every block shape: lane i of an accumulator takes columns i, 16 + i, 32 + i, ... in turn, one fused
// multiply-add each with w = value(); Lanes::sum() folds 16 lanes to 8, 4, 2, 1 by halves. So y depends neither on how
// many rows and tokens share a block nor on where a worker's rows begin, and AVX2 and AVX-512 agree to the bit.
//
// `Lanes` lives in an unnamed namespace, which keeps each instantiation within its file: the linker would otherwise be
// free to hand AVX-512 code to a processor without it. For the same reason an inline function that does not depend on
// Lanes is always_inline here, and std::min is not used.
#pragma once

#include <cstdint>
#include <cstring>

#include "host/matrix.h"

namespace fathom::host {

inline constexpr std::int64_t kLanes = 16;
inline constexpr std::int64_t kGroup = 128;  // columns that share a scale

// Weights of each storage: at(row, g) is where columns [128 g, 128 g + 128) of a row lie, group(row, g) adds their
// scale; of a group, chunk(j) expands sixteen weights to fp32 and chunk(j, n) the first n of sixteen, never reading
// beyond.

template <class Lanes>
struct Fp32Weights {
  static constexpr bool kWholeGroups = false;
  static constexpr std::int64_t kGroupBytes = 4 * kGroup;
  struct Group {
    const float* codes;
    Lanes chunk(int j) const { return Lanes::load(codes + kLanes * j); }
    Lanes chunk(int j, std::int64_t n) const { return Lanes::load(codes + kLanes * j, n); }
  };

  const float* codes;
  std::int64_t stride;

  explicit Fp32Weights(const Matrix& w) : codes(static_cast<const float*>(w.codes)), stride(w.cols) {}
  Fp32Weights(const float* first, std::int64_t row_stride) : codes(first), stride(row_stride) {}
  const float* at(std::int64_t row, std::int64_t g) const { return codes + row * stride + g * kGroup; }
  Group group(std::int64_t row, std::int64_t g) const { return {at(row, g)}; }
};

template <class Lanes>
struct Bf16Weights {
  static constexpr bool kWholeGroups = false;
  static constexpr std::int64_t kGroupBytes = 2 * kGroup;
  struct Group {
    const std::uint16_t* codes;
    Lanes chunk(int j) const { return Lanes::bf16(codes + kLanes * j); }
    Lanes chunk(int j, std::int64_t n) const { return Lanes::bf16(codes + kLanes * j, n); }
  };

  const std::uint16_t* codes;
  std::int64_t stride;

  explicit Bf16Weights(const Matrix& w) : codes(static_cast<const std::uint16_t*>(w.codes)), stride(w.cols) {}
  const std::uint16_t* at(std::int64_t row, std::int64_t g) const { return codes + row * stride + g * kGroup; }
  Group group(std::int64_t row, std::int64_t g) const { return {at(row, g)}; }
};

// Lanes::e4m3_256th() gives a 256th of the code's value, which is what its bits mean as fp16: the scale makes up for
// it.
template <class Lanes>
struct Fp8Weights {
  static constexpr bool kWholeGroups = false;
  static constexpr std::int64_t kGroupBytes = kGroup;
  struct Group {
    const std::uint8_t* codes;
    Lanes scale;
    Lanes chunk(int j) const { return Lanes::product(Lanes::e4m3_256th(codes + kLanes * j), scale); }
    Lanes chunk(int j, std::int64_t n) const { return Lanes::product(Lanes::e4m3_256th(codes + kLanes * j, n), scale); }
  };

  const std::uint8_t* codes;
  const float* scales;
  std::int64_t stride, tiles, phase;

  explicit Fp8Weights(const Matrix& w)
      : codes(static_cast<const std::uint8_t*>(w.codes)),
        scales(static_cast<const float*>(w.scales)),
        stride(w.cols),
        tiles((w.cols + kGroup - 1) / kGroup),
        phase(w.row_phase) {}
  const std::uint8_t* at(std::int64_t row, std::int64_t g) const { return codes + row * stride + g * kGroup; }
  Group group(std::int64_t row, std::int64_t g) const {
    const float scale = scales[(phase + row) / kGroup * tiles + g];
    return {at(row, g), Lanes::broadcast(256 * scale)};
  }
};

// scale * (q - zero) is exact in fp32, 4 bits times 11: the scale goes into the table of sixteen values, once per
// group, and costs the sum nothing.
template <class Lanes, bool kAsymmetric>
struct Int4Weights {
  static constexpr bool kWholeGroups = true;
  static constexpr std::int64_t kGroupBytes = kGroup / 2;
  struct Group {
    typename Lanes::Nibbles nibbles;
    Lanes chunk(int j) const { return nibbles.weights(j); }
  };

  const std::uint8_t *codes, *zeros;
  const std::uint16_t* scales;
  std::int64_t groups;

  explicit Int4Weights(const Matrix& w)
      : codes(static_cast<const std::uint8_t*>(w.codes)),
        zeros(static_cast<const std::uint8_t*>(w.zeros)),
        scales(static_cast<const std::uint16_t*>(w.scales)),
        groups(w.cols / kGroup) {}
  const std::uint8_t* at(std::int64_t row, std::int64_t g) const { return codes + (row * groups + g) * kGroupBytes; }
  Group group(std::int64_t row, std::int64_t g) const {
    int zero = 8;
    if constexpr (kAsymmetric) zero = zeros[row * ((groups + 1) / 2) + g / 2] >> (4 * (g & 1)) & 15;
    return {typename Lanes::Nibbles(at(row, g), scales[row * groups + g], zero)};
  }
};

// To second-level cache; an address beyond the matrix does no harm.
template <class Weights>
[[gnu::always_inline]] inline void prefetch_group(const Weights& w, std::int64_t row, std::int64_t g) {
  const char* codes = reinterpret_cast<const char*>(w.at(row, g));
#pragma GCC unroll 8
  for (std::int64_t line = 0; line < Weights::kGroupBytes; line += 64) __builtin_prefetch(codes + line, 0, 2);
}

// acc[r][t] += the products of row `row + r` and token t over `cols` columns. With kFetch, weights on their way from
// memory: ask for the block of rows below at the same time. That raised bf16, fp8 and int4 with 4,096 columns from 16,
// 10 and 9 GB/s to 19, 12 and 12 on one core of Zen 4, and with 1,024 columns from 8, 7 and 6 to 17, 14 and 10; a fixed
// distance along the row lost.
template <class Lanes, bool kFetch, int kRows, int kTokens, class Weights>
[[gnu::always_inline]] inline void add_products(const Weights& w, std::int64_t row, std::int64_t cols, const float* x,
                                                std::int64_t x_stride, Lanes (&acc)[kRows][kTokens]) {
  const auto add_chunk = [&](const auto& weights_of, const auto& inputs_of) __attribute__((always_inline)) {
    Lanes weights[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) weights[r] = weights_of(r);
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) {
      const Lanes inputs = inputs_of(t);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) acc[r][t] = Lanes::fma(weights[r], inputs, acc[r][t]);
    }
  };

  std::int64_t g = 0;
  for (; g < cols / kGroup; ++g) {
    const auto group_of = [&](int r) __attribute__((always_inline)) { return w.group(row + r, g); };
    decltype(group_of(0)) groups[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      groups[r] = group_of(r);
      if constexpr (kFetch) prefetch_group(w, row + kRows + r, g);
    }
    const float* inputs = x + g * kGroup;
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      add_chunk(
          [&](int r) __attribute__((always_inline)) { return groups[r].chunk(j); },
          [&](int t) __attribute__((always_inline)) { return Lanes::load(inputs + t * x_stride + kLanes * j); });
    }
  }

  if constexpr (!Weights::kWholeGroups) {
    const float* inputs = x + g * kGroup;
    std::int64_t left = cols % kGroup;
    for (int j = 0; left > 0; ++j, left -= kLanes) {
      const std::int64_t n = left < kLanes ? left : kLanes;
      add_chunk(
          [&](int r) __attribute__((always_inline)) { return w.group(row + r, g).chunk(j, n); },
          [&](int t) __attribute__((always_inline)) { return Lanes::load(inputs + t * x_stride + kLanes * j, n); });
    }
  }
}

struct Activations {
  const float* x;
  std::int64_t x_stride, tokens;
  float* y;
  std::int64_t y_stride;

  [[gnu::always_inline]] Activations from_token(std::int64_t first, std::int64_t count) const {
    return {x + first * x_stride, x_stride, count, y + first * y_stride, y_stride};
  }
};

// use<n>(first) on consecutive parts of `count`, as few as there can be with n <= kMax, which differ by one at most: 8
// in parts of 6 are 4 + 4 rather than 6 + 2.
template <int kMax, class Use>
void for_part(std::int64_t first, std::int64_t size, const Use& use) {
  if constexpr (kMax > 1) {
    if (size < kMax) return for_part<kMax - 1>(first, size, use);
  }
  use.template operator()<kMax>(first);
}

template <int kMax, class Use>
void for_parts(std::int64_t count, const Use& use) {
  const std::int64_t parts = (count + kMax - 1) / kMax;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t first = count * part / parts, next = count * (part + 1) / parts;
    for_part<kMax>(first, next - first, use);
  }
}

// ---- Few tokens: every weight is read from memory once and multiplied on the spot.

template <class Lanes, bool kFetch, int kRows, int kTokens, class Weights>
void stream_block(const Weights& w, std::int64_t row, std::int64_t cols, const Activations& a) {
  Lanes acc[kRows][kTokens];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) acc[r][t] = Lanes::zero();
  }
  add_products<Lanes, kFetch>(w, row, cols, a.x, a.x_stride, acc);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) a.y[t * a.y_stride + row + r] = acc[r][t].sum();
  }
}

// Tokens by kStreamTokens or fewer: after the first of them a block of rows comes from cache.
template <class Lanes, int kRows, class Weights>
void stream_tokens(const Weights& w, std::int64_t row, std::int64_t cols, const Activations& a) {
  for_parts<Lanes::kStreamTokens>(a.tokens, [&]<int kTokens>(std::int64_t first) {
    const Activations part = a.from_token(first, kTokens);
    if (first == 0) {
      stream_block<Lanes, true, kRows, kTokens>(w, row, cols, part);
    } else {
      stream_block<Lanes, false, kRows, kTokens>(w, row, cols, part);
    }
  });
}

template <class Lanes, int kRows, class Weights>
void stream(const Weights& w, std::int64_t rows, std::int64_t cols, const Activations& a) {
  std::int64_t row = 0;
  for (; row + kRows <= rows; row += kRows) stream_tokens<Lanes, kRows>(w, row, cols, a);
  for (; row < rows; ++row) stream_tokens<Lanes, 1>(w, row, cols, a);
}

// ---- Many tokens: a panel of weights is expanded to fp32 once and multiplied with all tokens of a batch.

inline constexpr std::int64_t kPanelRows = 16;
inline constexpr std::int64_t kPanelCols = 512;  // 32 KiB of fp32 with the rows: half of it in first-level cache
inline constexpr std::int64_t kPanelStride = kPanelCols + kLanes;  // rows 2 KiB apart would meet in the same cache sets
inline constexpr std::int64_t kBatch = 96;  // tokens whose sums stay in second-level cache, 96 KiB

struct alignas(64) Panel {
  float weights[kPanelRows * kPanelStride];
  float sums[kPanelRows * kBatch * kLanes];  // accumulators between two panels: [row][token][lane]

  [[gnu::always_inline]] float* sum(std::int64_t row, std::int64_t token) {
    return sums + (row * kBatch + token) * kLanes;
  }
};

template <class Lanes, class Weights>
void expand(const Weights& w, std::int64_t row, std::int64_t begin, std::int64_t end, float* out) {
  std::int64_t col = begin;
  for (; col + kGroup <= end; col += kGroup) {
    const auto group = w.group(row, col / kGroup);
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) group.chunk(j).store(out + col - begin + kLanes * j);
  }
  if constexpr (!Weights::kWholeGroups) {
    if (col == end) return;
    const auto group = w.group(row, col / kGroup);
    for (int j = 0; col < end; ++j, col += kLanes) {
      group.chunk(j, end - col < kLanes ? end - col : kLanes).store(out + col - begin);
    }
  }
}

template <class Lanes, int kRows, int kTokens>
[[gnu::always_inline]] inline void panel_block(Panel& panel, std::int64_t row, std::int64_t token, std::int64_t cols,
                                               const float* x, std::int64_t x_stride) {
  Lanes acc[kRows][kTokens];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) acc[r][t] = Lanes::load(panel.sum(row + r, token + t));
  }
  const Fp32Weights<Lanes> weights(panel.weights, kPanelStride);
  add_products<Lanes, false>(weights, row, cols, x + token * x_stride, x_stride, acc);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) acc[r][t].store(panel.sum(row + r, token + t));
  }
}

template <class Lanes, int kTokens>
void panel_tokens(Panel& panel, std::int64_t rows, std::int64_t token, std::int64_t cols, const float* x,
                  std::int64_t x_stride) {
  constexpr int kRows = Lanes::kBlockRows;
  std::int64_t row = 0;
  for (; row + kRows <= rows; row += kRows) {
    panel_block<Lanes, kRows, kTokens>(panel, row, token, cols, x, x_stride);
  }
  for (; row < rows; ++row) panel_block<Lanes, 1, kTokens>(panel, row, token, cols, x, x_stride);
}

template <class Lanes, class Weights>
void multiply_panel(Panel& panel, const Weights& w, std::int64_t first_row, std::int64_t rows, std::int64_t cols,
                    const Activations& a) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t t = 0; t < a.tokens; ++t) Lanes::zero().store(panel.sum(r, t));
  }
  for (std::int64_t begin = 0; begin < cols; begin += kPanelCols) {
    const std::int64_t end = begin + kPanelCols < cols ? begin + kPanelCols : cols;
    for (std::int64_t r = 0; r < rows; ++r) {
      expand<Lanes>(w, first_row + r, begin, end, panel.weights + r * kPanelStride);
    }
    for_parts<Lanes::kBlockTokens>(a.tokens, [&]<int kTokens>(std::int64_t token) {
      panel_tokens<Lanes, kTokens>(panel, rows, token, end - begin, a.x + begin, a.x_stride);
    });
  }
  for (std::int64_t t = 0; t < a.tokens; ++t) {
    for (std::int64_t r = 0; r < rows; ++r) {
      a.y[t * a.y_stride + first_row + r] = Lanes::load(panel.sum(r, t)).sum();
    }
  }
}

template <class Lanes, class Weights>
void multiply_batches(const Weights& w, std::int64_t rows, std::int64_t cols, const Activations& a) {
  Panel panel;
  for (std::int64_t token = 0; token < a.tokens; token += kBatch) {
    const Activations batch = a.from_token(token, kBatch < a.tokens - token ? kBatch : a.tokens - token);
    for (std::int64_t row = 0; row < rows; row += kPanelRows) {
      multiply_panel<Lanes>(panel, w, row, kPanelRows < rows - row ? kPanelRows : rows - row, cols, batch);
    }
  }
}

// ---- From the other side: y[t, k] = sum over n of x[t, n] w[n, k], n in order, four chunks of columns at a time.

template <class Lanes, int kTokens, class Weights>
void transposed_half_group(const Weights& w, std::int64_t rows, std::int64_t g, int first_chunk, const Activations& a) {
  Lanes acc[4][kTokens];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) acc[j][t] = Lanes::zero();
  }
  for (std::int64_t n = 0; n < rows; ++n) {
    const auto group = w.group(n, g);
    Lanes inputs[kTokens];
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) inputs[t] = Lanes::broadcast(a.x[t * a.x_stride + n]);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const Lanes weights = group.chunk(first_chunk + j);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) acc[j][t] = Lanes::fma(weights, inputs[t], acc[j][t]);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      acc[j][t].store(a.y + t * a.y_stride + g * kGroup + kLanes * (first_chunk + j));
    }
  }
}

template <class Lanes, class Weights>
void transposed_chunk(const Weights& w, std::int64_t rows, std::int64_t col, std::int64_t n, const Activations& a) {
  for (std::int64_t t = 0; t < a.tokens; ++t) {
    Lanes acc = Lanes::zero();
    for (std::int64_t row = 0; row < rows; ++row) {
      const Lanes weights = w.group(row, col / kGroup).chunk(static_cast<int>(col % kGroup / kLanes), n);
      acc = Lanes::fma(weights, Lanes::broadcast(a.x[t * a.x_stride + row]), acc);
    }
    float last[kLanes];
    acc.store(last);
    std::memcpy(a.y + t * a.y_stride + col, last, static_cast<std::size_t>(n) * sizeof(float));
  }
}

template <class Lanes, class Weights>
void transposed_columns(const Weights& w, std::int64_t rows, std::int64_t begin, std::int64_t end,
                        const Activations& a) {
  constexpr int kTokens = Lanes::kTransposedTokens;
  std::int64_t col = begin;
  for (; col + kGroup / 2 <= end; col += kGroup / 2) {
    const std::int64_t g = col / kGroup;
    const int chunk = static_cast<int>(col % kGroup / kLanes);
    std::int64_t t = 0;
    for (; t + kTokens <= a.tokens; t += kTokens) {
      transposed_half_group<Lanes, kTokens>(w, rows, g, chunk, a.from_token(t, kTokens));
    }
    for (; t < a.tokens; ++t) transposed_half_group<Lanes, 1>(w, rows, g, chunk, a.from_token(t, 1));
  }
  if constexpr (!Weights::kWholeGroups) {
    for (; col < end; col += kLanes) {
      transposed_chunk<Lanes>(w, rows, col, end - col < kLanes ? end - col : kLanes, a);
    }
  }
}

// ---- One function per storage and direction.

template <class Lanes, class Function>
void with_weights(const Matrix& w, const Function& use) {
  switch (w.storage) {
    case Storage::kFp32:
      return use(Fp32Weights<Lanes>(w));
    case Storage::kBf16:
      return use(Bf16Weights<Lanes>(w));
    case Storage::kFp8Block128:
      return use(Fp8Weights<Lanes>(w));
    case Storage::kInt4G128:
      return use(Int4Weights<Lanes, false>(w));
    case Storage::kInt4G128Asym:
      return use(Int4Weights<Lanes, true>(w));
  }
}

template <class Lanes>
void multiply(const Matrix& matrix, const float* x, std::int64_t x_stride, std::int64_t tokens, float* y,
              std::int64_t y_stride) {
  const Activations a{x, x_stride, tokens, y, y_stride};
  with_weights<Lanes>(matrix, [&](const auto& w) {
    if (tokens == 1) {
      stream<Lanes, Lanes::kStreamRows>(w, matrix.rows, matrix.cols, a);
    } else if (tokens <= Lanes::kStreamUpTo) {
      stream<Lanes, Lanes::kBlockRows>(w, matrix.rows, matrix.cols, a);
    } else {
      multiply_batches<Lanes>(w, matrix.rows, matrix.cols, a);
    }
  });
}

template <class Lanes>
void multiply_transposed(const Matrix& matrix, std::int64_t begin, std::int64_t end, const float* x,
                         std::int64_t x_stride, std::int64_t tokens, float* y, std::int64_t y_stride) {
  const Activations a{x, x_stride, tokens, y, y_stride};
  with_weights<Lanes>(matrix, [&](const auto& w) { transposed_columns<Lanes>(w, matrix.rows, begin, end, a); });
}

}  // namespace fathom::host
