// When requests come: what two loads have in common, and what a closed loop waits for.
#include "simulate/arrivals.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fathom {
namespace {

ServingLoad load() {
  return {.input = {.mean = 500, .sigma = 1},
          .output = {.mean = 100, .sigma = 0.5},
          .concurrency = {},
          .requests_per_s = {}};
}

ArrivalPlan at_rate(double rate) { return {.kind = Arrivals::kPoisson, .requests_per_s = rate, .requests = 1000}; }

TEST(Arrivals, AnotherRateIsTheSameRequestsFaster) {
  ArrivalStream slow(at_rate(2), load(), 1e5, 7), fast(at_rate(8), load(), 1e5, 7);
  while (!slow.exhausted()) {
    const SimulatedRequest a = slow.take(), b = fast.take();
    EXPECT_DOUBLE_EQ(a.arrival, 4 * b.arrival);
    EXPECT_EQ(a.input, b.input);
    EXPECT_EQ(a.output, b.output);
  }
  EXPECT_TRUE(fast.exhausted());
  EXPECT_TRUE(std::isinf(slow.next()));
}

TEST(Arrivals, AClosedLoopAsksAgainWhenItIsAnswered) {
  const ArrivalPlan plan{.kind = Arrivals::kClosed, .concurrency = 2, .in_step = true, .requests = 3};
  ArrivalStream stream(plan, load(), 1e5, 1);
  EXPECT_EQ(stream.take().arrival, 0);
  EXPECT_EQ(stream.take().arrival, 0);
  EXPECT_TRUE(std::isinf(stream.next()));
  EXPECT_FALSE(stream.exhausted());
  stream.answered(4.5);
  EXPECT_EQ(stream.take().arrival, 4.5);
  stream.answered(5);
  EXPECT_TRUE(stream.exhausted());
  EXPECT_TRUE(std::isinf(stream.next()));
}

TEST(Arrivals, ATraceIsPlayedFromItsFirstRequestOn) {
  RequestTrace trace;
  trace.requests = {{.arrival = 100, .input = 5, .output = 6}, {.arrival = 103, .input = 7, .output = 8}};
  ArrivalStream stream({.kind = Arrivals::kTrace, .time_scale = 0.5, .trace = &trace}, load(), 1e5, 1);
  EXPECT_EQ(stream.planned(), 2);
  EXPECT_EQ(stream.take().arrival, 0);
  const SimulatedRequest second = stream.take();
  EXPECT_EQ(second.arrival, 1.5);
  EXPECT_EQ(second.output, 8);
}

}  // namespace
}  // namespace fathom
