#include "weights/expert_map.h"

#include <fmt/format.h>

#include <stdexcept>

namespace fathom {

namespace {

int experts_per_rank(int experts, int ep) {
  if (ep < 1 || experts < 0 || experts % ep != 0) {
    throw std::invalid_argument(fmt::format("{} experts cannot be dealt out evenly over {} ranks", experts, ep));
  }
  return experts / ep;
}

}  // namespace

std::vector<int> ExpertMap::experts_of(int ep_rank) const {
  std::vector<int> experts;
  for (int expert = 0; expert < static_cast<int>(owner.size()); ++expert) {
    if (owner[expert] == ep_rank) experts.push_back(expert);
  }
  return experts;
}

ExpertMap contiguous(int experts, int ep) {
  const int each = experts_per_rank(experts, ep);
  ExpertMap map{std::vector<int>(experts)};
  for (int expert = 0; expert < experts; ++expert) map.owner[expert] = expert / each;
  return map;
}

ExpertMap interleaved(int experts, int ep) {
  experts_per_rank(experts, ep);
  ExpertMap map{std::vector<int>(experts)};
  for (int expert = 0; expert < experts; ++expert) map.owner[expert] = expert % ep;
  return map;
}

ExpertMap listed(std::vector<int> owner, int ep) {
  const int each = experts_per_rank(static_cast<int>(owner.size()), ep);
  std::vector<int> held(ep);
  for (std::size_t expert = 0; expert < owner.size(); ++expert) {
    if (owner[expert] < 0 || owner[expert] >= ep) {
      throw std::invalid_argument(
          fmt::format("expert {} is put on rank {}, but ranks are 0 to {}", expert, owner[expert], ep - 1));
    }
    ++held[owner[expert]];
  }
  for (int rank = 0; rank < ep; ++rank) {
    if (held[rank] != each) {
      throw std::invalid_argument(
          fmt::format("rank {} is given {} experts; every rank holds {}", rank, held[rank], each));
    }
  }
  return {std::move(owner)};
}

}  // namespace fathom
