#include <algorithm>
#include <cmath>
#include <cstring>

#include "cuda/random_numbers.h"
#include "gpu/time_on_card.h"
#include "gpu_cases/card_weights.h"
#include "host/convert.h"

namespace fathom::probe {

namespace {

using cuda::NumberType, cuda::WeightFormat;

constexpr std::size_t kAlignment = 256;
constexpr std::int64_t kGroup = 128;
constexpr int kMostCopies = 256;  // of copies_beyond_cache() 200

std::size_t aligned(std::int64_t bytes) {
  return (static_cast<std::size_t>(bytes) + kAlignment - 1) / kAlignment * kAlignment;
}

std::int64_t code_bits(WeightFormat format) {
  return format == WeightFormat::kBf16 ? 16 : format == WeightFormat::kFp8Block128 ? 8 : 4;
}

std::int64_t groups_of(std::int64_t count) { return (count + kGroup - 1) / kGroup; }

std::int64_t scale_bytes(WeightFormat format, std::int64_t rows, std::int64_t cols) {
  if (format == WeightFormat::kFp8Block128) return groups_of(rows) * groups_of(cols) * 4;
  return format == WeightFormat::kInt4G128 ? rows * groups_of(cols) * 2 : 0;
}

template <class T>
T at(const std::vector<std::uint8_t>& bytes, std::int64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + static_cast<std::size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

// int4_layout.h: where a group's input `i` is among its sixteen words, and which four bits it has there.
int nibble(const std::vector<std::uint8_t>& codes, std::int64_t col) {
  const std::int64_t i = col % kGroup, word = 4 * (i % 32 / 8) + i / 32, j = i % 8;
  const std::int64_t place = j % 2 == 0 ? j / 2 : 4 + j / 2;
  return static_cast<int>(at<std::uint32_t>(codes, col / kGroup * 16 + word) >> (4 * place) & 15);
}

}  // namespace

CardWeights::CardWeights(const Card& card, WeightFormat format, std::int64_t rows, std::int64_t cols, int number)
    : format_(format),
      rows_(rows),
      cols_(cols),
      code_bytes_(aligned(rows * cols * code_bits(format) / 8)),
      scale_bytes_(aligned(scale_bytes(format, rows, cols))),
      copies_(copies_beyond_cache(card, code_bytes_ + scale_bytes_)),
      memory_(static_cast<std::size_t>(copies_) * bytes()) {
  const cuda::Launch how{.stream = card.stream()};
  for (int copy = 0; copy < copies_; ++copy) {
    std::uint8_t* codes = memory_.as<std::uint8_t>() + static_cast<std::size_t>(copy) * bytes();
    const std::uint64_t seed = static_cast<std::uint64_t>(number * kMostCopies + copy + 1) << 36;
    if (format == WeightFormat::kBf16) cuda::fill_normal(how, codes, code_bytes_ / 2, NumberType::kBf16, seed);
    if (format == WeightFormat::kFp8Block128) cuda::fill_normal(how, codes, code_bytes_, NumberType::kE4m3, seed);
    if (format == WeightFormat::kInt4G128) cuda::fill_random(how, codes, code_bytes_, 0xffff, 0, seed);
    // As float 1/8 to 1.5, as fp16 1.5 to 2.
    if (scale_bytes_ > 0) cuda::fill_random(how, codes + code_bytes_, scale_bytes_, 0x81bf, 0x3e00, seed);
  }
  card.stream().wait();
}

const std::uint8_t* CardWeights::codes(int copy) const {
  return memory_.as<std::uint8_t>() + static_cast<std::size_t>(copy) * bytes();
}
const std::uint8_t* CardWeights::scales(int copy) const { return codes(copy) + code_bytes_; }

cuda::Weights CardWeights::turn(int run, std::int64_t rows) const {
  const int copy = run % copies_;
  return {.format = format_,
          .rows = rows,
          .cols = cols_,
          .codes = codes(copy),
          .scales = scale_bytes_ > 0 ? scales(copy) : nullptr,
          .scale_stride = rows_};
}

// Those of its groups, in their order.
std::vector<std::uint8_t> CardWeights::scales_of(std::int64_t row, int copy) const {
  const std::int64_t groups = groups_of(cols_);
  if (format_ == WeightFormat::kBf16) return {};
  if (format_ == WeightFormat::kFp8Block128) {
    return on_host<std::uint8_t>(scales(copy) + row / kGroup * groups * 4, static_cast<std::size_t>(groups * 4));
  }
  std::vector<std::uint8_t> values(static_cast<std::size_t>(groups * 2));
  cuda_ok(cudaMemcpy2D(values.data(), 2, scales(copy) + row * 2, static_cast<std::size_t>(rows_) * 2, 2,
                       static_cast<std::size_t>(groups), cudaMemcpyDeviceToHost),
          "a copy from the device");
  return values;
}

double CardWeights::scale(const std::vector<std::uint8_t>& scales, std::int64_t group) const {
  if (format_ == WeightFormat::kFp8Block128) return static_cast<double>(at<float>(scales, group));
  return static_cast<double>(host::from_fp16(at<std::uint16_t>(scales, group)));
}

std::vector<double> CardWeights::row(std::int64_t index, int run) const {
  const int copy = run % copies_;
  const std::int64_t row_bytes = cols_ * code_bits(format_) / 8;
  const auto codes_of_row = on_host<std::uint8_t>(codes(copy) + index * row_bytes, static_cast<std::size_t>(row_bytes));
  const std::vector<std::uint8_t> scales_of_row = scales_of(index, copy);
  std::vector<double> values(static_cast<std::size_t>(cols_));
  for (std::int64_t col = 0; col < cols_; ++col) {
    double& value = values[static_cast<std::size_t>(col)];
    switch (format_) {
      case WeightFormat::kBf16:
        value = static_cast<double>(host::from_bf16(at<std::uint16_t>(codes_of_row, col)));
        break;
      case WeightFormat::kFp8Block128:
        value = static_cast<double>(host::from_e4m3(codes_of_row[static_cast<std::size_t>(col)])) *
                scale(scales_of_row, col / kGroup);
        break;
      case WeightFormat::kInt4G128:
        value = (nibble(codes_of_row, col) - 8) * scale(scales_of_row, col / kGroup);
        break;
    }
  }
  return values;
}

std::vector<double> bf16_on_host(const std::uint16_t* from, std::size_t count) {
  const auto codes = on_host<std::uint16_t>(from, count);
  std::vector<double> values(count);
  std::transform(codes.begin(), codes.end(), values.begin(),
                 [](std::uint16_t code) { return static_cast<double>(host::from_bf16(code)); });
  return values;
}

namespace {

// What half of bf16's last place does not explain: of few inputs a sum can be a third of all that was summed.
double beyond_rounding(double got, double wanted) {
  const double half = wanted == 0 ? 0 : std::ldexp(1.0, std::ilogb(wanted) - 8);
  return std::max(std::abs(got - wanted) - half, 0.0);
}

}  // namespace

double product_error(double got, const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0, sizes = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += a[i] * b[i];
    sizes += std::abs(a[i] * b[i]);
  }
  return std::isfinite(got) ? beyond_rounding(got, sum) / std::max(sizes, 1e-30) : 1e30;
}

double gated_error(double got, const std::vector<double>& x, const std::vector<double>& gate,
                   const std::vector<double>& up) {
  constexpr double kSteepest = 1.1;  // slope of silu
  double a = 0, b = 0, sizes_of_a = 0, sizes_of_b = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    a += x[i] * gate[i], sizes_of_a += std::abs(x[i] * gate[i]);
    b += x[i] * up[i], sizes_of_b += std::abs(x[i] * up[i]);
  }
  const double reach = kSteepest * sizes_of_a * std::abs(b) + std::abs(a) * sizes_of_b;
  return std::isfinite(got) ? beyond_rounding(got, a / (1 + std::exp(-a)) * b) / std::max(reach, 1e-30) : 1e30;
}

double distance(const std::vector<double>& got, const std::vector<double>& wanted) {
  double off = 0, size = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    off += (got[i] - wanted[i]) * (got[i] - wanted[i]);
    size += wanted[i] * wanted[i];
  }
  return std::isfinite(off) ? std::sqrt(off / std::max(size, 1e-30)) : 1e30;
}

}  // namespace fathom::probe
