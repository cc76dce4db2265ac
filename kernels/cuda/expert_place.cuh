// Where a rank has an expert. Only .cu files include this.
#pragma once

#include "cuda/router.h"

namespace fathom::cuda {

// Its place among the experts held here; outside of [0, op.experts) when it is held elsewhere.
__device__ inline int place_of(const ExpertLists& op, int expert) {
  if (op.held == nullptr) return expert - op.first;
  return expert < 0 ? -1 : op.held[expert];
}

}  // namespace fathom::cuda
