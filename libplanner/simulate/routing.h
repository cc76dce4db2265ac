// Which replica a request goes to. docs/formulas/simulate.md#pools
#pragma once

#include <cstddef>
#include <vector>

#include "simulate/random.h"
#include "simulate/scenario.h"

namespace fathom {

class Router {
 public:
  explicit Router(const Scenario& scenario);

  std::size_t replicas() const { return up_.size(); }  // of all pools, one pool after the other
  void set_up(int replica, bool up);
  // One that decodes what is in a cache already, or one that reads prompts. -1: none is up.
  int route(bool decode, const std::vector<Replica>& replicas);

 private:
  struct PoolState {
    int first = 0, count = 0;  // replicas
    int up = 0;
    std::int64_t sent = 0;
    int next = 0;  // whose turn it is
  };

  PoolState* choose_pool(bool decode);
  int least_loaded(PoolState& pool, const std::vector<Replica>& replicas) const;
  int in_turn(PoolState& pool, int start) const;
  bool is_up(int replica) const { return up_[static_cast<std::size_t>(replica)]; }

  const Scenario& s_;
  std::vector<PoolState> pools_;
  std::vector<char> up_;
  Random random_;
};

}  // namespace fathom
