// A queue that is too slow is told from one that is only busy.
#include "simulate/queue_growth.h"

#include <gtest/gtest.h>

#include "simulate/synthetic.h"

namespace fathom {
namespace {

int found(const ServingPool& pool, double rate, std::int64_t requests) {
  int overloaded = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Scenario s = poisson(pool, rate, requests, 100, 1);
    s.seed = seed;
    overloaded += simulate(s).overloaded;
  }
  return overloaded;
}

// M/D/1: above one request per service time the queue grows for ever, below it does not, however long it gets.
TEST(QueueGrowth, OneServerIsOverloadedAboveItsRateAndNotBelow) {
  ServingPool pool = synthetic_pool(constant_steps(0.01, 1));
  pool.most_sequences = 1;
  EXPECT_EQ(found(pool, 50, 2000), 0);
  EXPECT_EQ(found(pool, 95, 10'000), 0);
  EXPECT_LE(found(pool, 99, 10'000), 1);
  EXPECT_GE(found(pool, 105, 10'000), 39);
  EXPECT_EQ(found(pool, 150, 1000), 40);
}

TEST(QueueGrowth, MoreRequestsTellSmallerExcessesApart) {
  ServingPool pool = synthetic_pool(constant_steps(0.01, 1));
  pool.most_sequences = 1;
  EXPECT_GT(found(pool, 102, 50'000), found(pool, 102, 2000));
}

TEST(QueueGrowth, OneStepUpIsNoGrowth) {
  QueueGrowth once(200), steadily(200), few(19);
  for (int i = 0; i < 200; ++i) {
    once.watch(i < 40 ? 3 : 50);
    steadily.watch(i);
    if (i < 19) few.watch(i);
  }
  EXPECT_FALSE(once.grows());
  EXPECT_TRUE(steadily.grows());
  EXPECT_FALSE(few.grows());
}

}  // namespace
}  // namespace fathom
