// A tournament: everybody meets everybody once, and nobody is in two places.
#include "fleet/schedule.h"

#include <gtest/gtest.h>

#include <set>

namespace fathom::probe {
namespace {

void expect_disjoint(const Round& round) {
  std::set<int> busy;
  for (const auto& [a, b] : round) {
    EXPECT_LT(a, b);
    EXPECT_TRUE(busy.insert(a).second);
    EXPECT_TRUE(busy.insert(b).second);
  }
}

TEST(PairRounds, EveryPairMeetsOnce) {
  for (const int nodes : {2, 3, 4, 7, 8, 33, 64}) {
    const std::vector<Round> rounds = pair_rounds(nodes);
    EXPECT_EQ(rounds.size(), static_cast<std::size_t>(nodes % 2 == 0 ? nodes - 1 : nodes));
    std::set<std::pair<int, int>> met;
    for (const Round& round : rounds) {
      expect_disjoint(round);
      EXPECT_EQ(round.size(), static_cast<std::size_t>(nodes / 2));
      for (const auto& pair : round) EXPECT_TRUE(met.insert(pair).second);
    }
    EXPECT_EQ(met.size(), static_cast<std::size_t>(nodes * (nodes - 1) / 2));
  }
}

TEST(PairRounds, LargeFleetsAreSampled) {
  const std::vector<Round> rounds = pair_rounds(500);
  EXPECT_EQ(rounds.size(), 18u);  // 2 ceil(log2 500)
  std::set<std::pair<int, int>> met;
  for (const Round& round : rounds) {
    expect_disjoint(round);
    met.insert(round.begin(), round.end());
  }
  EXPECT_EQ(met.size(), 18u * 250);
}

TEST(PairRounds, OneNodeMeetsNobody) {
  EXPECT_TRUE(pair_rounds(1).empty());
  EXPECT_TRUE(pair_rounds(0).empty());
}

}  // namespace
}  // namespace fathom::probe
