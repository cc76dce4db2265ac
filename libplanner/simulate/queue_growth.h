// Does a queue grow while requests come, or does it only go up and down? docs/formulas/simulate.md#overload
#pragma once

#include <cstdint>
#include <vector>

namespace fathom {

class QueueGrowth {
 public:
  explicit QueueGrowth(std::int64_t arrivals);  // that will be watched; a queue of fewer than twenty never grows

  void watch(std::int64_t length);  // at every arrival
  bool grows() const;

 private:
  std::int64_t span_;  // arrivals between two samples
  std::int64_t seen_ = 0;
  std::vector<double> lengths_;
};

}  // namespace fathom
