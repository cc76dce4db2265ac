#include "executor/rank_weights.h"

#include <algorithm>

namespace fathom {

RankWeights::RankWeights(const std::vector<TensorSlice>& slices, const WeightSource& source, Account& account) {
  for (const TensorSlice& slice : slices) {
    OperatorWeights& weights = by_operator_[{slice.op, slice.layer}];
    if (slice.vector) {
      weights.vectors.push_back(source.vector(slice, account));
    } else {
      weights.matrices.push_back(source.matrix(slice, account));
    }
    if (slice.expert < 0) continue;
    std::vector<int>& held = experts_[slice.layer];
    if (std::find(held.begin(), held.end(), slice.expert) == held.end()) held.push_back(slice.expert);
  }
}

const OperatorWeights& RankWeights::of(std::string_view op, int layer) const {
  static const OperatorWeights none;
  const auto found = by_operator_.find(std::pair<std::string, int>(op, layer));
  return found == by_operator_.end() ? none : found->second;
}

const std::vector<int>& RankWeights::experts(int layer) const {
  static const std::vector<int> none;
  const auto found = experts_.find(layer);
  return found == experts_.end() ? none : found->second;
}

}  // namespace fathom
