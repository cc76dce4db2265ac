#include "weights/synthetic.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "host/convert.h"
#include "weights/random_words.h"
#include "weights/slice_memory.h"

namespace fathom {

namespace {

static_assert(std::endian::native == std::endian::little, "pieces of words are taken by their place in memory");

constexpr float kMiddle = 32767.5F;  // of 16 bits
constexpr double kHalfRange = 32768;
constexpr float kScaleSpread = 1.0F / (1 << 18);  // scales differ by an eighth, so that a wrong one shows
constexpr double kScaleMeanSquare = 1 + 1.0 / 192;
constexpr std::uint8_t kSmallCodes = 0xBF;  // e4m3 with the highest bit of the exponent clear
constexpr double kSymmetricMeanSquare = 17.5;
constexpr double kAsymmetricMeanSquare = 22.5;

// out[j] = make(piece first + j). Two plain loops per batch: about 1e9 bf16 values per second and core into memory that
// is there, 0.6e9 with its first touch (EPYC, SSE2).
template <class Piece, class Out, class Make>
void fill(const RandomWords& words, std::int64_t first, std::int64_t count, Out* out, Make make) {
  constexpr std::int64_t kWords = 256, kPerWord = sizeof(std::uint64_t) / sizeof(Piece);
  std::array<std::uint64_t, kWords> batch;
  std::array<Piece, kWords * kPerWord> pieces;
  for (std::int64_t i = first; i < first + count;) {
    const std::int64_t word = i / kPerWord, skipped = i % kPerWord;
    const std::int64_t n = std::min(kWords * kPerWord - skipped, first + count - i);
    const std::int64_t words_used = (skipped + n + kPerWord - 1) / kPerWord;
    for (std::int64_t w = 0; w < words_used; ++w) batch[w] = words.word(word + w);
    std::memcpy(pieces.data(), batch.data(), static_cast<std::size_t>(words_used) * sizeof(std::uint64_t));
    for (std::int64_t j = 0; j < n; ++j) out[j] = make(pieces[skipped + j]);
    out += n;
    i += n;
  }
}

// Calls fill_run(global index, count, place in the slice) for every run of elements that lie together in the tensor.
template <class FillRun>
void for_runs(const TensorSlice& s, FillRun fill_run) {
  if (s.col_count == s.cols) return fill_run(s.row * s.cols, s.row_count * s.cols, 0);
  for (std::int64_t r = 0; r < s.row_count; ++r) {
    fill_run((s.row + r) * s.cols + s.col, s.col_count, r * s.col_count);
  }
}

// Mean square of the codes that kSmallCodes leaves.
double code_mean_square() {
  double sum = 0;
  for (int code = 0; code < 64; ++code) {
    const double value = host::from_e4m3(static_cast<std::uint8_t>(code));
    sum += value * value / 64;
  }
  return sum;
}

class Scales {
 public:
  Scales(std::uint64_t seed, const TensorSlice& s, float base) : words_(seed, s.name, Stream::kScales), base_(base) {}
  float operator()(std::int64_t block) const {
    return base_ * (1.0F + (static_cast<float>(words_.sixteen_bits(block)) - kMiddle) * kScaleSpread);
  }

