// Weights for tests of sharding: integers so small that every partial sum is exact, so that cutting a model another way
// must not change one bit of a sum.
//
// Matrices hold -1, 0 and 1, three quarters of them 0, and mean the same in every storage. Weights of norms are 1,
// biases -1, 0 or 1, and the router's correction bias is a multiple of 1/64 from 0 to 255/64. A value depends on the
// seed, the tensor's name and the element's index in the whole tensor: byte i of its stream (random_words.h) means 1
// below 32 and -1 below 64, and for the correction bias it is the numerator.
#pragma once

#include <cstdint>

#include "weights/weight_source.h"

namespace fathom {

class IntegerWeights : public WeightSource {
 public:
  explicit IntegerWeights(std::uint64_t seed) : seed_(seed) {}

  LoadedMatrix matrix(const TensorSlice& slice, Account& account) const override;
  LoadedVector vector(const TensorSlice& slice, Account& account) const override;
  void check(const std::vector<TensorSlice>& slices) const override;
  std::string describe() const override;

 private:
  std::uint64_t seed_;
};

}  // namespace fathom
