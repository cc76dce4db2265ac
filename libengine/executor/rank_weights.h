// The weights of one rank, found by the operator and layer that read them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weights/weight_source.h"

namespace fathom {

// In the order of model/tensors.h: q before k before v; of routed experts the gates of all held, then the ups.
struct OperatorWeights {
  std::vector<LoadedMatrix> matrices;
  std::vector<LoadedVector> vectors;
};

class RankWeights {
 public:
  RankWeights(const std::vector<TensorSlice>& slices, const WeightSource& source, Account& account);

  const OperatorWeights& of(std::string_view op, int layer) const;  // empty when the operator has none
  const std::vector<int>& experts(int layer) const;                 // global numbers, in the order of the matrices

 private:
  std::map<std::pair<std::string, int>, OperatorWeights, std::less<>> by_operator_;
  std::map<int, std::vector<int>> experts_;  // by layer
};

}  // namespace fathom
