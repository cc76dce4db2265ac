// What a plan says of percentiles, and that a saved plan simulates to what the plan itself does.
#include <gtest/gtest.h>

#include <filesystem>

#include "bom/cluster.h"
#include "plan/make_plan.h"
#include "plan/read_plan.h"
#include "report/plan_json.h"
#include "report/plan_text.h"
#include "simulate/simulation.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

Cluster appliance() {
  return read_cluster(std::filesystem::path(FATHOM_SOURCE_DIR) / "examples/r1-appliance-h100/cluster.yaml", shipped());
}

TEST(Percentiles, AreSimulatedWhereTheServiceLevelNamesOne) {
  Cluster cluster = appliance();
  ASSERT_EQ(cluster.workload.slo.percentile, 99);
  const Plan plan = make_plan(cluster, shipped());
  ASSERT_TRUE(plan.simulated);
  EXPECT_GE(plan.simulated->requests, 3600);
  EXPECT_LE(plan.simulated->tpot.p50, plan.simulated->tpot.p99);
  EXPECT_EQ(plan.simulated->tpot.named, plan.simulated->tpot.p99);
  EXPECT_NE(plan_text(plan, {}).find("Percentiles at the load"), std::string::npos);
  EXPECT_EQ(plan_text(plan, {}).find("means were compared"), std::string::npos);

  cluster.workload.slo.percentile = 50;
  EXPECT_FALSE(make_plan(cluster, shipped()).simulated);
}

TEST(Percentiles, DecideTheVerdict) {
  Cluster cluster = appliance();
  const Plan plan = make_plan(cluster, shipped());
  ASSERT_TRUE(plan.simulated && plan.meets);
  // Between mean and P99: the mean would pass.
  cluster.workload.slo.ttft = Seconds((plan.simulated->ttft.mean.value + plan.simulated->ttft.p99.value) / 2);
  const Plan missed = make_plan(cluster, shipped());
  EXPECT_FALSE(missed.meets);
  ASSERT_EQ(missed.reasons.size(), 1u);
  EXPECT_NE(missed.reasons[0].find("P99 of TTFT"), std::string::npos) << missed.reasons[0];
  cluster.workload.slo.percentile = 50;
  EXPECT_TRUE(make_plan(cluster, shipped()).meets);
}

TEST(Percentiles, ASavedPlanHoldsWhatTheSimulationNeeds) {
  const Plan plan = make_plan(appliance(), shipped());
  const ScratchFolder scratch;
  const SavedPlan saved = read_plan(scratch.write("plan.json", plan_json(plan)));
  const std::vector<ServingPool> pools = serving_pools(saved);
  ASSERT_EQ(pools.size(), plan.pools.size());
  const ServingPool &made = *plan.pools[0].serving, &read = pools[0];
  EXPECT_EQ(read.replicas, made.replicas);
  EXPECT_EQ(read.chunk_tokens, made.chunk_tokens);
  EXPECT_EQ(read.idle, made.idle);
  EXPECT_EQ(read.busy, made.busy);
  EXPECT_TRUE(read.busy && *read.busy > *read.idle);
  for (const StepWork& work : {StepWork{.sequences = 37, .context = 1777}, StepWork{.prompt_tokens = 999},
                               StepWork{.sequences = 9, .context = 500, .prompt_tokens = 700, .prompt_context = 90}})
    EXPECT_EQ(read.step_times.seconds(work), made.step_times.seconds(work));

  Scenario s;
  s.load = saved.asked;
  s.limits = saved.limits;
  s.arrivals = {.kind = Arrivals::kPoisson, .requests_per_s = *s.load.requests_per_s, .requests = 1000};
  s.pools = pools;
  const SimulationResult of_saved = simulate(s);
  s.pools = {made};
  s.pools[0].kv_tokens = pools[0].kv_tokens;  // written whole
  s.pools[0].max_context = pools[0].max_context;
  EXPECT_EQ(of_saved.e2e.mean, simulate(s).e2e.mean);
  EXPECT_EQ(of_saved.limits.percentile, 99);
}

}  // namespace
}  // namespace fathom
