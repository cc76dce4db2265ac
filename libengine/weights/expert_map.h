// Which expert-parallel rank holds each routed expert: the same in every layer.
#pragma once

#include <vector>

namespace fathom {

struct ExpertMap {
  std::vector<int> owner;  // expert -> EP rank

  std::vector<int> experts_of(int ep_rank) const;  // ascending
};

// These throw std::invalid_argument unless every rank gets as many experts as every other.
ExpertMap contiguous(int experts, int ep);   // runs of experts / ep, as planned (layout/layout.h)
ExpertMap interleaved(int experts, int ep);  // expert e on rank e mod ep
ExpertMap listed(std::vector<int> owner, int ep);

}  // namespace fathom
