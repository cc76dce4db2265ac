// The engine's scheduler against the simulation: the same requests, steps that take the same time, no noise. What differs
// then is policy.
#include "compare/arrivals.h"

#include <gtest/gtest.h>

#include <cmath>

#include "serve/engine.h"
#include "simulate/simulation.h"
#include "simulate/synthetic.h"
#include "support/scripted_executor.h"
#include "support/tiny_models.h"
#include "validate/arriving_requests.h"
#include "validate/serve_arrivals.h"
#include "weights/synthetic.h"

namespace fathom {
namespace {

using testing::make_scripted_executor;
using testing::tiny_model;
using testing::VirtualClock;

const SyntheticWeights kWeights(5);

ServingPool replica(double chunk = 256, int most_sequences = 1000) {
  ServingPool pool = synthetic_pool(linear_steps());
  pool.chunk_tokens = chunk;
  pool.most_sequences = most_sequences;
  return pool;
}

ServingLoad load(double input, double output, double sigma) {
  ServingLoad load;
  load.input = {.mean = input, .sigma = sigma};
  load.output = {.mean = output, .sigma = sigma};
  return load;
}

ArrivalPlan poisson(double rate, std::int64_t requests) {
  return {.kind = Arrivals::kPoisson, .requests_per_s = rate, .requests = requests};
}

ValidationOptions two_threads() {
  ValidationOptions options;
  options.threads = 2;
  return options;
}

ArrivalComparison compared(const ServingPool& pool, const RequestTrace& requests) {
  const EngineModel model(tiny_model("llama"), Layout{});
  const std::vector<Request> asked = engine_requests(requests, model.architecture.vocab_size);
  SavedPlan plan;
  SavedPool& saved = plan.pools.emplace_back();
  saved.serving = pool;
  RunOptions options = serving_options(model, saved, pool, asked, {});
  const auto clock = std::make_shared<VirtualClock>();
  options.clock = clock;
  options.make_executor = make_scripted_executor(clock, pool.step_times);
  const ServedRun run = served(model, run_engine(model, kWeights, asked, options), requests);
  return compare_arrivals(plan, saved, pool, requests, run, 0.1, ArrivalTolerance{.p50 = 0.01, .p99 = 0.01});
}

// Percentiles of the simulation lie in buckets of 1/256 of an octave: within 0.4 % from end to end.
void expect_equal(const ArrivalComparison& c) {
  EXPECT_TRUE(c.passed) << ::testing::PrintToString(c.reasons);
  for (const ComparedTimes& t : c.times) {
    EXPECT_EQ(t.predicted.count, t.measured.count) << t.key;
    EXPECT_NEAR(t.measured.mean / t.predicted.mean, 1, 1e-6) << t.key;
    EXPECT_NEAR(t.measured.max / t.predicted.max, 1, 1e-6) << t.key;
    for (const auto percentile : {&Spread::p50, &Spread::p90, &Spread::p95, &Spread::p99}) {
      EXPECT_NEAR(t.measured.*percentile / t.predicted.*percentile, 1, 0.004) << t.key;
    }
  }
  EXPECT_NEAR(c.measured_duration / c.predicted.simulated, 1, 1e-6);
}

TEST(ServedArrivals, EngineAndSimulationServeTheSameRequestsInTheSameTime) {
  const ServingPool pool = replica();
  for (const double rate : {1.0, 4.0, 8.0, 11.0}) {  // the last leaves hardly a moment without a prompt
    SCOPED_TRACE(rate);
    const RequestTrace requests = arriving_requests(pool, load(700, 60, 0.6), poisson(rate, 600), 3);
    expect_equal(compared(pool, requests));
  }
}

TEST(ServedArrivals, SmallChunksAndFewPlacesMakeBothWaitAlike) {
  for (const double chunk : {24.0, 100.0}) {
    for (const int places : {3, 30}) {
      SCOPED_TRACE(::testing::Message() << chunk << " tokens, " << places << " places");
      const ServingPool pool = replica(chunk, places);
      expect_equal(compared(pool, arriving_requests(pool, load(150, 40, 0.8), poisson(20, 400), 4)));
    }
  }
}

TEST(ServedArrivals, BurstsAndRecordedRequestsAreServedAlike) {
  const ServingPool pool = replica();
  ArrivalPlan bursts = poisson(6, 300);
  bursts.kind = Arrivals::kGamma;
  bursts.variation = 4;
  expect_equal(compared(pool, arriving_requests(pool, load(300, 50, 0), bursts, 5)));
  RequestTrace recorded;
  for (int i = 0; i < 40; ++i) {
    recorded.requests.push_back(
        {.arrival = 100 + 0.25 * i, .input = 10 + 97 * (i % 7), .output = 1 + i % 5, .priority = i});
  }
  const ArrivalPlan twice{.kind = Arrivals::kTrace, .time_scale = 0.5, .trace = &recorded};
  const RequestTrace requests = arriving_requests(pool, {}, twice, 1);
  EXPECT_EQ(requests.requests.front().arrival, 0);
  EXPECT_EQ(requests.requests.back().arrival, 39 * 0.125);
  expect_equal(compared(pool, requests));
}

// The engine's requests are those that `fathom simulate` makes up for the same seed.
TEST(ServedArrivals, AreThoseThatASimulationDraws) {
  for (const Arrivals kind : {Arrivals::kPoisson, Arrivals::kGamma}) {
    Scenario s;
    s.pools = {replica()};
    s.load = load(300, 50, 0.7);
    s.arrivals = {.kind = kind, .requests_per_s = 7, .variation = 2, .requests = 500};
    s.seed = 9;
    const SimulationResult drawn = simulate(s);
    const RequestTrace requests = arriving_requests(s.pools.front(), s.load, s.arrivals, s.seed);
    s.arrivals = {.kind = Arrivals::kTrace, .trace = &requests};
    const SimulationResult played = simulate(s);
    EXPECT_EQ(played.requests, drawn.requests);
    EXPECT_NEAR(played.e2e.mean.value, drawn.e2e.mean.value, 1e-9);
    EXPECT_NEAR(played.ttft.max.value, drawn.ttft.max.value, 1e-9);
    EXPECT_NEAR(played.offered_per_s, drawn.offered_per_s, 1e-6);
  }
}

TEST(ServedArrivals, AToleranceSaysWhatIsFartherOff) {
  SavedPlan plan;
  SavedPool& pool = plan.pools.emplace_back();
  pool.accelerator_id = "host-cpu";
  const RequestTrace requests = arriving_requests(replica(), load(100, 10, 0), poisson(0.01, 20), 1);
  // One at a time: 6 ms for the prompt, nine steps of 6 ms and a bit.
  ServedRun run;
  run.accelerator = "host-cpu";
  for (const SimulatedRequest& r : requests.requests) {
    ServedRequest& served = run.requests.emplace_back();
    served.arrival = r.arrival;
    for (int i = 1; i <= 10; ++i) served.token_times.push_back(r.arrival + 0.0066 * i);  // a tenth slower
  }
  const auto judged = [&](double p50) {
    return compare_arrivals(plan, pool, replica(), requests, run, 0.1, ArrivalTolerance{.p50 = p50, .p99 = 0.2});
  };
  EXPECT_TRUE(judged(0.11).passed) << ::testing::PrintToString(judged(0.11).reasons);
  const ArrivalComparison c = judged(0.05);
  EXPECT_FALSE(c.passed);
  ASSERT_EQ(c.reasons.size(), 3u);
  EXPECT_EQ(c.reasons.front(), "P50 of the time to first token is +10 % off, 5 % allowed");
  run.accelerator = "nvidia-h200";
  EXPECT_NE(judged(1).reasons.front().find("not comparable"), std::string::npos);
}

// By the wall clock, on real arithmetic, whatever the layout: nothing is lost, nothing comes before it can.
TEST(ServedArrivals, EveryRequestIsAnsweredAfterItCame) {
  const ServingPool pool_of_four = replica(16, 4);
  const RequestTrace requests = arriving_requests(pool_of_four, load(20, 6, 0.5), poisson(60, 12), 2);
  for (const Layout& layout :
       {Layout{}, Layout{.tp = 2}, Layout{.tp = 2, .pp = 2}, Layout{.attention_dp = 2, .ep = 2}}) {
    const EngineModel model(tiny_model("qwen3-moe"), layout);
    const std::vector<Request> asked = engine_requests(requests, model.architecture.vocab_size);
    SavedPool pool;
    RunOptions options = serving_options(model, pool, pool_of_four, asked, two_threads());
    options.communicator.timeout = std::chrono::seconds(60);
    const ServedRun run = served(model, run_engine(model, kWeights, asked, options), requests);
    ASSERT_EQ(run.requests.size(), requests.requests.size()) << short_name(layout);
    for (std::size_t i = 0; i < run.requests.size(); ++i) {
      const std::vector<double>& times = run.requests[i].token_times;
      ASSERT_EQ(times.size(), static_cast<std::size_t>(requests.requests[i].output)) << short_name(layout);
      EXPECT_GT(times.front(), requests.requests[i].arrival);
      EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
    }
    EXPECT_EQ(run.steps.empty(), layout.pp > 1 || layout.attention_dp > 1);
  }
}

TEST(ServedArrivals, WhatIsNotServedSoIsRefusedByName) {
  SavedPlan plan;
  plan.architecture = tiny_model("deepseek-v3");
  const RequestTrace requests = arriving_requests(replica(), load(20, 6, 0), poisson(60, 2), 2);
  const auto message = [&](SavedPool pool, const ValidationOptions& options) {
    try {
      serve_arrivals(plan, pool, replica(), kWeights, requests, options);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  SavedPool pool;
  pool.role = "decode";
  EXPECT_NE(message(pool, {}).find("this one's role is decode: not supported"), std::string::npos);
  pool.role = "serve";
  pool.layout.mtp = true;
  EXPECT_NE(message(pool, {}).find("drafts"), std::string::npos);
  pool.layout.mtp = false;
  ValidationOptions part;
  part.layers = 1;
  EXPECT_NE(message(pool, part).find("--layers"), std::string::npos);
  EXPECT_THROW(arriving_requests(replica(), load(20, 6, 0), poisson(0, 2), 2), std::invalid_argument);
}

// A gap longer than ranks wait for each other is no failure.
TEST(ServedArrivals, RanksOutlastATimeWithoutRequests) {
  RequestTrace requests;
  requests.requests = {{.arrival = 0, .input = 5, .output = 2}, {.arrival = 1.2, .input = 5, .output = 2}};
  const EngineModel model(tiny_model("llama"), {.tp = 2});
  const std::vector<Request> asked = engine_requests(requests, model.architecture.vocab_size);
  SavedPool pool;
  RunOptions options = serving_options(model, pool, replica(), asked, two_threads());
  options.communicator.timeout = std::chrono::milliseconds(500);
  const RunResult run = run_engine(model, kWeights, asked, options);
  EXPECT_GT(run.token_times.at(1).front(), 1.2);
}

}  // namespace
}  // namespace fathom