 private:
  RandomWords words_;
  float base_;
};

void fill_fp8(const TensorSlice& s, const RandomWords& values, const Scales& scale, const LoadedMatrix& m) {
  for_runs(s, [&](std::int64_t first, std::int64_t count, std::int64_t at) {
    fill<std::uint8_t>(values, first, count, m.codes.as<std::uint8_t>() + at,
                       [](std::uint8_t byte) { return static_cast<std::uint8_t>(byte & kSmallCodes); });
  });
  const std::int64_t tiles_across = blocks(s.cols);
  float* out = m.scales.as<float>();
  for (std::int64_t row = s.row / kBlock; row * kBlock < s.row + s.row_count; ++row) {
    for (std::int64_t col = s.col / kBlock; col * kBlock < s.col + s.col_count; ++col) {
      *out++ = scale(row * tiles_across + col);
    }
  }
}

std::uint64_t zero_nibbles_become_eight(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x1111111111111111;
  const std::uint64_t nonzero = (word | word >> 1 | word >> 2 | word >> 3) & kOnes;
  return word | (~nonzero & kOnes) << 3;
}

void fill_int4(const TensorSlice& s, const RandomWords& values, const RandomWords& zeros, const Scales& scale,
               const LoadedMatrix& m) {
  constexpr std::int64_t kWordsPerGroup = kBlock / 16;
  const bool symmetric = s.format == Format::kInt4G128;
  const std::int64_t groups = s.col_count / kBlock;
  auto* words = m.codes.as<std::uint64_t>();
  auto* scales = m.scales.as<std::uint16_t>();
  if (!symmetric) std::fill_n(m.zeros.as<std::uint8_t>(), m.zeros.bytes(), std::uint8_t{0});
  for (std::int64_t r = 0; r < s.row_count; ++r) {
    const std::int64_t first = (s.row + r) * (s.cols / kBlock) + s.col / kBlock;
    for (std::int64_t w = 0; w < groups * kWordsPerGroup; ++w) {
      const std::uint64_t word = values.word(first * kWordsPerGroup + w);
      *words++ = symmetric ? zero_nibbles_become_eight(word) : word;
    }
    for (std::int64_t g = 0; g < groups; ++g) *scales++ = host::to_fp16(scale(first + g));
    for (std::int64_t g = 0; g < groups && !symmetric; ++g) {
      put_zero(m.zeros.as<std::uint8_t>() + r * zero_bytes(s.col_count), g, 6U + (zeros.byte(first + g) & 3U));
    }
  }
}

}  // namespace

double SyntheticWeights::deviation(const TensorSlice& s) const {
  if (s.role == Role::kEmbedding && !tied_) return 1;
  const double k = static_cast<double>(s.cols);
  const bool residual = s.op == "attention.out" || s.op.ends_with(".down");
  return residual ? 1 / std::sqrt(2.0 * s.model_layers * k) : 1 / std::sqrt(k);
}

SyntheticWeights::Recipe SyntheticWeights::recipe(const TensorSlice& s) const {
  const double spread = deviation(s);
  const double square = s.format == Format::kFp8Block128    ? code_mean_square()
                        : s.format == Format::kInt4G128Asym ? kAsymmetricMeanSquare
                                                            : kSymmetricMeanSquare;
  return {.value_key = RandomWords(seed_, s.name, Stream::kValues).key(),
          .scale_key = RandomWords(seed_, s.name, Stream::kScales).key(),
          .zero_key = RandomWords(seed_, s.name, Stream::kZeros).key(),
          .step = static_cast<float>(spread * std::sqrt(3.0) / kHalfRange),
          .scale = static_cast<float>(spread / std::sqrt(square * kScaleMeanSquare))};
}

LoadedMatrix SyntheticWeights::matrix(const TensorSlice& s, Account& account) const {
  LoadedMatrix m = matrix_memory(s, account);
  const RandomWords values(seed_, s.name, Stream::kValues);
  const Recipe numbers = recipe(s);
  const float step = numbers.step;
  switch (m.view.storage) {
    case host::Storage::kFp32:
      for_runs(s, [&](std::int64_t first, std::int64_t count, std::int64_t at) {
        fill<std::uint16_t>(values, first, count, m.codes.as<float>() + at,
                            [step](std::uint16_t bits) { return (static_cast<float>(bits) - kMiddle) * step; });
      });
      break;
    case host::Storage::kBf16:
      for_runs(s, [&](std::int64_t first, std::int64_t count, std::int64_t at) {
        fill<std::uint16_t>(values, first, count, m.codes.as<std::uint16_t>() + at, [step](std::uint16_t bits) {
          return host::to_bf16((static_cast<float>(bits) - kMiddle) * step);
        });
      });
      break;
    case host::Storage::kFp8Block128:
      fill_fp8(s, values, Scales(seed_, s, numbers.scale), m);
      break;
    case host::Storage::kInt4G128:
    case host::Storage::kInt4G128Asym:
      fill_int4(s, values, RandomWords(seed_, s.name, Stream::kZeros), Scales(seed_, s, numbers.scale), m);
      break;
  }
  return m;
}

LoadedVector SyntheticWeights::vector(const TensorSlice& s, Account& account) const {
  LoadedVector v = vector_memory(s, account);
  const RandomWords values(seed_, s.name, Stream::kValues);
  auto* out = v.values.as<float>();
  const auto fill_with = [&](auto make) { fill<std::uint16_t>(values, s.row, s.row_count, out, make); };
  constexpr auto kTenth = static_cast<float>(0.1 / kHalfRange);
  constexpr auto kHundredth = static_cast<float>(0.01 / (2 * kHalfRange));
  if (s.role == Role::kRouterBias) {
    fill_with([](std::uint16_t bits) { return static_cast<float>(bits) * kHundredth; });
  } else if (s.role == Role::kNorm && s.name.ends_with(".weight")) {
    fill_with([](std::uint16_t bits) { return 1.0F + (static_cast<float>(bits) - kMiddle) * kTenth; });
  } else {
    fill_with([](std::uint16_t bits) { return (static_cast<float>(bits) - kMiddle) * kTenth; });
  }
  if (s.format != Format::kFp32) {
    std::for_each(out, out + s.row_count, [](float& x) { x = host::from_bf16(host::to_bf16(x)); });
  }
  return v;
}

void SyntheticWeights::check(const std::vector<TensorSlice>& slices) const { check_storable(slices, describe()); }

std::string SyntheticWeights::describe() const { return fmt::format("synthetic weights, seed {}", seed_); }

}  // namespace fathom
