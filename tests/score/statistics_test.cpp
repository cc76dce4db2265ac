// Small sets, summed up by hand.
#include "score/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fathom {
namespace {

TEST(Quantile, IsLinearBetweenOrderStatistics) {
  const std::vector<double> v = {1, 2, 4, 8};
  EXPECT_DOUBLE_EQ(quantile_of(v, 0), 1);
  EXPECT_DOUBLE_EQ(quantile_of(v, 1), 8);
  EXPECT_DOUBLE_EQ(quantile_of(v, 0.5), 3);    // place 1.5: between 2 and 4
  EXPECT_DOUBLE_EQ(quantile_of(v, 0.9), 6.8);  // place 2.7: 4 + 0.7 * 4
  EXPECT_DOUBLE_EQ(quantile_of({5}, 0.9), 5);
}

TEST(Statistics, OfFourRows) {
  // ln errors: ln 1.1 = 0.0953, ln 0.8 = -0.2231, ln 2 = 0.6931, 0
  const ErrorStatistics s = statistics({{.measured = 10, .predicted = 11, .inside = true},
                                        {.measured = 10, .predicted = 8, .inside = false},
                                        {.measured = 10, .predicted = 20, .inside = {}},
                                        {.measured = 10, .predicted = 10, .inside = true}});
  EXPECT_EQ(s.rows, 4);
  EXPECT_NEAR(s.median_abs_ln, (std::log(1.1) + std::log(1.25)) / 2, 1e-12);
  // sorted: 0, 0.0953, 0.2231, 0.6931; place 2.7
  EXPECT_NEAR(s.p90_abs_ln, std::log(1.25) + 0.7 * (std::log(2.0) - std::log(1.25)), 1e-12);
  EXPECT_NEAR(s.bias_ln, std::log(1.1) / 2, 1e-12);  // between 0 and 0.0953
  EXPECT_DOUBLE_EQ(s.within_20, 0.75);               // 0.8 counts, 2 does not
  EXPECT_NEAR(s.mape, (0.1 + 0.2 + 1 + 0) / 4, 1e-12);
  EXPECT_EQ(s.banded, 3);
  EXPECT_NEAR(s.coverage(), 2.0 / 3, 1e-12);
  EXPECT_FALSE(s.spearman.has_value());  // all measured alike
}

TEST(Statistics, RankCorrelationSharesTheRanksOfTies) {
  // ranks of measured: 0, 1.5, 1.5, 3; of predicted: 0, 1, 2, 3
  // sums about the mean 1.5: ab = 2.25 + 0 + 0 + 2.25 = 4.5; aa = 4.5; bb = 5
  const ErrorStatistics s = statistics({{.measured = 1, .predicted = 10, .inside = {}},
                                        {.measured = 2, .predicted = 20, .inside = {}},
                                        {.measured = 2, .predicted = 30, .inside = {}},
                                        {.measured = 3, .predicted = 40, .inside = {}}});
  EXPECT_NEAR(s.spearman.value(), 4.5 / std::sqrt(4.5 * 5), 1e-12);
  const ErrorStatistics reversed = statistics({{.measured = 1, .predicted = 3, .inside = {}},
                                               {.measured = 2, .predicted = 2, .inside = {}},
                                               {.measured = 3, .predicted = 1, .inside = {}}});
  EXPECT_NEAR(reversed.spearman.value(), -1, 1e-12);
  EXPECT_FALSE(statistics({{1, 1, {}}, {2, 2, {}}}).spearman.has_value());  // two rows always agree or not
}

TEST(Statistics, OfNothingAreZero) {
  EXPECT_EQ(statistics({}).rows, 0);
  EXPECT_EQ(statistics({}).median_abs_ln, 0);
  EXPECT_EQ(mean_of({}).rows, 0);
}

TEST(Statistics, MeansCountSetsAlike) {
  // one row that is off by ln 2 beside three exact ones
  const ErrorStatistics one = statistics({{.measured = 1, .predicted = 2, .inside = {}}});
  const ErrorStatistics three = statistics({{.measured = 1, .predicted = 1, .inside = true},
                                            {.measured = 2, .predicted = 2, .inside = true},
                                            {.measured = 3, .predicted = 3, .inside = false}});
  const ErrorStatistics mean = mean_of({one, three});
  EXPECT_EQ(mean.rows, 4);
  EXPECT_EQ(mean.groups, 2);
  EXPECT_NEAR(mean.median_abs_ln, std::log(2.0) / 2, 1e-12);
  EXPECT_DOUBLE_EQ(mean.within_20, 0.5);
  EXPECT_DOUBLE_EQ(mean.mape, 0.5);
  EXPECT_NEAR(mean.coverage(), 2.0 / 3, 1e-12);  // a set without bands has no say
}

TEST(Statistics, CoverageCountsRowsAndNotSets) {
  const ErrorStatistics one = statistics({{.measured = 1, .predicted = 1, .inside = false}});
  const ErrorStatistics three = statistics({{.measured = 1, .predicted = 1, .inside = true},
                                            {.measured = 2, .predicted = 2, .inside = true},
                                            {.measured = 3, .predicted = 3, .inside = true}});
  EXPECT_DOUBLE_EQ(mean_of({one, three}).coverage(), 3.0 / 4);
  EXPECT_EQ(statistics({}).coverage(), 0);
}

TEST(Statistics, TheMeanOfWholeSharesIsWhole) {
  const ErrorStatistics all = statistics({{.measured = 1, .predicted = 1.1, .inside = true}});
  for (std::size_t sets = 1; sets < 60; ++sets) {
    EXPECT_EQ(mean_of(std::vector(sets, all)).within_20, 1) << sets;  // sevenths do not add up to one
    EXPECT_EQ(mean_of(std::vector(sets, all)).coverage(), 1) << sets;
  }
}

}  // namespace
}  // namespace fathom
