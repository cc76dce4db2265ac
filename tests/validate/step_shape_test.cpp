// Steps whose operators were timed tell of operators, the others of steps.
#include "validate/step_shape.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

// A step of two norms, a head and an activation that is part of another, 10 s in a round of 11; 12 s with timing.
RankTrace trace_of(const std::vector<bool>& timed) {
  RankTrace trace;
  trace.row_names = {{{.name = "norm", .kind = OperatorKind::kNorm},
                      {.name = "head", .kind = OperatorKind::kLinear},
                      {.name = "activation", .kind = OperatorKind::kActivation}},
                     {},
                     {}};
  for (int round = 0; round < static_cast<int>(timed.size()); ++round) {
    const bool slow = timed[static_cast<std::size_t>(round)];
    trace.rounds.push_back(slow ? 13.2 : 11);
    StepRecord step{.round = round,
                    .sequences = 1,
                    .decode_rows = 1,
                    .seconds = slow ? 12.0 : 10.0,
                    .timed = slow,
                    .rows = {{.seconds = slow ? 4.0 : 0.0, .executions = slow ? 2 : 0},
                             {.seconds = slow ? 7.5 : 0.0, .executions = slow ? 1 : 0},
                             {.seconds = 0.0, .executions = slow ? 1 : 0}}};
    trace.steps.push_back(step);
  }
  return trace;
}

TEST(StepShape, StepsThatWereTimedDoNotCountAsSteps) {
  const RankTrace trace = trace_of({false, false, false, true, false, false, false, true});
  EXPECT_EQ(plain_rounds(trace), std::vector<double>({11, 11, 11, 11}));
  EXPECT_NEAR(timing_overhead(trace), 0.2, 1e-12);
  const std::vector<Seconds> between = step_overheads(trace, {.sequences = 1});
  EXPECT_EQ(between, std::vector<Seconds>(4, Seconds(1)));
}

// Three quarters of a norm, 1.5 s, from each of the three that took time: 7 s of 11.5 are left for a step of 10.
TEST(StepShape, OperatorsAddUpToAStepThatWasNotTimed) {
  const RankTrace trace = trace_of({false, false, false, true, false, false, false, true});
  const TimingCost cost = timing_cost(trace, {.sequences = 1});
  EXPECT_NEAR(cost.each.value, 1.5, 1e-12);
  EXPECT_NEAR(cost.share, 10.0 / 7.0, 1e-12);
  const std::vector<MeasuredOperator> operators = operators_of(trace, {.sequences = 1});
  EXPECT_NEAR(operators[0].time.value, 10.0 / 7.0, 1e-12);
  EXPECT_NEAR(operators[1].time.value, 60.0 / 7.0, 1e-12);
  EXPECT_EQ(operators[2].time, Seconds(0));
  EXPECT_EQ(operators[0].count, 2);
}

TEST(StepShape, WhereEveryStepIsTimedAllCount) {
  const RankTrace trace = trace_of({true, true, true, true});
  EXPECT_EQ(plain_rounds(trace), std::vector<double>({13.2, 13.2}));
  EXPECT_EQ(timing_overhead(trace), 0);
  EXPECT_EQ(operators_of(trace, {.sequences = 1})[1].time, Seconds(7.5));
  EXPECT_NEAR(step_overheads(trace, {.sequences = 1})[0].value, 13.2 - 11.5, 1e-12);
}

}  // namespace
}  // namespace fathom
