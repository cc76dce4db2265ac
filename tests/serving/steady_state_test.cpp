// The closed form of continuous batching against its own algebra, its limits, and that better hardware never serves less.
#include "serving/steady_state.h"

#include <gtest/gtest.h>

#include "search/candidate.h"
#include "support/planning.h"

namespace fathom {
namespace {

// One layout of one model on one pool, with its ledger.
struct Service {
  const ModelEntry& model;
  Workload load;
  EngineProfile profile = engine();
  std::vector<Tensor> list;
  Layout layout;
  std::vector<Stage> cut;
  ReplicaMemory memory;
  ReplicaTimer timer;

  Service(const char* id, const Layout& l, const Pool& pool, Workload w)
      : model(shipped().model(id)),
        load(std::move(w)),
        list(tensors(model)),
        layout(l),
        cut(stages(model, list, layout)),
        memory(memory_of({.architecture = model, .tensors = list, .workload = load, .engine = profile}, pool, layout)),
        timer(model, list, layout, cut, device_rates(pool, profile), host_work(profile)) {}

  double room() const { return sequences_that_fit(memory, layout, load.input_tokens.mean + load.output_tokens.mean); }
  SteadyState state(PoolRole role = PoolRole::kServe, double most = 0) const {
    return {timer, load, profile, layout, role, most > 0 ? most : room()};
  }
  double prefill_seconds() const {
    return load.input_tokens.mean / timer.prefill(load.input_tokens.mean, 0, profile.chunk_tokens).tokens_per_second;
  }
};

const TestCluster& h200() {
  static const TestCluster cluster(Machines{});
  return cluster;
}

// X = 1 / (P + O t(b) / b), TPOT = t / (1 - X P), with P and t from the timer.
TEST(SteadyState, FollowsItsFormulas) {
  const Service s("llama-3.1-8b", {.replicas = 3}, h200().pool(), workload(1000, 400, 1));
  for (double b : {1.0, 8.0, 50.0}) {
    const ServingPoint p = s.state().at_batch(b);
    const double t = s.timer.decode_step(b, 1000 + 400 / 2).value, reading = s.prefill_seconds();
    const double rate = 1 / (reading + 400 * t / b);
    EXPECT_NEAR(p.requests_per_s, 3 * rate, 1e-9 * rate);
    EXPECT_NEAR(p.output_tok_per_s, 3 * 400 * rate, 1e-6 * rate);
    EXPECT_NEAR(p.tpot.value, t / (1 - rate * reading), 1e-12);
    EXPECT_NEAR(p.e2e.value, (p.ttft + p.tpot * 399).value, 1e-12);
  }
}

// Nobody's prompt and nobody's step is in its way.
TEST(SteadyState, OneRequestInFlightIsASingleStream) {
  const Service s("llama-3.1-8b", {.replicas = 3}, h200().pool(), workload(1000, 400, 3));
  const ServingPoint one = s.state().at_load(3.0, std::nullopt), two = s.state().at_load(6.0, std::nullopt);
  const double read = s.timer.prefill(1000, 0, s.profile.chunk_tokens).latency.value;
  const double step = s.timer.decode_step(1, 1000 + 400 / 2).value;
  EXPECT_NEAR(one.ttft.value, s.profile.request_overhead.value.value + read, 1e-9);
  EXPECT_NEAR(one.tpot.value, step, 1e-9);
  EXPECT_GT(two.ttft.value, one.ttft.value + step / 2);
  EXPECT_NEAR(s.state().at_load(4.5, std::nullopt).ttft.value, (one.ttft.value + two.ttft.value) / 2, 0.1 * step);
}

TEST(SteadyState, KeepsLittlesLawInAClosedLoop) {
  for (double users : {1.0, 4.0, 32.0, 120.0}) {
    const Service s("qwen2.5-32b", {.tp = 2, .replicas = 4}, h200().pool(), workload(800, 600, users));
    const ServingPoint p = s.state().at_load(users, std::nullopt);
    EXPECT_FALSE(p.saturated || p.kv_limited);
    EXPECT_NEAR(p.requests_per_s * p.e2e.value, users, 0.02 * users);
  }
}

// One user: its own step and its own prompt, nobody else's.
TEST(SteadyState, OneUserWaitsForNobody) {
  const Service s("llama-3.1-8b", {}, h200().pool(), workload(1000, 500, 1));
  const ServingPoint p = s.state().at_load(1, std::nullopt);
  const double alone = 1 / s.timer.decode_step(1, 1250).value;
  EXPECT_LE(p.sequences, 1);
  EXPECT_NEAR(p.output_tok_per_s, alone, 0.15 * alone);
  EXPECT_NEAR(p.tpot.value, 1 / alone, 0.1 / alone);
}

TEST(SteadyState, MoreThanItCanAnswerIsSaturated) {
  const Service s("llama-3.1-8b", {}, h200().pool(), workload(1000, 500, 1));
  const SteadyState state = s.state();
  const double most = state.maximum({})->requests_per_s;
  EXPECT_FALSE(state.at_load(std::nullopt, Hertz(0.5 * most)).saturated);
  EXPECT_TRUE(state.at_load(std::nullopt, Hertz(1.5 * most)).saturated);
  EXPECT_LE(state.at_load(std::nullopt, Hertz(1.5 * most)).requests_per_s, most * 1.01);
  const ServingPoint half = state.at_load(std::nullopt, Hertz(0.5 * most));
  EXPECT_NEAR(half.requests_per_s, 0.5 * most, 0.01 * most);
}

// Room for four: the others wait for a place, and the time they wait keeps Little's law.
TEST(SteadyState, ASmallCacheCapsTheBatchAndMakesTheRestWait) {
  const Service s("llama-3.1-8b", {}, h200().pool(), workload(1000, 500, 32));
  const ServingPoint tight = s.state(PoolRole::kServe, 4).at_load(32, std::nullopt),
                     wide = s.state().at_load(32, std::nullopt);
  EXPECT_TRUE(tight.kv_limited);
  EXPECT_FALSE(wide.kv_limited);
  EXPECT_LE(tight.sequences, 4);
  EXPECT_LT(tight.output_tok_per_s, wide.output_tok_per_s);
  EXPECT_GT(tight.ttft, wide.ttft);
  EXPECT_NEAR(tight.requests_per_s * tight.e2e.value, 32, 0.05 * 32);
}

TEST(SteadyState, TheLargestBatchKeepsTheServiceLevel) {
  const Service s("llama-3.1-8b", {}, h200().pool(), workload(1000, 500, 1));
  const SteadyState state = s.state();
  const ServiceLevel limits{.tpot = 15_ms};
  const std::optional<ServingPoint> most = state.maximum(limits);
  ASSERT_TRUE(most);
  EXPECT_LE(most->tpot, *limits.tpot);
  EXPECT_GT(state.at_batch(most->sequences * 1.01).tpot, *limits.tpot);
  EXPECT_FALSE(state.maximum({.tpot = 1_ms}));
}

TEST(SteadyState, MoreSequencesNeverLowerThroughput) {
  for (const char* id : {"llama-3.1-8b", "deepseek-v2-lite", "qwen3-30b-a3b", "gpt-oss-20b"}) {
    for (const Layout& l : {Layout{}, Layout{.tp = 2}, Layout{.tp = 4}}) {
      const Service s(id, l, h200().pool(), workload(500, 500, 1));
      double last = 0;
      for (double b = 0.1; b < 2000; b *= 1.07) {
        const double now = s.state().at_batch(b).output_tok_per_s;
        EXPECT_GE(now, last * (1 - 1e-9)) << id << " " << short_name(l) << " at " << b;
        last = now;
      }
    }
  }
}

TEST(SteadyState, DraftedTokensThatAreAcceptedShortenTheAnswer) {
  const TestCluster two(Machines{.nodes = 2});
  Workload w = workload(500, 500, 4);
  Layout layout{.tp = 8, .ep = 8, .weights = scheme("fp8")};
  const ServingPoint plain = Service("deepseek-r1", layout, two.pool(), w).state().at_batch(4);
  layout.mtp = true;
  w.mtp_acceptance = 0.85;
  const ServingPoint drafting = Service("deepseek-r1", layout, two.pool(), w).state().at_batch(4);
  w.mtp_acceptance = 0;
  const ServingPoint wasted = Service("deepseek-r1", layout, two.pool(), w).state().at_batch(4);
  EXPECT_LT(drafting.tpot, plain.tpot);
  EXPECT_GT(wasted.tpot, plain.tpot);
}

TEST(SteadyState, BetterHardwareNeverServesLess) {
  for (const char* id : {"llama-3.1-8b", "qwen3-30b-a3b", "deepseek-v2-lite"}) {
    for (const Layout& l : {Layout{}, Layout{.tp = 4}, Layout{.tp = 2, .pp = 2}}) {
      const auto most = [&](double bandwidth, double peak, double link, double memory) {
        TestCluster c(Machines{});
        c.accelerator().memory_bandwidth->value *= bandwidth;
        for (auto& [rate, fact] : c.accelerator().peak) fact.value *= peak;
        c.accelerator().usable_memory->value *= memory;
        c.rebuild();
        for (Tier& t : c.pool().tiers) t.bandwidth *= link;
        const Service s(id, l, c.pool(), workload(2000, 1000, 64));
        const SteadyState state = s.state();
        const std::optional<ServingPoint> maximum = state.maximum({.tpot = 30_ms});
        return std::pair(maximum ? maximum->output_tok_per_s : 0, state.at_load(64, std::nullopt).output_tok_per_s);
      };
      const auto base = most(1, 1, 1, 1);
      for (const auto& better : {most(1.5, 1, 1, 1), most(1, 1.5, 1, 1), most(1, 1, 1.5, 1), most(1, 1, 1, 1.5)}) {
        EXPECT_GE(better.first, base.first * 0.999) << id << " " << short_name(l);  // bisection stops at 0.1 %
        EXPECT_GE(better.second, base.second * 0.998) << id << " " << short_name(l);
      }
    }
  }
}

}  // namespace
}  // namespace fathom
