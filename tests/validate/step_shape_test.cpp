// Steps whose operators were timed tell of operators, the others of steps.
#include "validate/step_shape.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

RankTrace trace_of(const std::vector<bool>& timed) {
  RankTrace trace;
  trace.row_names = {{{.name = "head", .kind = OperatorKind::kLinear}}, {}, {}};
  for (int round = 0; round < static_cast<int>(timed.size()); ++round) {
    const bool slow = timed[static_cast<std::size_t>(round)];
    trace.rounds.push_back(slow ? 12 : 10);
    StepRecord step{.round = round,
                    .sequences = 1,
                    .decode_rows = 1,
                    .timed = slow,
                    .rows = {{.seconds = slow ? 7.0 : 0.0, .executions = slow ? 2 : 0}}};
    trace.steps.push_back(step);
  }
  return trace;
}

TEST(StepShape, StepsThatWereTimedDoNotCountAsSteps) {
  const RankTrace trace = trace_of({false, false, false, true, false, false, false, true});
  EXPECT_EQ(plain_rounds(trace), std::vector<double>({10, 10, 10, 10}));
  EXPECT_NEAR(timing_overhead(trace), 0.2, 1e-12);
  const std::vector<MeasuredOperator> operators = operators_of(trace, {.sequences = 1});
  EXPECT_EQ(operators.front().time, Seconds(7));
  EXPECT_EQ(operators.front().count, 2);
}

TEST(StepShape, WhereEveryStepIsTimedAllCount) {
  const RankTrace trace = trace_of({true, true, true, true});
  EXPECT_EQ(plain_rounds(trace), std::vector<double>({12, 12}));
  EXPECT_EQ(timing_overhead(trace), 0);
}

}  // namespace
}  // namespace fathom
