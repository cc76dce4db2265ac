// Weights in the engine's formats on a card, of random numbers, and their values for the host.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/linear.h"
#include "gpu/card.h"

namespace fathom::probe {

constexpr const char* name_of(cuda::WeightFormat format) {  // the planner's, too
  return format == cuda::WeightFormat::kBf16          ? "bf16"
         : format == cuda::WeightFormat::kFp8Block128 ? "fp8-block128"
                                                      : "int4-g128";
}
inline constexpr cuda::WeightFormat kWeightFormats[] = {cuda::WeightFormat::kBf16, cuda::WeightFormat::kFp8Block128,
                                                        cuda::WeightFormat::kInt4G128};

// So many copies of a matrix that they can take turns and none of them is found in the cache.
class CardWeights {
 public:
  // Matrices of another `number` have other values.
  CardWeights(const Card& card, cuda::WeightFormat format, std::int64_t rows, std::int64_t cols, int number = 0);

  // The one whose turn it is; `rows` of it, for experts one above the other.
  cuda::Weights turn(int run, std::int64_t rows) const;
  cuda::Weights turn(int run) const { return turn(run, rows_); }
  int copies() const { return copies_; }
  std::size_t bytes() const { return code_bytes_ + scale_bytes_; }  // of a copy
  std::vector<double> row(std::int64_t index, int run) const;       // of the one whose turn it was

 private:
  double scale(const std::vector<std::uint8_t>& scales, std::int64_t group) const;
  const std::uint8_t* codes(int copy) const;
  const std::uint8_t* scales(int copy) const;
  std::vector<std::uint8_t> scales_of(std::int64_t row, int copy) const;

  cuda::WeightFormat format_;
  std::int64_t rows_, cols_;
  std::size_t code_bytes_, scale_bytes_;  // multiples of 256
  int copies_;
  CardMemory memory_;
};

// Values of bf16 on the device.
std::vector<double> bf16_on_host(const std::uint16_t* from, std::size_t count);
// |got - sum of a b| over the sum of |a b|, but for what rounding to bf16 takes; 1e30 when it is no number.
double product_error(double got, const std::vector<double>& a, const std::vector<double>& b);
// Of silu(x gate) (x up): |got - wanted| over the most that an error of the two sums, as a share of what is summed, makes of it. silu may
// be as good as 0, and its own size is no measure then.
double gated_error(double got, const std::vector<double>& x, const std::vector<double>& gate,
                   const std::vector<double>& up);
// The same of vectors, by their lengths: |got - wanted| / |wanted|.
double distance(const std::vector<double>& got, const std::vector<double>& wanted);
// Of a product of weights that were rounded to bf16 by the way, and summed in fp32; a wrong one is off by a hundredth and more.
inline constexpr double kMostProductError = 1e-3;

}  // namespace fathom::probe
