// How unevenly tokens fall on experts: bounds, limits, and a simulation of the routing itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "operators/operator.h"
#include "support/planning.h"

namespace fathom {
namespace {

Moe experts(int all, int per_token, int groups = 1, int kept = 1) {
  Moe moe;
  moe.routed_experts = all;
  moe.experts_per_token = per_token;
  moe.groups = groups;
  moe.groups_kept = kept;
  return moe;
}

const Moe kR1 = experts(256, 8, 8, 4);

// Tokens that choose `kept` groups at random, then k of their experts. Counts per rank of equal contiguous ranges.
class Routing {
 public:
  Routing(const Moe& moe, int ranks) : moe_(moe), ranks_(ranks), pool_(moe.routed_experts), groups_(moe.groups) {}

  double mean_of_busiest(int tokens, int draws, bool interleaved = false) {
    double sum = 0;
    for (int draw = 0; draw < draws; ++draw) {
      std::vector<int> load(static_cast<std::size_t>(ranks_));
      for (int t = 0; t < tokens; ++t) {
        for (int e : one_token())
          ++load[static_cast<std::size_t>(interleaved ? e % ranks_ : e * ranks_ / moe_.routed_experts)];
      }
      sum += *std::max_element(load.begin(), load.end());
    }
    return sum / draws;
  }

  double mean_of_distinct(int tokens, int draws) {
    double sum = 0;
    for (int draw = 0; draw < draws; ++draw) {
      std::vector<bool> hit(static_cast<std::size_t>(moe_.routed_experts));
      for (int t = 0; t < tokens; ++t) {
        for (int e : one_token()) hit[static_cast<std::size_t>(e)] = true;
      }
      sum += static_cast<double>(std::count(hit.begin(), hit.end(), true));
    }
    return sum / draws;
  }

 private:
  void choose(std::vector<int>& from, int size, int count) {
    for (int i = 0; i < count; ++i)
      std::swap(from[i], from[i + static_cast<int>(random_() % static_cast<unsigned>(size - i))]);
  }

  std::vector<int> one_token() {
    for (int g = 0; g < moe_.groups; ++g) groups_[g] = g;
    choose(groups_, moe_.groups, moe_.groups_kept);
    const int group_size = moe_.routed_experts / moe_.groups;
    int usable = 0;
    for (int g = 0; g < moe_.groups_kept; ++g) {
      for (int e = 0; e < group_size; ++e) pool_[usable++] = groups_[g] * group_size + e;
    }
    choose(pool_, usable, moe_.experts_per_token);
    return {pool_.begin(), pool_.begin() + moe_.experts_per_token};
  }

