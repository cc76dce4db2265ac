// What must hold in every simulation, and the behaviour of the engine: batches, a full cache, priorities, pools,
// failures.
#include <gtest/gtest.h>

#include <cmath>

#include "simulate/synthetic.h"

namespace fathom {
namespace {

ServingPool pool() { return synthetic_pool(linear_steps()); }

RequestTrace at_once(int count, int input, int output) {
  RequestTrace trace;
  for (int i = 0; i < count; ++i) trace.requests.push_back({.arrival = 0, .input = input, .output = output});
  return trace;
}

Scenario of_trace(const ServingPool& pool, const RequestTrace& trace) {
  Scenario s = poisson(pool, 1, 1, 1, 1);
  s.arrivals = {.kind = Arrivals::kTrace, .trace = &trace};
  s.warm_up = 0;
  return s;
}

TEST(Simulation, EveryRequestIsAnsweredOrRefused) {
  for (const double kv : {4'000.0, 20'000.0, 1e6}) {
    ServingPool small = pool();
    small.kv_tokens = kv;
    small.replicas = 3;
    Scenario s = poisson(small, 60, 5000, 500, 200);
    s.load.input.sigma = s.load.output.sigma = 1;
    const SimulationResult r = simulate(s);
    EXPECT_EQ(r.requests, 5000);
    EXPECT_EQ(r.finished + r.rejected, r.requests);
    EXPECT_LE(r.kv_peak, 1.0);
    EXPECT_GE(r.ttft.p99, r.ttft.p50);
    EXPECT_GE(r.e2e.mean, r.ttft.mean);
  }
}

TEST(Simulation, IsTheSameForASeedAndAnotherForAnother) {
  Scenario s = poisson(pool(), 20, 2000, 500, 100);
  s.load.output.sigma = 0.8;
  const SimulationResult a = simulate(s), b = simulate(s);
  EXPECT_EQ(a.e2e.mean, b.e2e.mean);
  EXPECT_EQ(a.inter_token.p99, b.inter_token.p99);
  EXPECT_EQ(a.simulated, b.simulated);
  s.seed = 2;
  EXPECT_NE(simulate(s).e2e.mean, a.e2e.mean);
}

// One request alone: 500 tokens at 30 us are 15 ms, and 99 steps of 6 ms and 1 us, 40 ns for each token read.
TEST(Simulation, ALoneRequestTakesItsStepsAndNothingElse) {
  const RequestTrace trace = at_once(1, 500, 100);
  ServingPool p = pool();
  p.request_overhead = 2_ms;
  const SimulationResult r = simulate(of_trace(p, trace));
  EXPECT_NEAR(r.ttft.mean.value, 0.002 + 0.015, 1e-9);
  double decode = 0;
  for (int i = 1; i < 100; ++i) decode += 6e-3 + 1e-6 + 4e-11 * (500 + i);
  EXPECT_NEAR(r.e2e.mean.value, 0.017 + decode, 1e-9);
  EXPECT_NEAR(r.tpot.mean.value, decode / 99, 1e-9);
  EXPECT_EQ(r.inter_token.count, 99);
}

// 5,000 tokens in chunks of 2,048 take three steps; a decoding request goes on meanwhile, one token a step.
TEST(Simulation, LongPromptsAreReadInChunksBesideDecoding) {
  RequestTrace trace;
  trace.requests = {{.arrival = 0, .input = 10, .output = 1000}, {.arrival = 1, .input = 5000, .output = 1}};
  const SimulationResult r = simulate(of_trace(pool(), trace));
  EXPECT_NEAR(r.ttft.max.value, 5000 * 3e-5, 0.01);
  EXPECT_NEAR(r.inter_token.max.value, 2048 * 3e-5, 0.01);
  EXPECT_LT(r.inter_token.p50.value, 0.0065);
}

TEST(Simulation, AFullCachePreemptsTheYoungestAndReadsItAgain) {
  ServingPool p = pool();
  p.kv_tokens = 4096;
  const RequestTrace trace = at_once(8, 400, 400);  // 8 x 800 tokens do not fit at once
  const SimulationResult recompute = simulate(of_trace(p, trace));
  EXPECT_GT(recompute.preemptions, 0);
  EXPECT_EQ(recompute.finished, 8);
  EXPECT_LE(recompute.kv_peak, 1.0);
  EXPECT_EQ(recompute.inter_token.count, 8 * 399);  // none is lost, none is counted twice
  Scenario swap = of_trace(p, trace);
  swap.preemption = Preemption::kSwap;
  swap.pools[0].kv_bytes_per_token = Bytes(1e5);
  const SimulationResult swapped = simulate(swap);
  EXPECT_EQ(swapped.finished, 8);
  EXPECT_EQ(swapped.inter_token.count, 8 * 399);
  EXPECT_GT(swapped.preemptions, 0);
  EXPECT_LT(swapped.prompt_tok_per_s, recompute.prompt_tok_per_s);
  EXPECT_NE(swapped.simulated, recompute.simulated);
}

TEST(Simulation, TheSmallerPriorityNumberGoesFirst) {
  ServingPool p = pool();
  p.most_sequences = 1;
  RequestTrace trace = at_once(40, 100, 10);
  for (std::size_t i = 0; i < trace.requests.size(); ++i) trace.requests[i].priority = i < 20 ? 1 : 0;
  RequestTrace important;
  important.requests.assign(trace.requests.begin() + 20, trace.requests.end());
  // The first of all is under way before the important ones are known.
  const double alone = simulate(of_trace(p, important)).e2e.max.value;
  Scenario s = of_trace(p, trace);
  s.limits.e2e = Seconds(alone * 1.06);
  const SimulationResult r = simulate(s);
  EXPECT_GE(r.good_share * static_cast<double>(r.finished), 20);
}

TEST(Simulation, AClosedLoopKeepsItsNumberInFlight) {
  const SimulationResult r = simulate(closed(pool(), 24, 4000, 300, 100));
  EXPECT_NEAR(r.mean_running + r.mean_waiting, 24, 0.5);
  EXPECT_NEAR(r.requests_per_s * r.e2e.mean.value, 24, 1);  // Little
  EXPECT_EQ(r.finished, 4000);
  EXPECT_FALSE(r.overloaded);
}

TEST(Simulation, LengthsAndArrivalsHaveTheStatedMoments) {
  Scenario s = poisson(pool(), 5, 60'000, 300, 50);
  s.pools[0].replicas = 4;
  s.load.input.sigma = 0.7;
  const SimulationResult r = simulate(s);
  EXPECT_NEAR(r.offered_per_s, 5, 0.1);
  EXPECT_NEAR(r.prompt_tok_per_s / r.requests_per_s, 300, 5);
  EXPECT_NEAR(r.output_tok_per_s / r.requests_per_s, 50, 0.5);
  s.arrivals.kind = Arrivals::kGamma;
  s.arrivals.variation = 3;
  const SimulationResult bursts = simulate(s);
  EXPECT_NEAR(bursts.offered_per_s, 5, 0.2);
  EXPECT_GT(bursts.ttft.p99, r.ttft.p99);
  s.arrivals.variation = 0;
  EXPECT_LE(simulate(s).ttft.p99, r.ttft.p99);
}

TEST(Simulation, LeastLoadedIsNoSlowerThanAtRandom) {
  ServingPool p = pool();
  p.replicas = 8;
  Scenario s = poisson(p, 250, 20'000, 500, 100);
  s.load.output.sigma = 0.7;
  const SimulationResult least = simulate(s);
  s.routing = Routing::kRoundRobin;
  const SimulationResult turns = simulate(s);
  s.routing = Routing::kRandom;
  const SimulationResult random = simulate(s);
  EXPECT_LT(least.ttft.p99, random.ttft.p99);
  EXPECT_LT(turns.ttft.p99, random.ttft.p99);
  EXPECT_LT(least.e2e.mean, random.e2e.mean);
}

TEST(Simulation, PrefillAndDecodePoolsPassTheCacheOn) {
  ServingPool prefill = pool(), decode = pool();
  prefill.part = PoolPart::kPrefill;
  prefill.transfer_base = 1_ms;
  prefill.transfer_per_token = 10_us;
  decode.part = PoolPart::kDecode;
  RequestTrace one = at_once(1, 500, 100);
  Scenario s = of_trace(prefill, one);
  s.pools.push_back(decode);
  const SimulationResult r = simulate(s);
  EXPECT_NEAR(r.ttft.mean.value, 0.015 + 0.001 + 0.005, 1e-9);
  EXPECT_EQ(r.inter_token.count, 99);
  EXPECT_LT(r.inter_token.max.value, 0.0065);

  Scenario many = poisson(prefill, 30, 3000, 500, 100);
  many.pools.push_back(decode);
  const SimulationResult apart = simulate(many);
  EXPECT_EQ(apart.finished, 3000);
  EXPECT_LT(apart.inter_token.p99.value, 0.009);  // no prompt between two tokens
  EXPECT_GT(simulate(poisson(pool(), 30, 3000, 500, 100)).inter_token.p99.value, 0.015);
}

TEST(Simulation, PoolsSideBySideTakeTheirShares) {
  ServingPool a = pool(), b = pool();
  a.share = 0.75;
  b.share = 0.25;
  b.name = "other";
  Scenario s = poisson(a, 10, 4000, 200, 50);
  s.pools.push_back(b);
  const SimulationResult r = simulate(s);
  EXPECT_EQ(r.finished, 4000);
  EXPECT_NEAR(r.pools[0].mean_running / r.pools[1].mean_running, 3, 0.6);
}

TEST(Simulation, FailedReplicasHandTheirRequestsOn) {
  ServingPool p = pool();
  p.replicas = 4;
  Scenario s = poisson(p, 40, 20'000, 300, 100);
  const SimulationResult whole = simulate(s);
  s.mtbf = Seconds(60);
  s.mttr = Seconds(10);
  const SimulationResult r = simulate(s);
  EXPECT_GT(r.failures, 10);
  EXPECT_GT(r.restarted, 0);
  EXPECT_EQ(r.finished, 20'000);
  EXPECT_GT(r.ttft.p99, whole.ttft.p99);
  s.pools[0].replicas = 1;  // while it is away, everybody waits
  s.arrivals.requests_per_s = 5;
  s.arrivals.requests = 2000;
  const SimulationResult alone = simulate(s);
  EXPECT_EQ(alone.finished, 2000);
  EXPECT_GT(alone.ttft.max.value, 3);
}

TEST(Simulation, KnownPrefixesAreNotReadAgain) {
  ServingPool p = pool();
  Scenario s = poisson(p, 10, 3000, 2000, 20);
  const SimulationResult cold = simulate(s);
  s.load.prefix_hit = 0.9;
  const SimulationResult warm = simulate(s);
  EXPECT_LT(warm.ttft.mean.value, 0.5 * cold.ttft.mean.value);
  EXPECT_NEAR(warm.prefix_found, 0.9, 0.01);
  EXPECT_GE(warm.kv_peak, 126 / 625000.0);  // its pages are needed all the same

  RequestTrace trace;  // ten conversations that share a system prompt of one block
  for (int i = 0; i < 200; ++i) {
    trace.requests.push_back({.arrival = i * 0.5, .input = 1024, .output = 10, .in_trace = i});
    trace.blocks.insert(trace.blocks.end(), {1, static_cast<std::uint64_t>(100 + i)});
    trace.block_ends.push_back(2 * (i + 1));
  }
  EXPECT_NEAR(simulate(of_trace(p, trace)).prefix_found, 0.5, 0.01);
}

TEST(Simulation, EnergyIsIdleAndBusyTime) {
  ServingPool p = pool();
  p.idle = 100_W;
  p.busy = 500_W;
  const SimulationResult r = simulate(poisson(p, 2, 2000, 100, 20));
  ASSERT_TRUE(r.energy);
  const double watts = r.energy->value / r.window.value;
  EXPECT_NEAR(watts, 100 + 400 * r.utilisation, 0.1);
  EXPECT_NEAR(r.energy_per_token->value, watts / r.output_tok_per_s, 1e-3 * watts);
  EXPECT_FALSE(simulate(poisson(pool(), 2, 200, 100, 20)).energy);
}

// 200 W for a step, 2 W for each sequence in it: by Little's law the mean number of sequences is what the energy tells.
TEST(Simulation, EnergyGoesByWhatStepsWorkOn) {
  ServingPool p = pool();
  p.idle = 100_W;
  p.busy = 500_W;
  p.watts = {.x = {0, 100}, .y = {0, 2048}, .values = {200, 200, 400, 400}};
  const auto mean_watts = [&](double rate) {
    const SimulationResult r = simulate(poisson(p, rate, 4000, 1, 200));
    const double watts = r.energy->value / r.window.value;
    EXPECT_NEAR(watts, 100 + 100 * r.utilisation + 2 * r.mean_running, 0.02 * watts) << rate;
    return watts;
  };
  const double light = mean_watts(0.1), middle = mean_watts(5), heavy = mean_watts(40);
  EXPECT_LT(light, 130);
  EXPECT_LT(middle, 0.9 * heavy);
  EXPECT_LT(heavy, 400);
}

TEST(Simulation, MoreThanCanBeAnsweredIsCalledSo) {
  ServingPool p = pool();
  Scenario s = poisson(p, 200, 20'000, 512, 128);
  s.limits.ttft = 1_s;
  const SimulationResult r = simulate(s);
  EXPECT_TRUE(r.overloaded);
  EXPECT_FALSE(r.meets);
  EXPECT_LT(r.good_share, 0.5);
  EXPECT_GT(r.most_waiting, 1000);
}

TEST(Simulation, ComesToASteadyStateWhenItMay) {
  Scenario s = poisson(pool(), 50, 500, 100, 1000);  // some 300 in flight
  s.pools[0].most_sequences = 4096;
  EXPECT_EQ(simulate(s).requests, 500);
  s.arrivals.until_steady = true;
  const SimulationResult r = simulate(s);
  EXPECT_GT(static_cast<double>(r.requests), 15 * r.mean_running);
  EXPECT_NEAR(r.requests_per_s, r.offered_per_s, 0.05 * r.offered_per_s);
}

TEST(Simulation, TheSeriesSumsUpToTheWhole) {
  const SimulationResult r = simulate(poisson(pool(), 20, 3000, 300, 100));
  double arrived = 0, finished = 0, tokens = 0;
  for (const SeriesRow& row : r.series) {
    arrived += row.arrived;
    finished += row.finished;
    tokens += row.output_tokens;
  }
  EXPECT_EQ(arrived, 3000);
  EXPECT_EQ(finished, 3000);
  EXPECT_EQ(tokens, 300'000);
  EXPECT_LE(r.series.size(), 1024u);
}

// One request alone, the next when it is answered: nobody waits for anything.
TEST(Simulation, AClosedLoopOfOneIsASingleStream) {
  const RequestTrace trace = at_once(1, 500, 100);
  const SimulationResult alone = simulate(of_trace(pool(), trace)), r = simulate(closed(pool(), 1, 200, 500, 100));
  EXPECT_NEAR(r.ttft.mean.value, alone.ttft.mean.value, 1e-9);
  EXPECT_NEAR(r.tpot.mean.value, alone.tpot.mean.value, 1e-9);
  EXPECT_NEAR(r.e2e.max.value, alone.e2e.mean.value, 1e-9);
  EXPECT_NEAR(r.requests_per_s, 1 / alone.e2e.mean.value, 1e-6);
}

TEST(Simulation, SharesEndAtTheWhole) {
  ServingPool p = pool();
  for (const double most : {1.0, 3.0, 7.0}) {
    p.most_sequences = static_cast<int>(most);
    for (const double kv : {700.0, 4'000.0}) {
      p.kv_tokens = kv;
      Scenario s = closed(p, 50, 2000, 300, 100);
      s.limits.e2e = Seconds(1e6);
      const SimulationResult r = simulate(s);
      for (const double share : {r.utilisation, r.kv_use, r.kv_peak, r.good_share, r.pools[0].utilisation})
        EXPECT_LE(share, 1.0);
      for (const SeriesRow& row : r.series) EXPECT_LE(row.kv_use, 1.0);
      EXPECT_EQ(r.good_share, 1.0);
    }
  }
}

}  // namespace
}  // namespace fathom
