// One replica set of a measured deployment: its layout cut into stages and timed with one engine.
#pragma once

#include <cstddef>
#include <vector>

#include "memory/ledger.h"
#include "score/setup.h"
#include "serving/offline.h"

namespace fathom {

// How lengths of requests differ: standard deviation over mean, and the longest over the mean. Lengths that nobody would type
// (no multiple of 10 or 128, no power of two) are means of a distribution: nine tenths of a power of two those of a benchmark that
// draws evenly from 80 to 100 % of it (data/measurements/README.md), others those of a trace, roughly exponential, up to five means.
struct LengthSpread {
  double variation = 0, longest = 1;
};
LengthSpread length_spread(const Setup& setup);

// Pool number `pool` of the setup; both arguments must outlive it.
class Served {
 public:
  Served(const Setup& setup, std::size_t pool, const EngineProfile& engine);

  const ReplicaTimer& timer() const { return timer_; }
  const Layout& layout() const { return layout_; }

  double fresh() const;     // tokens of a prompt that no cache holds
  double accepted() const;  // tokens of one step of one sequence: above one with speculation
  ReplicaMemory memory() const;
  double places() const;  // sequences that one replica keeps at once
  OfflineLoad offline(double requests) const;
  SteadyState steady(PoolRole role) const;

 private:
  const Setup& setup_;
  const EngineProfile& engine_;
  const Layout& layout_;
  const Pool& pool_;
  std::vector<Stage> cut_;
  ReplicaTimer timer_;
};

}  // namespace fathom
