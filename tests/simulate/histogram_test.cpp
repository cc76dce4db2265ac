#include "simulate/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "simulate/random.h"

namespace fathom {
namespace {

TEST(Histogram, PercentilesAreWithinAFifthOfAPercent) {
  Random random(1);
  for (const double scale : {1e-7, 1e-2, 1e5}) {
    Histogram histogram;
    std::vector<double> exact;
    for (int i = 0; i < 100'000; ++i) {
      exact.push_back(scale * std::exp(2 * random.normal()));
      histogram.add(exact.back());
    }
    std::sort(exact.begin(), exact.end());
    for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9}) {
      const double value = exact[static_cast<std::size_t>(percent / 100 * 100'000) - 1];
      EXPECT_NEAR(histogram.percentile(percent), value, 0.002 * value + 0.001 * value * (percent > 99.5)) << percent;
    }
    EXPECT_EQ(histogram.percentile(100), std::min(histogram.percentile(100), exact.back()));
  }
}

TEST(Histogram, KeepsMeanCountAndLongestExactly) {
  Histogram h;
  EXPECT_EQ(h.percentile(99), 0);
  EXPECT_EQ(h.mean(), 0);
  h.add(2, 3);
  h.add(0);
  EXPECT_EQ(h.count(), 4u);
  EXPECT_EQ(h.mean(), 1.5);
  EXPECT_EQ(h.max(), 2);
  EXPECT_EQ(h.percentile(25), 0);
  EXPECT_EQ(h.percentile(100), 2);  // no bucket's middle is longer than the longest
}

}  // namespace
}  // namespace fathom
