#include "simulate/sweep.h"

#include <gtest/gtest.h>

#include "simulate/synthetic.h"

namespace fathom {
namespace {

Scenario scenario() {
  Scenario s = poisson(synthetic_pool(linear_steps()), 1, 3000, 512, 128);
  s.limits.ttft = 100_ms;
  s.limits.percentile = 90;
  return s;
}

TEST(Sweep, FindsTheHighestLoadThatKeepsTheLimits) {
  const SweepResult r = sweep(scenario(), SweepOver::kRate, 1, 100, 4);
  ASSERT_TRUE(r.highest);
  EXPECT_TRUE(r.bounded);
  EXPECT_GE(r.points.size(), 5u);
  for (std::size_t i = 1; i < r.points.size(); ++i) EXPECT_GT(r.points[i].load, r.points[i - 1].load);
  EXPECT_TRUE(simulate(at_load(scenario(), SweepOver::kRate, *r.highest)).meets);
  EXPECT_FALSE(simulate(at_load(scenario(), SweepOver::kRate, 1.05 * *r.highest)).meets);
}

TEST(Sweep, SaysWhenEveryLoadOrNoneKeepsThem) {
  const SweepResult all = sweep(scenario(), SweepOver::kRate, 1, 2, 2);
  EXPECT_EQ(all.highest, 2);
  EXPECT_FALSE(all.bounded);
  const SweepResult none = sweep(scenario(), SweepOver::kRate, 100, 200, 2);
  EXPECT_FALSE(none.highest);
  EXPECT_EQ(none.points.size(), 2u);
}

// A load that needs more of them for a steady state gives them to all.
TEST(Sweep, EveryLoadSeesTheSameRequests) {
  Scenario s = scenario();
  s.arrivals.requests = 300;
  s.arrivals.until_steady = true;
  const SweepResult r = sweep(s, SweepOver::kRate, 1, 100, 4);
  EXPECT_GT(r.points.front().result.requests, 300);
  for (const SweepPoint& p : r.points) EXPECT_EQ(p.result.requests, r.points.front().result.requests) << p.load;
  double before = 0;
  for (const SweepPoint& p : r.points) {  // with the same requests more load is never faster
    EXPECT_GE(p.result.ttft.mean.value, before) << p.load;
    before = p.result.ttft.mean.value;
  }
}

TEST(Sweep, ConcurrencyIsWhole) {
  const SweepResult r = sweep(scenario(), SweepOver::kConcurrency, 1, 200, 4);
  ASSERT_TRUE(r.highest);
  for (const SweepPoint& p : r.points) EXPECT_EQ(p.load, std::round(p.load));
}

}  // namespace
}  // namespace fathom
