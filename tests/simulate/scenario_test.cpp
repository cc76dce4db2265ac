// What is refused before it runs for ever.
#include "simulate/scenario.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "simulate/synthetic.h"

namespace fathom {
namespace {

ServingPool pool() { return synthetic_pool(linear_steps()); }

void expect_refused(const Scenario& s, const std::string& message) {
  try {
    simulate(s);
    ADD_FAILURE() << "played: " << message;
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
  }
}

TEST(Scenario, WithoutRequestsIsRefused) {
  expect_refused(Scenario{}, "no pool");
  expect_refused(poisson(pool(), 0, 10, 1, 1), "a rate above zero");
  expect_refused(poisson(pool(), 1, 0, 1, 1), "no requests");
  expect_refused(closed(pool(), 0, 10, 1, 1), "at least one request in flight");
  Scenario s = poisson(pool(), 1, 10, 1, 1);
  const RequestTrace empty;
  s.arrivals = {.kind = Arrivals::kTrace, .trace = &empty};
  expect_refused(s, "the trace holds no request");
}

TEST(Scenario, RequestsThatFitNowhereAreRefused) {
  ServingPool small = pool();
  small.max_context = 1000;
  expect_refused(poisson(small, 1, 10, 900, 101), "900 tokens in and 101 out are longer than the 1000 tokens");
  EXPECT_EQ(simulate(poisson(small, 1, 10, 900, 100)).finished, 10);
  small.max_context = 0;
  small.kv_tokens = 500;
  expect_refused(poisson(small, 1, 10, 400, 200), "longer than the 500 tokens");
}

TEST(Scenario, AnswersThatNeverEndAreRefused) {
  ServingPool endless = pool();
  endless.kv_tokens = 1e12;
  expect_refused(poisson(endless, 1, 100, 10, 1e9), "tokens in all");
  expect_refused(closed(endless, 1, 100'000'000, 10, 200), "tokens in all");
  RequestTrace trace;
  trace.requests.assign(20, {.arrival = 0, .input = 10, .output = 1'000'000'000});
  Scenario s = poisson(endless, 1, 1, 1, 1);
  s.arrivals = {.kind = Arrivals::kTrace, .trace = &trace};
  expect_refused(s, "tokens in all");
  s.pools[0].kv_tokens = 1e6;  // no cache holds them: each is refused when it comes
  EXPECT_EQ(simulate(s).rejected, 20);
}

// 100 tokens at 6 ms are 0.6 s.
TEST(Scenario, FailuresThatNoAnswerOutlivesAreRefused) {
  Scenario s = poisson(pool(), 1, 100, 500, 100);
  s.mttr = Seconds(1);
  s.mtbf = Seconds(0.05);
  expect_refused(s, "a replica fails every 50 ms and an answer takes it");
  s.mtbf = Seconds(1e-9);
  expect_refused(s, "fewer than one in 1000");
  s.mtbf = Seconds(0.6);
  EXPECT_EQ(simulate(s).finished, 100);
}

// Alone an answer takes 0.66 s, and one in 80 would be finished; with others that are read it takes many times as long.
TEST(Scenario, FailuresThatLoseAlmostAllWorkStopTheSimulation) {
  Scenario s = poisson(pool(), 10, 500, 2000, 100);
  s.mttr = Seconds(0.1);
  s.mtbf = Seconds(0.15);
  expect_refused(s, "too often");
}

}  // namespace
}  // namespace fathom
