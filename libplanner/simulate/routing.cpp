#include "simulate/routing.h"

#include <algorithm>

namespace fathom {

namespace {
constexpr std::uint64_t kStream = 4;  // of the seed's random numbers
}  // namespace

Router::Router(const Scenario& scenario) : s_(scenario), random_(scenario.seed, kStream) {
  int count = 0;
  for (const ServingPool& pool : s_.pools) {
    pools_.push_back({.first = count, .count = pool.replicas, .up = pool.replicas});
    count += pool.replicas;
  }
  up_.assign(static_cast<std::size_t>(count), 1);
}

void Router::set_up(int replica, bool up) {
  up_[static_cast<std::size_t>(replica)] = up;
  for (PoolState& pool : pools_) {
    if (replica >= pool.first && replica < pool.first + pool.count) pool.up += up ? 1 : -1;
  }
}

int Router::route(bool decode, const std::vector<Replica>& replicas) {
  PoolState* pool = choose_pool(decode);
  if (pool == nullptr) return -1;
  ++pool->sent;
  switch (s_.routing) {
    case Routing::kLeastLoaded:
      return least_loaded(*pool, replicas);
    case Routing::kRoundRobin:
      return in_turn(*pool, pool->next);
    case Routing::kRandom:
      return in_turn(*pool, static_cast<int>(random_.below(static_cast<std::uint64_t>(pool->count))));
  }
  return -1;
}

// The pool that is farthest behind its share, of those with a replica that is up.
Router::PoolState* Router::choose_pool(bool decode) {
  PoolState* best = nullptr;
  double least = 0;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    const ServingPool& pool = s_.pools[i];
    if (decode != (pool.part == PoolPart::kDecode) || pools_[i].up == 0) continue;
    const double ahead = static_cast<double>(pools_[i].sent + 1) / std::max(pool.share, 1e-12);
    if (best != nullptr && ahead >= least) continue;
    best = &pools_[i];
    least = ahead;
  }
  return best;
}

// Equals take turns.
int Router::least_loaded(PoolState& pool, const std::vector<Replica>& replicas) const {
  int best = -1, least = 0;
  for (int i = 0; i < pool.count; ++i) {
    const int k = (pool.next + i) % pool.count;
    if (!is_up(pool.first + k)) continue;
    const int load = replicas[static_cast<std::size_t>(pool.first + k)].load();
    if (best >= 0 && load >= least) continue;
    best = k;
    least = load;
    if (load == 0) break;
  }
  pool.next = (best + 1) % pool.count;
  return pool.first + best;
}

int Router::in_turn(PoolState& pool, int start) const {
  int k = start;
  while (!is_up(pool.first + k)) k = (k + 1) % pool.count;
  pool.next = (k + 1) % pool.count;
  return pool.first + k;
}

}  // namespace fathom
