#include "rotation.h"

#include <algorithm>

#include "cuda/decode_attention.h"
#include "cuda/random_numbers.h"

namespace fathom::cuda {
namespace {

constexpr std::size_t kMostCopies = 200, kFewestLaunches = 24;

std::int64_t bits_of(WeightFormat format) {
  return format == WeightFormat::kBf16 ? 16 : format == WeightFormat::kInt4G128 ? 4 : 8;
}

std::int64_t scale_bytes(WeightFormat format, std::int64_t rows, std::int64_t cols) {
  if (format == WeightFormat::kFp8Block128) return (rows + 127) / 128 * ((cols + 127) / 128) * 4;
  return format == WeightFormat::kInt4G128 ? rows * cols / 128 * 2 : 0;
}

// Codes, then scales, and zeros of four bits, from `at` on, which moves to where the next matrix may begin.
Weights place(WeightFormat format, std::int64_t rows, std::int64_t cols, std::uint8_t*& at) {
  Weights w{.format = format, .rows = rows, .cols = cols, .codes = at, .scale_stride = rows};
  at += rows * cols * bits_of(format) / 8;
  w.scales = at;
  const std::int64_t bytes = scale_bytes(format, rows, cols);
  if (bytes > 0) fill_random({}, at, bytes, 0x81bf, 0x3e00);  // as float 1/8 to 1.5, as fp16 1.5 to 2, as e4m3 no NaN
  at += bytes;
  if (format == WeightFormat::kInt4G128 && rows % 4 == 0) {
    w.zeros = at;
    fill_random({}, at, rows * cols / 128, 0x0f0f, 0);
    at += rows * cols / 128;
  }
  at += (256 - reinterpret_cast<std::uintptr_t>(at) % 256) % 256;
  return w;
}

std::vector<std::int32_t> page_numbers(int launches, int wanted, int held) {
  std::vector<std::int32_t> numbers;
  for (int l = 0; l < launches; ++l) {
    for (int i = 0; i < wanted; ++i) numbers.push_back((l * wanted + static_cast<int>(i * 7919LL % wanted)) % held);
  }
  return numbers;
}

}  // namespace

const char* name_of(WeightFormat format) {
  return format == WeightFormat::kBf16 ? "bf16" : format == WeightFormat::kInt4G128 ? "int4" : "fp8";
}

RotatingWeights::RotatingWeights(const Bench& bench, WeightFormat format, std::int64_t rows, std::int64_t cols,
                                 bool gated) {
  std::uint8_t* at = bench.pool();
  do {
    const std::uint8_t* begin = at;
    w.push_back(place(format, rows, cols, at));
    up.push_back(gated ? place(format, rows, cols, at) : Weights{});
    bytes = at - begin;
  } while (at - bench.pool() + bytes <= Bench::kPoolBytes && w.size() < kMostCopies);
  launches = static_cast<int>(std::max(w.size(), kFewestLaunches));
}

RotatingPages::RotatingPages(int sequences, int length, std::size_t page_bytes)
    : stride((length + kPageTokens - 1) / kPageTokens),
      launches(std::clamp(static_cast<int>(Bench::kPoolBytes / page_bytes) / (sequences * stride), 1, 100)),
      tables(page_numbers(launches, sequences * stride, static_cast<int>(Bench::kPoolBytes / page_bytes))),
      lengths(std::vector<std::int32_t>(sequences, length)),
      lines_(std::int64_t{sequences} * stride) {}

}  // namespace fathom::cuda
