// The watts that a plan gives to the simulation, against the plan's own power and against themselves.
#include "plan/step_power.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "plan/make_plan.h"
#include "plan/read_plan.h"
#include "report/plan_json.h"
#include "support/mutation.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

const Plan& appliance() {
  static const Plan plan = make_plan(
      read_cluster(std::filesystem::path(FATHOM_SOURCE_DIR) / "examples/r1-appliance-h100/cluster.yaml", shipped()),
      shipped());
  return plan;
}

// One group reads prompts, the other answers.
const Plan& two_pools() {
  static const Plan plan = [] {
    std::string groups;
    for (const char* role : {"prefill", "decode"}) {
      groups += std::string("  - {id: ") + role + ", site: hall, nodes: 2, role: " + role +
                ", node: {accelerator: {part: nvidia-h100-sxm5-80gb, count: 8}, "
                "cpu: {part: intel-xeon-platinum-8480plus, count: 2}, memory: 2 TB, "
                "nics: [{part: connectx-7, count: 8, rate: 400 Gb/s, fabric: ib}]}}\n";
    }
    return make_plan(read_cluster_text("format: fathom-cluster/1\ntitle: two\nsites: [{id: hall, kind: datacentre}]\n"
                                       "groups:\n" +
                                       groups +
                                       "fabrics: [{id: ib, kind: infiniband, generation: NDR}]\n"
                                       "workload: {model: llama-3.1-70b, input_tokens: 2000, output_tokens: 300, "
                                       "arrival_rate: 6 /s}\n"),
                     shipped());
  }();
  return plan;
}

TEST(StepPower, IsThePlansPowerAtThePlansLoad) {
  for (const Plan* plan : {&appliance(), &two_pools()}) {
    for (const PlanPool& pool : plan->pools) {
      const ServingPool& s = *pool.serving;
      ASSERT_FALSE(s.watts.empty());
      EXPECT_EQ(s.watts.at(0, 0), s.idle->value);
      if (pool.role == "prefill") continue;  // its load is no batch
      const double watts = s.watts.at(pool.decode_sequences, 0);
      EXPECT_NEAR(s.busy->value, watts, 0.03 * watts) << pool.role;
    }
  }
}

TEST(StepPower, APoolHasWattsForWhatItDoes) {
  const ServingPool &reads = *two_pools().pools[0].serving, &answers = *two_pools().pools[1].serving;
  EXPECT_EQ(reads.watts.x.size(), 1u);
  EXPECT_EQ(reads.watts.y.back(), reads.chunk_tokens * reads.attention_groups * reads.micro_batches);
  EXPECT_EQ(answers.watts.y.size(), 1u);
  EXPECT_EQ(answers.watts.x.back(), answers.most_sequences);
}

// A card that runs any batch draws half of its power; from there on it grows with the batch up to the limit.
TEST(StepPower, GrowsWithTheBatchFromIdleToTheLimit) {
  const StepGrid& watts = appliance().pools[0].serving->watts;
  double before = 0;
  for (const double n : watts.x) {
    EXPECT_GE(watts.at(n, 0), before) << n;
    before = watts.at(n, 0);
  }
  EXPECT_GT(watts.at(1, 0), 2.5 * watts.at(0, 0));
  EXPECT_GT(watts.at(256, 0), 1.2 * watts.at(1, 0));
  const double peak = appliance().power->groups.front().node.peak.likely.value * 2;  // two nodes a replica
  EXPECT_LE(before, peak);
}

// Without every second point the others would still be told within 4 %.
TEST(StepPower, HasPointsEnoughForStraightLinesBetweenThem) {
  const StepGrid& fine = appliance().pools[0].serving->watts;
  StepGrid coarse{.x = {0}, .y = {0}, .values = {}};
  for (std::size_t i = 1; i < fine.x.size(); i += 2) coarse.x.push_back(fine.x[i]);
  if (coarse.x.back() < fine.x.back()) coarse.x.push_back(fine.x.back());
  for (const double n : coarse.x) coarse.values.push_back(fine.at(n, 0));
  for (const double n : fine.x) EXPECT_NEAR(coarse.at(n, 0), fine.at(n, 0), 0.04 * fine.at(n, 0)) << n;
}

TEST(StepPower, ReadsBackFromASavedPlan) {
  const ScratchFolder scratch;
  for (const Plan* plan : {&appliance(), &two_pools()}) {
    const SavedPlan saved = read_plan(scratch.write("plan.json", plan_json(*plan)));
    for (std::size_t i = 0; i < plan->pools.size(); ++i) {
      const StepGrid &made = plan->pools[i].serving->watts, &read = saved.pools[i].serving->watts;
      EXPECT_EQ(read.x, made.x);
      EXPECT_EQ(read.y, made.y);
      EXPECT_EQ(read.values, made.values);
    }
  }
}

// Also where one pool feeds another: each pool counts its own devices.
TEST(StepPower, AnEditedPoolOfTwoIsRefused) {
  const ScratchFolder scratch;
  std::string text = plan_json(two_pools());
  const std::string key = "\"replicas\": ";
  const std::size_t last = text.rfind(key);  // of the pool that decodes
  ASSERT_NE(last, std::string::npos);
  text.replace(last + key.size(), 1, "9");
  const std::optional<InputError> error = refusal("plan", [&] { read_plan(scratch.write("plan.json", text)); });
  ASSERT_TRUE(error);
  EXPECT_NE(error->message().find("9 replicas of"), std::string::npos) << error->message();
}

}  // namespace
}  // namespace fathom
