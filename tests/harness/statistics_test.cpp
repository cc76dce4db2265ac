#include "harness/statistics.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace fathom::probe {
namespace {

TEST(ProbeStatistics, AMedianOfAnEvenNumberIsTheMeanOfTheMiddleTwo) {
  EXPECT_DOUBLE_EQ(median_of({4, 1, 3, 2}), 2.5);
  EXPECT_DOUBLE_EQ(median_of({9, 1, 5}), 5);
  EXPECT_DOUBLE_EQ(mad_of({1, 1, 2, 2, 4, 6, 9}, 2), 1);
}

// n = 30: (30 - 1.96 sqrt 30) / 2 = 9.63 -> 9th; 1 + (30 + 10.735) / 2 = 21.37 -> 22nd; from zero 8 and 21.
TEST(ProbeStatistics, TheIntervalOfAMedianIsMadeOfRanks) {
  EXPECT_EQ(median_interval(30).low, 8);
  EXPECT_EQ(median_interval(30).high, 21);
  EXPECT_EQ(median_interval(1).low, 0);
  EXPECT_EQ(median_interval(1).high, 0);
  EXPECT_EQ(median_interval(3).high, 2);
}

TEST(ProbeStatistics, TheIntervalHoldsTheTrueMedianNineteenTimesInTwenty) {
  std::mt19937 random(1);
  std::exponential_distribution<double> skewed(1);  // its median is ln 2
  int held = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<double> samples(41);
    for (double& sample : samples) sample = skewed(random);
    const Statistics s = statistics(samples);
    held += s.low <= 0.6931 && 0.6931 <= s.high;
  }
  EXPECT_GT(held, 0.94 * 2000);
}

TEST(ProbeStatistics, DriftComparesTheLastSamplesWithTheFirst) {
  std::vector<double> rising(100);
  std::iota(rising.begin(), rising.end(), 100.0);  // first ten: median 104.5, last ten: 194.5
  EXPECT_NEAR(statistics(rising).drift, 194.5 / 104.5 - 1, 1e-12);
  EXPECT_EQ(statistics({5}).drift, 0);
  EXPECT_EQ(statistics({5, 5, 5}).drift, 0);
}

TEST(ProbeStatistics, ASingleFigureIsItsOwnInterval) {
  const Statistics s = single_figure(7);
  EXPECT_EQ(s.samples, 1);
  EXPECT_EQ(s.low, 7);
  EXPECT_EQ(s.high, 7);
  EXPECT_EQ(s.flutter(), 0);
}

}  // namespace
}  // namespace fathom::probe