  const Moe& moe_;
  int ranks_;
  std::vector<int> pool_, groups_;
  std::mt19937 random_{20250101};
};

// One token of R1 with its experts on four ranks: 2 on average, 4.25 on the busiest under the group limit (two groups lie
// on each rank, four of eight may be used), 3.5 when routing is uniform or every group is spread over all ranks.
TEST(ExpertImbalance, OneTokenOfR1OnFourRanks) {
  Routing grouped(kR1, 4);
  EXPECT_NEAR(grouped.mean_of_busiest(1, 40'000), 4.25, 0.02);
  EXPECT_NEAR(2 * expert_imbalance(kR1, 4, 1), 4.25, 0.1 * 4.25);
  EXPECT_NEAR(grouped.mean_of_busiest(1, 40'000, /*interleaved=*/true), 3.48, 0.02);
  EXPECT_NEAR(2 * expert_imbalance(experts(256, 8), 4, 1), 3.54, 0.1 * 3.54);
}

TEST(ExpertImbalance, IsWithinTenPercentOfASimulation) {
  for (const Moe& moe : {experts(64, 4), experts(64, 6), experts(128, 8), experts(256, 8), experts(384, 4),
                         experts(384, 8), experts(8, 2), kR1, experts(160, 6, 8, 3)}) {
    for (int ranks : {2, 4, 8, 16, 32, 64}) {
      if (moe.routed_experts % ranks != 0) continue;
      Routing routing(moe, ranks);
      for (int tokens : {1, 2, 3, 8, 32, 128, 512}) {
        const double mean = static_cast<double>(tokens) * moe.experts_per_token / ranks;
        const double simulated = routing.mean_of_busiest(tokens, std::max(60, 6000 / tokens)) / mean;
        EXPECT_NEAR(expert_imbalance(moe, ranks, tokens), simulated, 0.1 * simulated)
            << moe.routed_experts << " experts, " << moe.experts_per_token << " per token, " << ranks << " ranks, "
            << tokens << " tokens";
      }
    }
  }
}

TEST(ExpertImbalance, StaysBetweenEvenAndEverythingOnOneRank) {
  for (const Moe& moe : {experts(64, 6), experts(256, 8), kR1}) {
    EXPECT_EQ(expert_imbalance(moe, 1, 100), 1);
    for (int ranks : {2, 4, 8, 16, 32, 64}) {
      double last = 1e9;
      for (double tokens = 0.25; tokens < 1e6; tokens *= 1.3) {
        const double now = expert_imbalance(moe, ranks, tokens);
        EXPECT_GE(now, 1);
        EXPECT_LE(now, ranks);
        const double allowed = tokens >= 1 ? last * 1.0001 : 1e9;  // more tokens even out
        EXPECT_LE(now, allowed) << ranks << " ranks, " << tokens << " tokens";
        last = now;
      }
      EXPECT_NEAR(last, 1, 0.05);
    }
  }
}

// 64 ranks with one expert each: one token puts one expert on each of six ranks, so the busiest has 64/6 of the mean.
TEST(ExpertImbalance, OneExpertPerRankIsExactForOneToken) {
  EXPECT_NEAR(expert_imbalance(experts(64, 6), 64, 1), 64.0 / 6, 1e-6);
}

// The load itself, not only its ratio to the mean, grows with every further token.
TEST(ExpertImbalance, TheBusiestRankNeverGetsLessWorkFromMoreTokens) {
  for (const Moe& moe : {experts(64, 6), experts(128, 8), kR1}) {
    for (int ranks : {2, 4, 8, 16, 32}) {
      double last = 0;
      for (double tokens = 1; tokens < 2000; tokens *= 1.02) {
        const double now = expert_imbalance(moe, ranks, tokens) * tokens;
        EXPECT_GE(now, last) << ranks << " ranks, " << tokens << " tokens";
        last = now;
      }
    }
  }
}

// 32 tokens of R1 reach 256 (1 - (248/256)^32) = 163.3 experts; routing by groups changes nothing in the mean.
TEST(DistinctExperts, MatchTheSimulation) {
  EXPECT_NEAR(distinct_experts(kR1, 256, 32), 163.3, 0.05);
  for (int tokens : {1, 4, 32, 200}) {
    Routing routing(kR1, 1);
    EXPECT_NEAR(distinct_experts(kR1, 256, tokens), routing.mean_of_distinct(tokens, 500), 1.5) << tokens;
  }
}

TEST(DistinctExperts, GrowFromOneTokensShareToAllThatAreHeld) {
  EXPECT_DOUBLE_EQ(distinct_experts(kR1, 256, 1), 8);
  EXPECT_DOUBLE_EQ(distinct_experts(kR1, 64, 1), 2);
  EXPECT_EQ(distinct_experts(kR1, 64, 0), 0);
  EXPECT_NEAR(distinct_experts(kR1, 64, 5000), 64, 1e-9);
  for (double tokens = 1; tokens < 5000; tokens *= 1.5) {
    EXPECT_LE(distinct_experts(kR1, 64, tokens), std::min(64.0, 2 * tokens * 1.0001));
    EXPECT_LE(distinct_experts(kR1, 64, tokens), distinct_experts(kR1, 64, tokens * 1.5));
  }
}

// R1 keeps 4 of 8 groups and takes 8 experts. Eight places: 4 usable, 4 (1 - 0.75^8) = 3.600. Four places of two groups each:
// 4 (1 - 0.5^2) = 3 usable, 3 (1 - (2/3)^8) = 2.883. 32 places: 16 usable, 16 (1 - (15/16)^8) = 6.453.
TEST(PlacesReached, MatchesTheHandCalculation) {
  const Moe& r1 = *shipped().model("deepseek-r1").moe;
  ASSERT_EQ(r1.groups, 8);
  EXPECT_NEAR(places_reached(r1, 8), 3.600, 0.001);
  EXPECT_NEAR(places_reached(r1, 4), 2.883, 0.001);
  EXPECT_NEAR(places_reached(r1, 32), 6.453, 0.001);
  EXPECT_DOUBLE_EQ(places_reached(r1, 1), 1);
}

TEST(PlacesReached, GrowsWithThePlacesAndStaysBelowTheExperts) {
  for (const char* id : {"deepseek-r1", "qwen3-235b-a22b", "mixtral-8x7b"}) {
    const Moe& moe = *shipped().model(id).moe;
    double before = 0;
    for (int places = 1; places <= 64; places *= 2) {
      const double reached = places_reached(moe, places);
      EXPECT_GE(reached, before) << id << " " << places;
      EXPECT_LE(reached, std::min(places, moe.experts_per_token)) << id << " " << places;
      before = reached;
    }
  }
}

}  // namespace
}  // namespace fathom
