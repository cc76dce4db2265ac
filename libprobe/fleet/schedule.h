// Who is measured with whom, and when: every pair once, and no node in two pairs at a time.
#pragma once

#include <utility>
#include <vector>

namespace fathom::probe {

using Round = std::vector<std::pair<int, int>>;  // numbers of nodes, from 0

// The circle method: n - 1 rounds of n/2 pairs (n odd: n rounds, in each one node rests). Of more than kMostForAllPairs nodes
// 2 ceil(log2 n) rounds, evenly from all: enough to tell slow nodes, which are then probed as a fleet of their own.
inline constexpr int kMostForAllPairs = 64;
std::vector<Round> pair_rounds(int nodes);

}  // namespace fathom::probe
