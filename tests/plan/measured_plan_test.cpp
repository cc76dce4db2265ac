// Plans on measured rates, and plans for the processor of the node itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "plan/host_device.h"
#include "plan/make_plan.h"
#include "plan/predict.h"
#include "report/plan_json.h"
#include "report/plan_text.h"
#include "support/mutation.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

const std::filesystem::path kLaptop =
    std::filesystem::path(FATHOM_SOURCE_DIR) / "examples/laptop-qwen2-0.5b/cluster.yaml";

// A row for each kind of a dense model: 30 GB/s, 200 GFLOPS, 2 us.
std::shared_ptr<Profile> profile_of_laptop() {
  auto p = std::make_shared<Profile>();
  p->file = "profile.json";
  p->machine = "this laptop";
  p->date = "2026-11-21";
  p->accelerator = kHostAccelerator;
  p->engine = "fathom-host";
  for (const OperatorKind kind : {OperatorKind::kEmbed, OperatorKind::kNorm, OperatorKind::kLinear, OperatorKind::kRope,
                                  OperatorKind::kAttention, OperatorKind::kActivation, OperatorKind::kSample}) {
    p->rows.push_back({.kind = kind,
                       .memory = BytesPerSecond(30e9),
                       .compute = FlopsPerSecond(200e9),
                       .floor = 2_us,
                       .fit = {.samples = 5, .fast = 0.9, .slow = 1.2}});
  }
  p->step_overhead = {.min = 90_us, .likely = 100_us, .max = 120_us, .confidence = Confidence::kMeasured};
  p->step_samples = 5;
  return p;
}

Plan plan_of_laptop(std::shared_ptr<const Profile> profile) {
  return make_plan(read_cluster(kLaptop, shipped()), shipped(), std::move(profile));
}

