// Weights out of thin air: random with the spread of a trained model, the same for every sharding of it.
//
// The recipe, complete, so that a device can make its own part. i = row * K + col is an element's index in the whole
// tensor with K = cols. Streams and pieces of them are those of random_words.h: c(i) is piece i of 16 bits, b(i) piece i
// of 8 bits. v(i) = c(i) - 32767.5, exact in fp32. Products and sums are single fp32 operations, never fused; what stands
// in brackets is computed in fp64 and rounded to fp32 once.
//
//   deviation       s = 1 / sqrt(K); projections onto the residual stream (operators attention.out and *.down)
//                   s = 1 / sqrt(2 * model_layers * K); the embedding s = 1, or 1 / sqrt(K) when it is the head too
//   fp32            v(i) * [s sqrt(3) / 32768]: uniform with variance s^2
//   bf16            the same, rounded to nearest even
//   fp8-block128    code b(i) & 0xBF: both signs, magnitudes 0 to 1.875, mean square m = 0.35806
//                   scale of tile t = (row/128) * ceil(K/128) + col/128: [s / sqrt(m d)] * (1 + v'(t) 2^-18),
//                   v' from stream kScales; d = 1 + 1/192 is the mean square of the second factor
//   int4-g128       group g = row * K/128 + col/128 is words 8g to 8g+7 of the stream, stored as they are, low byte
//                   first (which nibble is which column: host/matrix.h), except that nibbles 0 become 8, so that
//                   q - 8 has mean 0 and mean square m = 17.5. Scale as for fp8 with g for t, rounded to fp16
//   int4-g128-asym  nibbles as they are; zero 6 + (b''(g) & 3) from stream kZeros; m = 22.5
//   vectors         weights of norms 1 + v(i) [0.1 / 32768], the router's correction bias c(i) [0.01 / 65536], other
//                   biases v(i) [0.1 / 32768]; rounded to bf16 unless their format is fp32
//
// What a quantised weight means is its dequantised value; the formats are different models.
#pragma once

#include <cstdint>

#include "weights/weight_source.h"

namespace fathom {

class SyntheticWeights : public WeightSource {
 public:
  // An embedding of variance 1 that is also the head would always choose the last token again.
  explicit SyntheticWeights(std::uint64_t seed, bool tied_embeddings = false) : seed_(seed), tied_(tied_embeddings) {}

  LoadedMatrix matrix(const TensorSlice& slice, Account& account) const override;
  LoadedVector vector(const TensorSlice& slice, Account& account) const override;
  void check(const std::vector<TensorSlice>& slices) const override;
  std::string describe() const override;

  // The recipe's numbers for one matrix, for those who make it elsewhere.
  struct Recipe {
    std::uint64_t value_key = 0, scale_key = 0, zero_key = 0;  // random_words.h
    float step = 0;                                            // of fp32 and bf16: what v(i) is multiplied by
    float scale = 0;  // of quantised formats: what the scale of a block varies around
  };
  Recipe recipe(const TensorSlice& slice) const;

 private:
  double deviation(const TensorSlice& slice) const;

  std::uint64_t seed_;
  bool tied_;
};

}  // namespace fathom
