// What ranks wait for each other is told apart from what they do.
#include <gtest/gtest.h>

#include "validate/step_shape.h"

namespace fathom {
namespace {

struct Times {
  double attention = 0, sum = 0, up = 0, down = 0, sum_of_experts = 0;
};

// One rank's run of a few alike steps, all timed.
RankTrace trace_of(const Times& t, double step) {
  RankTrace trace;
  trace.row_names = {{{"attention.core", OperatorKind::kAttention},
                      {"attention.all_reduce", OperatorKind::kAllReduce},
                      {"moe.experts.gate_up", OperatorKind::kGroupedLinear},
                      {"moe.experts.down", OperatorKind::kGroupedLinear},
                      {"moe.all_reduce", OperatorKind::kAllReduce}},
                     {},
                     {}};
  for (int round = 0; round < 5; ++round) {
    StepRecord s{.round = round, .sequences = 1, .decode_rows = 1, .seconds = step, .rows = {}};
    s.rows = {{t.attention, 4}, {t.sum, 4}, {t.up, 2}, {t.down, 2}, {t.sum_of_experts, 2}};
    trace.steps.push_back(s);
    trace.rounds.push_back(step);
  }
  return trace;
}

const StepShape kShape{.sequences = 1, .context = 100};

// The second rank has more to do in attention and starts later; the first waits for it.
TEST(Waits, ACollectiveTakesWhatTheLastRankTook) {
  RunResult run;
  run.traces = {trace_of({.attention = 10, .sum = 9, .up = 4, .down = 2, .sum_of_experts = 2}, 27),
                trace_of({.attention = 15, .sum = 4, .up = 4, .down = 2, .sum_of_experts = 2}, 25)};
  const RunResult plain = without_waits(run, {.tp = 2});
  for (const RankTrace& trace : plain.traces) {
    EXPECT_EQ(trace.steps[3].rows[1].seconds, 4);
    EXPECT_EQ(trace.steps[3].rows[4].seconds, 2);
    EXPECT_EQ(trace.steps[3].seconds, 25);
  }
  EXPECT_EQ(plain.traces[0].rounds[3], 27);                 // what users see stays
  EXPECT_EQ(plain.traces[0].steps[3].rows[0].seconds, 10);  // work is each rank's own
  EXPECT_EQ(plain.traces[1].steps[3].rows[0].seconds, 15);
}

TEST(Waits, RanksOfOtherStagesAndGroupsAreNotAsked) {
  RunResult run;
  run.traces = {trace_of({.attention = 10, .sum = 9}, 27), trace_of({.attention = 15, .sum = 4}, 25),
                trace_of({.attention = 15, .sum = 3}, 24)};
  run.traces[1].stage = 1;
  run.traces[2].group = 1;
  const RunResult plain = without_waits(run, {.tp = 1, .attention_dp = 2, .pp = 2});
  EXPECT_EQ(plain.traces[0].steps[3].rows[1].seconds, 9);
  EXPECT_EQ(plain.traces[0].steps[3].seconds, 27);
}

// Sums after attention take 1 each. Of those after the experts, 4 more are the wait for the other rank's experts, in one layer or
// the other: both ranks' experts then take 12 in the plan's sense, where each worked for 8.
TEST(Waits, WhatIsWaitedForTheBusiestExpertsCountsToThem) {
  RunResult run;
  run.traces = {trace_of({.attention = 10, .sum = 4, .up = 6, .down = 2, .sum_of_experts = 6}, 28),
                trace_of({.attention = 10, .sum = 4, .up = 6, .down = 2, .sum_of_experts = 6}, 28)};
  const RunResult plain = without_waits(run, {.tp = 2, .ep = 2});
  const std::vector<RowTime>& rows = plain.traces[0].steps[3].rows;
  EXPECT_DOUBLE_EQ(rows[4].seconds, 2);
  EXPECT_DOUBLE_EQ(rows[2].seconds, 9);
  EXPECT_DOUBLE_EQ(rows[3].seconds, 3);
  EXPECT_DOUBLE_EQ(measured_imbalance(run, kShape), 1.5);
  EXPECT_DOUBLE_EQ(without_waits(run, {.tp = 2}).traces[0].steps[3].rows[4].seconds,
                   6);  // experts that are cut: all alike
}

TEST(Waits, ARunWithoutExpertsHasNoImbalance) {
  RunResult run;
  run.traces = {trace_of({.attention = 10}, 10)};
  EXPECT_EQ(measured_imbalance(run, kShape), 0);
}

}  // namespace
}  // namespace fathom