bool says(const std::vector<std::string>& lines, const std::string& text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

TEST(MeasuredPlan, TakesTimesBandAndConfidenceFromTheProfile) {
  const Plan plan = plan_of_laptop(profile_of_laptop());
  const PlanPool& pool = plan.pools.at(0);
  for (const PlanOperator& op : pool.decode) {
    const Seconds longer = std::max(op.bytes / BytesPerSecond(30e9), op.flops / FlopsPerSecond(200e9));
    EXPECT_NEAR(op.time.value, (longer + 2_us * op.count).value, 1e-9) << op.name;
  }
  const double work = (pool.step_time.likely - pool.step_overhead).value;
  EXPECT_NEAR(pool.step_time.min.value, 0.9 * work + 90e-6, 1e-9);
  EXPECT_NEAR(pool.step_time.max.value, 1.2 * work + 120e-6, 1e-9);
  EXPECT_EQ(plan.confidence, Confidence::kMeasured);
  EXPECT_EQ(pool.step_time.confidence, Confidence::kMeasured);
  EXPECT_EQ(plan.sensitivities.front().input, "spread of the measured rates");
}

TEST(MeasuredPlan, SaysWhichOperatorsTheProfileCovers) {
  auto some = profile_of_laptop();
  std::erase_if(some->rows, [](const ProfileRow& row) { return row.kind == OperatorKind::kAttention; });
  const Plan plan = plan_of_laptop(some);
  ASSERT_TRUE(plan.profile);
  EXPECT_EQ(plan.profile->uncovered, std::vector<std::string>{"attention.core"});
  EXPECT_TRUE(says(plan.profile->covered, "ffn.down"));
  EXPECT_EQ(plan.inputs.back().path, "profile.json");
  EXPECT_NE(plan.confidence, Confidence::kMeasured);
  const std::string text = plan_text(plan, {}), json = plan_json(plan);
  EXPECT_NE(text.find("from the catalogs come attention.core"), std::string::npos);
  EXPECT_EQ(text.find("no probe profile"), std::string::npos);
  EXPECT_NE(json.find("\"uncovered\""), std::string::npos);
}

// Products of few tokens alone were measured: a prompt's intensity is far beyond them.
TEST(MeasuredPlan, SaysOfPromptsAloneThatTheyAreNotCovered) {
  auto some = profile_of_laptop();
  some->alone = true;
  for (ProfileRow& row : some->rows) {
    if (row.kind == OperatorKind::kLinear) row.factors = {{.flops_per_byte = 1, .factor = 1}, {.flops_per_byte = 16}};
  }
  const Plan plan = plan_of_laptop(some);
  EXPECT_TRUE(says(plan.profile->covered, "ffn.down (decoding)"));
  EXPECT_TRUE(says(plan.profile->uncovered, "ffn.down (prompts)"));
  EXPECT_FALSE(says(plan.profile->uncovered, "ffn.down (decoding)") || says(plan.profile->uncovered, "attention.core"));
  EXPECT_TRUE(says(plan.profile->covered, "attention.core"));
}

TEST(MeasuredPlan, MarksWhereEachTimeComesFrom) {
  auto some = profile_of_laptop();
  std::erase_if(some->rows, [](const ProfileRow& row) { return row.kind == OperatorKind::kAttention; });
  const Plan plan = plan_of_laptop(some);
  for (const PlanOperator& op : plan.pools.at(0).decode) {
    EXPECT_EQ(op.source, op.name == "attention.core" ? "catalog" : "interpolated") << op.name;
  }
  EXPECT_NE(plan_text(plan, {}).find("source"), std::string::npos);
  EXPECT_EQ(plan_text(plan_of_laptop(nullptr), {}).find("  source"), std::string::npos);
  EXPECT_NE(plan_json(plan).find("\"source\": \"interpolated\""), std::string::npos);
}

// Products of the plan's own shapes, measured at 1 and 512 rows of activations alone.
TEST(MeasuredPlan, SaysHowWellSurfacesPredictAndWhatLiesOutside) {
  auto some = profile_of_laptop();
  std::vector<ProductPoint> points;
  for (const double n : {1152.0, 9728.0}) {
    for (const double m : {1.0, 2.0, 512.0}) {
      const ProductShape shape{.m = m, .n = n, .k = 896, .bytes = Bytes(2 * n * 896), .flops = Flops(2 * m * n * 896)};
      points.push_back({shape, 10_us + shape.bytes / BytesPerSecond(30e9) + shape.flops / FlopsPerSecond(200e9)});
    }
  }
  some->surfaces = {fit_surface(Format::kBf16, points)};
  const Plan plan = plan_of_laptop(some);
  ASSERT_TRUE(plan.profile);
  EXPECT_TRUE(says(plan.profile->fits, "linear bf16: 6 shapes, left out one by one"));
  EXPECT_TRUE(says(plan.profile->extrapolated, "head"));  // wider than any of them
  EXPECT_NE(plan_text(plan, {}).find("outside of the shapes that it measured lie"), std::string::npos);
}

TEST(MeasuredPlan, AProfileOfAnotherDeviceOrEngineIsNamed) {
  auto other = profile_of_laptop();
  other->accelerator = "nvidia-h100-sxm5-80gb";
  const Plan without = plan_of_laptop(nullptr), with = plan_of_laptop(other);
  EXPECT_TRUE(says(with.notes, "stands for nvidia-h100-sxm5-80gb, which no group has: it was not used"));
  EXPECT_EQ(with.predictions.tpot.likely, without.predictions.tpot.likely);
  auto engine = profile_of_laptop();
  engine->engine = "vllm";
  EXPECT_TRUE(says(plan_of_laptop(engine).notes, "was measured with vllm, the plan is for fathom-host"));
}

// At the largest batch this processor computes most of the time, on measured rates too.
TEST(MeasuredPlan, LeversChangeWhatWasMeasured) {
  const Plan plan = plan_of_laptop(profile_of_laptop());
  const auto lever = std::find_if(plan.levers.begin(), plan.levers.end(),
                                  [](const PlanLever& l) { return l.change == "twice the arithmetic peak"; });
  ASSERT_NE(lever, plan.levers.end());
  EXPECT_GT(lever->gain, 0.3);
}

constexpr const char* kOneGpu = R"(format: fathom-cluster/1
title: one GPU
date: 2026-11
sites:
  - {id: desk, kind: office, pue: 1.0}
groups:
  - id: gpu
    nodes: 1
    node:
      accelerator: {part: nvidia-h200-sxm5-141gb, count: 1}
      memory: {size: 256 GB}
      disks:
        - {count: 2, capacity: 4 TB, read: 7 GB/s}
finance:
  currency: USD
workload:
  model: llama-3.1-8b
  weights: [bf16]
  input_tokens: 1000
  output_tokens: 500
  concurrency: 8
)";

std::shared_ptr<Profile> profile_of_gpu() {
  auto p = std::make_shared<Profile>();
  p->file = "node.json";
  p->accelerator = "nvidia-h200-sxm5-141gb";
  p->watts = ProfileWatts{.idle = 118_W,
                          .reading = 600_W,
                          .multiplying = 650_W,
                          .memory = BytesPerSecond(4.5e12),
                          .compute = FlopsPerSecond(680e12)};
  p->storage = 2_GBps;
  return p;
}

Plan plan_of_gpu(std::shared_ptr<const Profile> profile, const std::string& more = "") {
  const ScratchFolder folder;
  return make_plan(read_cluster(folder.write("cluster.yaml", kOneGpu + more), shipped()), shipped(),
                   std::move(profile));
}

