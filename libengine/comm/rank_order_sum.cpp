#include "comm/rank_order_sum.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace fathom {

void rank_order_sum(std::span<const float* const> addends, std::span<float> out) {
  constexpr std::size_t kBlock = 1024;  // stays in the first cache
  std::array<float, kBlock> sums;
  for (std::size_t begin = 0; begin < out.size(); begin += kBlock) {
    const std::size_t count = std::min(kBlock, out.size() - begin);
    std::copy_n(addends[0] + begin, count, sums.begin());
    for (const float* addend : addends.subspan(1)) {
      for (std::size_t i = 0; i < count; ++i) sums[i] += addend[begin + i];
    }
    std::copy_n(sums.begin(), count, &out[begin]);
  }
}

}  // namespace fathom
