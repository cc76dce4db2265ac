// What the search proposes, refuses and says about it, on small clusters whose answer is known.
#include "search/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "support/planning.h"

namespace fathom {
namespace {

struct Question {
  const ModelEntry& model;
  Workload load;
  EngineProfile profile = engine();
  std::vector<Tensor> list = {};

  Question(const char* id, Workload w, const char* engine_id = "reference")
      : model(shipped().model(id)), load(std::move(w)), profile(engine(engine_id)), list(tensors(model)) {}

  SearchResult ask(const TestCluster& cluster, const std::vector<PoolChoice>& pinned = {}) const {
    return search({.architecture = model, .tensors = list, .workload = load, .engine = profile}, cluster.pools(),
                  pinned);
  }
};

TEST(Search, GivesEveryRejectionAReason) {
  const TestCluster cluster(
      {Machines{.accelerator = "nvidia-h100-sxm5-80gb", .nodes = 4},
       Machines{.accelerator = "huawei-ascend-910b2-64gb", .nodes = 2, .fabric = "roce", .id = "npus"}});
  Workload w = workload(1000, 1000, 32);
  w.offload_experts = true;
  const SearchResult result = Question("deepseek-r1", w).ask(cluster);
  EXPECT_FALSE(result.solutions.empty());
  EXPECT_FALSE(result.rejected.empty());
  for (const Candidate& c : result.rejected) EXPECT_FALSE(c.rejected.empty()) << short_name(c.layout);
  int summed = 0;
  for (const RejectionSummary& row : summarise(result.rejected)) {
    EXPECT_FALSE(row.reason.empty());
    EXPECT_FALSE(row.example.empty());
    summed += row.count;
  }
  EXPECT_EQ(summed, static_cast<int>(result.rejected.size()));
}

TEST(Search, SolutionsFitAndUseNoMoreDevicesThanThereAre) {
  const TestCluster cluster(Machines{.accelerator = "nvidia-h100-sxm5-80gb", .nodes = 10});
  for (const Solution& s : Question("deepseek-r1", workload(1000, 1000, 64)).ask(cluster).solutions) {
    int devices = 0;
    for (const Candidate& c : s.pools) {
      EXPECT_TRUE(c.memory.fits()) << short_name(c.layout);
      EXPECT_EQ(illegal(shipped().model("deepseek-r1"), tensors(shipped().model("deepseek-r1")), c.layout), "");
      devices += c.layout.devices_per_replica() * c.layout.replicas;
    }
    EXPECT_LE(devices, 80);
  }
}

TEST(Search, PutsAFasterSolutionFirst) {
  const TestCluster cluster(Machines{.nodes = 1});
  const SearchResult result = Question("llama-3.1-70b", workload(1000, 500, 4)).ask(cluster);
  ASSERT_GE(result.solutions.size(), 2u);
  EXPECT_LE(result.solutions[0].e2e, result.solutions[1].e2e);
  EXPECT_GT(result.solutions[0].pools.front().layout.tp, 1);  // four users: latency wants all GPUs on one token
}

TEST(Search, RespectsPins) {
  const TestCluster cluster(Machines{.nodes = 4});
  PoolChoice pin;
  pin.group = "group";
  pin.tp = 4;
  pin.pp = 2;
  pin.kv = "fp8";
  const SearchResult result = Question("qwen2.5-72b", workload(1000, 500, 64)).ask(cluster, {pin});
  ASSERT_FALSE(result.solutions.empty());
  for (const Solution& s : result.solutions) {
    for (const Candidate& c : s.pools) {
      EXPECT_EQ(c.layout.tp, 4);
      EXPECT_EQ(c.layout.pp, 2);
      EXPECT_EQ(c.layout.kv, KvFormat::kFp8);
    }
  }
}

TEST(Search, UsesOnlyTheFormatsThatTheUserNames) {
  const TestCluster cluster(Machines{.nodes = 1});
  Workload w = workload(1000, 500, 16);
  w.weights = {"fp8"};
  for (const Solution& s : Question("qwen2.5-72b", w).ask(cluster).solutions)
    EXPECT_EQ(s.pools.front().layout.weights.name, "fp8");
}

TEST(Search, QuantisesFurtherOnlyWhenNothingElseFitsAndSaysSo) {
  const TestCluster four(Machines{.per_node = 4}), eight(Machines{.per_node = 8});
  const Question r1("deepseek-r1", workload(1000, 500, 8));
  const SearchResult small = r1.ask(four), large = r1.ask(eight);
  ASSERT_FALSE(small.solutions.empty());
  EXPECT_FALSE(small.notes.empty());
  EXPECT_NE(small.solutions.front().pools.front().layout.weights.name, "fp8");
  ASSERT_FALSE(large.solutions.empty());
  EXPECT_TRUE(large.notes.empty());
  EXPECT_EQ(large.solutions.front().pools.front().layout.weights.name, "fp8");
}

TEST(Search, NamesTheNearestWhenNothingFits) {
  const TestCluster one(Machines{.accelerator = "nvidia-rtx-2080ti-11gb", .per_node = 1, .nic_gbps = 0});
  const SearchResult result = Question("deepseek-r1", workload(100, 100, 1)).ask(one);
  EXPECT_TRUE(result.solutions.empty());
  ASSERT_FALSE(result.nearest.empty());
  EXPECT_GT(result.nearest.front().shortfall_bytes, 0);
}

bool offloads(const Solution& s) {
  return std::any_of(s.pools.begin(), s.pools.end(), [](const Candidate& c) { return c.layout.offload_experts; });
}

// One 24-GB card and 1 TB of DRAM: only an engine that runs experts on the CPU can serve R1 at all.
TEST(Search, KeepsExpertsInHostMemoryOnlyWithAnEngineThatCan) {
  const TestCluster box(Machines{.accelerator = "nvidia-rtx-4090-24gb", .per_node = 1, .nic_gbps = 0});
  Workload w = workload(500, 500, 1);
  w.weights = {"int4-experts+int8"};
  w.offload_experts = true;
  const SearchResult can = Question("deepseek-r1", w, "ktransformers").ask(box),
                     cannot = Question("deepseek-r1", w, "vllm").ask(box);
  ASSERT_FALSE(can.solutions.empty());
  for (const Solution& s : can.solutions) EXPECT_TRUE(offloads(s));
  EXPECT_TRUE(cannot.solutions.empty());
  EXPECT_TRUE(std::any_of(cannot.rejected.begin(), cannot.rejected.end(), [](const Candidate& c) {
    return c.rejected.find("does not run experts from host memory") != std::string::npos;
  }));
  w.offload_experts = false;
  EXPECT_TRUE(Question("deepseek-r1", w, "ktransformers").ask(box).solutions.empty());
}

bool disaggregated(const Solution& s) {
  return s.pools.size() == 2 && s.pools[0].role == PoolRole::kPrefill && s.pools[1].role == PoolRole::kDecode;
}

TEST(Search, TwoGroupsServeTogetherOrOneFeedsTheOther) {
  const TestCluster cluster({Machines{.accelerator = "nvidia-h100-sxm5-80gb", .nodes = 4, .id = "compute"},
                             Machines{.accelerator = "nvidia-h20-sxm5-96gb", .nodes = 4, .id = "memory"}});
  Workload w = workload(4000, 500, 600);
  w.objective = Objective::kCapacity;
  const SearchResult result = Question("llama-3.1-70b", w).ask(cluster);
  bool side_by_side = false, compute_to_memory = false;
  for (const Solution& s : result.solutions) {
    if (s.pools.size() == 2 && s.pools[0].role == PoolRole::kServe && s.pools[0].pool != s.pools[1].pool)
      side_by_side = true;
    if (disaggregated(s) && s.pools[0].pool->group->id == "compute" && s.pools[1].pool->group->id == "memory")
      compute_to_memory = true;
  }
  EXPECT_TRUE(side_by_side);
  EXPECT_TRUE(compute_to_memory);
}

// Roles that the bill of materials fixes leave one way only. Both pools carry the same rate, none beyond its capacity.
TEST(Search, ADisaggregatedPairCarriesOneRate) {
  const TestCluster cluster(
      {Machines{.accelerator = "nvidia-h100-sxm5-80gb", .nodes = 2, .id = "prefill", .role = "prefill"},
       Machines{.accelerator = "nvidia-h20-sxm5-96gb", .nodes = 2, .id = "decode", .role = "decode"}});
  const SearchResult result = Question("llama-3.1-70b", workload(2000, 500, 64)).ask(cluster);
  ASSERT_FALSE(result.solutions.empty());
  for (const Solution& s : result.solutions) {
    ASSERT_TRUE(disaggregated(s));
    EXPECT_NEAR(s.pools[0].load.requests_per_s, s.requests_per_s, 0.02 * s.requests_per_s);
    EXPECT_NEAR(s.pools[1].load.requests_per_s, s.requests_per_s, 0.02 * s.requests_per_s);
    EXPECT_LE(s.output_tok_per_s, s.max_output_tok_per_s * 1.001);
    EXPECT_NEAR(s.requests_per_s * s.e2e.value, 64, 0.1 * 64);
  }
}

// One group cut in two: neither side could give a node away without becoming the bottleneck. Replicas of several nodes are
// too coarse for that.
TEST(Search, NodesOfACutGroupAreSharedSoThatBothSidesKeepUp) {
  const TestCluster cluster(Machines{.accelerator = "nvidia-h100-sxm5-80gb", .nodes = 12});
  Workload w = workload(4000, 300, 2000);
  const SearchResult result = Question("qwen2.5-32b", w).ask(cluster);
  for (const Solution& s : result.solutions) {
    if (!disaggregated(s)) continue;
    const Candidate &in = s.pools[0], &out = s.pools[1];
    if (std::max(in.layout.devices_per_replica(), out.layout.devices_per_replica()) > 8) continue;
    ASSERT_TRUE(in.maximum && out.maximum);
    const double reads = in.maximum->requests_per_s, answers = out.maximum->requests_per_s;
    EXPECT_LE(
        in.layout.devices_per_replica() * in.layout.replicas + out.layout.devices_per_replica() * out.layout.replicas,
        96);
    EXPECT_LT(std::max(reads, answers), 2.2 * std::min(reads, answers)) << reads << " " << answers;
  }
}

// A thousand cards behind 10-Gb/s Ethernet. One all-reduce of 8 ranks over TCP is six hops of 60 us, 128 of them per token,
// and a chunk of prompt moves gigabytes: whatever is asked, from one user to 680 requests/s, is served by pipelines of
// single cards. R1 in 4 bits: one MoE layer in fp8 is 11.5 GB, more than a card holds, so there is no such pipeline.
TEST(Search, HomesOnEthernetArePipelinesOfSingleCards) {
  const TestCluster homes(Machines{.accelerator = "nvidia-rtx-2080ti-11gb",
                                   .nodes = 1000,
                                   .per_node = 1,
                                   .nic_gbps = 10,
                                   .fabric = "ethernet",
                                   .cpu = "intel-core-i7-12700k",
                                   .cpus = 1,
                                   .memory = Bytes(64e9)});
  Workload busy = workload(512, 512, 1), capacity = workload(512, 512, 100);
  const Workload one = workload(512, 512, 1), many = workload(512, 512, 100);
  busy.concurrency.reset();
  busy.arrival_rate = Hertz(680);
  busy.slo.e2e = 0.6_s;
  capacity.objective = Objective::kCapacity;
  for (const char* id : {"deepseek-r1", "qwen2.5-32b"}) {
    for (Workload w : {busy, capacity, one, many}) {
      w.weights = {"int4"};
      const SearchResult result = Question(id, w).ask(homes);
      ASSERT_FALSE(result.solutions.empty()) << id;
      const Layout& best = result.solutions.front().pools.front().layout;
      EXPECT_EQ(best.tp, 1) << id << " " << short_name(best);
      EXPECT_GT(best.pp, 1) << id << " " << short_name(best);
    }
  }
}

TEST(Search, AnswersTheSameTwice) {
  const TestCluster cluster(Machines{.nodes = 4});
  const Question q("deepseek-r1", workload(1000, 1000, 64));
  const SearchResult a = q.ask(cluster), b = q.ask(cluster);
  ASSERT_EQ(a.solutions.size(), b.solutions.size());
  for (std::size_t i = 0; i < a.solutions.size(); ++i) {
    EXPECT_EQ(short_name(a.solutions[i].pools[0].layout), short_name(b.solutions[i].pools[0].layout));
    EXPECT_EQ(a.solutions[i].e2e, b.solutions[i].e2e);
  }
}

TEST(Search, ABetterClusterIsNeverWorse) {
  const auto best = [](const std::function<void(TestCluster&)>& change) {
    TestCluster cluster(Machines{.accelerator = "nvidia-h100-sxm5-80gb", .nodes = 2});
    change(cluster);
    Workload w = workload(1500, 800, 128);
    w.objective = Objective::kCapacity;
    double most = 0;
    for (const Solution& s : Question("llama-3.1-70b", w).ask(cluster).solutions)
      most = std::max(most, s.max_output_tok_per_s);
    return most;
  };
  const double base = best([](TestCluster&) {});
  EXPECT_GE(best([](TestCluster& c) {
              c.accelerator().memory_bandwidth->value *= 1.5;
              c.rebuild();
            }),
            base * 0.998);
  EXPECT_GE(best([](TestCluster& c) {
              c.accelerator().memory.value *= 1.5;
              c.rebuild();
            }),
            base * 0.998);
  EXPECT_GE(best([](TestCluster& c) {
              for (Tier& t : c.pool().tiers) t.bandwidth *= 1.5;
            }),
            base * 0.998);
  EXPECT_GE(best([](TestCluster& c) {
              for (Tier& t : c.pool().tiers) t.step_latency /= 2;
            }),
            base * 0.998);
}

}  // namespace
}  // namespace fathom