// 118 W at rest and (600 W - 350 W of the prior's floor) for reading: the simulation's watts are those of the power section.
TEST(MeasuredPlan, WattsOfTheRecordAreThoseOfPowerAndSimulation) {
  const Plan prior = plan_of_gpu(nullptr), plan = plan_of_gpu(profile_of_gpu());
  const NodeWatts& node = plan.power->groups.at(0).node;
  ASSERT_TRUE(node.accelerator && node.accelerator->measured);
  EXPECT_EQ(node.accelerator->idle, 118_W);
  EXPECT_GT(node.accelerator->busy, 350_W);
  EXPECT_FALSE(prior.power->groups.at(0).node.accelerator->measured);
  EXPECT_NEAR((node.idle.likely - prior.power->groups.at(0).node.idle.likely).value, 118 - 80, 1e-9);
  EXPECT_EQ(plan.pools.at(0).serving->idle, node.idle.likely);
  EXPECT_NE(plan.pools.at(0).serving->watts.values, prior.pools.at(0).serving->watts.values);
}

// 16 GB of weights: at 14 GB/s of two disks, at the 2 GB/s that were measured, at a stated 4 GB/s.
TEST(MeasuredPlan, WeightsLoadAsFastAsStorageWasMeasured) {
  const auto loading = [](const Plan& plan) { return plan.availability->failover.value - 300 - 120; };  // detect, start
  const Plan prior = plan_of_gpu(nullptr), plan = plan_of_gpu(profile_of_gpu());
  const double weights = 14e9 * loading(prior);
  EXPECT_NEAR(weights, 16e9, 0.5e9);
  EXPECT_NEAR(loading(plan), weights / 2e9, 1e-6);
  EXPECT_TRUE(says(plan.notes, "weights are loaded with 2 GB/s after a failure: measured, node.json"));
  const Plan stated = plan_of_gpu(profile_of_gpu(), "availability: {weight_load: 4 GB/s}\n");
  EXPECT_NEAR(loading(stated), weights / 4e9, 1e-6);
  EXPECT_FALSE(says(stated.notes, "weights are loaded"));
  auto other = profile_of_gpu();
  other->accelerator = "nvidia-h100-sxm5-80gb";
  EXPECT_NEAR(loading(plan_of_gpu(other)), weights / 14e9, 1e-6);
}

TEST(HostDevice, IsTheNodeSharedByItsRanks) {
  Cluster cluster = read_cluster(kLaptop, shipped());
  Group& group = cluster.groups.front();
  group.node.accelerators = 2;
  const Accelerator rank = host_device(make_pool(cluster, group));
  EXPECT_EQ(rank.memory.value, 8_GB);  // of 16
  EXPECT_EQ(rank.memory_bandwidth->value, 20_GBps);
  EXPECT_EQ(rank.memory.origin.confidence, Confidence::kStated);
  const Accelerator& assumed = shipped().accelerator(kHostAccelerator);
  EXPECT_EQ(peak(rank, Dtype::kBf16)->value, peak(assumed, Dtype::kBf16)->value / 2);  // no processor is named
  group.node.memory = Bytes(0);
  group.node.memory_bandwidth.reset();
  EXPECT_EQ(host_device(make_pool(cluster, group)).memory.value, assumed.memory.value / 2);
}

TEST(HostDevice, RanksOfOneProcessorReachEachOtherThroughMemory) {
  Cluster cluster = read_cluster(kLaptop, shipped());
  cluster.groups.front().node.accelerators = 2;
  cluster.layout = {PoolChoice{}};
  cluster.layout.front().group = "laptop";
  cluster.layout.front().tp = 2;
  const Plan plan = make_plan(cluster, shipped());
  ASSERT_TRUE(plan.fits);
  EXPECT_EQ(plan.pools.front().tp, 2);
  EXPECT_TRUE(says(plan.pools.front().links, "TP2 over shared memory"));
}

TEST(HostDevice, AProcessorDrawsItsPowerOnce) {
  Cluster cluster = read_cluster(kLaptop, shipped());
  Node node = cluster.groups.front().node;
  EXPECT_EQ(with_processor_once(node).accelerators, 1);
  node.cpu = &shipped().cpu("intel-xeon-platinum-8480plus");
  EXPECT_EQ(with_processor_once(node).accelerators, 0);
  node.accelerator = &shipped().accelerator("nvidia-h100-sxm5-80gb");
  EXPECT_EQ(with_processor_once(node).accelerators, 1);
}

// The band of the listed step is made with the same corners as all predictions: search/candidate.cpp has them as well.
TEST(StepBand, HasTheCornersOfThePredictions) {
  const Cluster cluster = read_cluster(kLaptop, shipped());
  const Plan plan = make_plan(cluster, shipped());
  const PlanPool& pool = plan.pools.front();
  EXPECT_NEAR(pool.step_time.likely / plan.predictions.step_time.likely, 1, 1e-9);
  EXPECT_NEAR(pool.step_time.min / plan.predictions.step_time.min, 1, 1e-9);
  EXPECT_NEAR(pool.step_time.max / plan.predictions.step_time.max, 1, 1e-9);
}

}  // namespace
}  // namespace fathom
