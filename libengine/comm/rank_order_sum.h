// The one place where addends of several ranks become a sum, so that backends agree to the bit.
#pragma once

#include <span>

namespace fathom {

// out[i] = addends[0][i] + addends[1][i] + ..., added in this order. Each addend is as long as `out`, and may be `out`.
void rank_order_sum(std::span<const float* const> addends, std::span<float> out);

}  // namespace fathom
