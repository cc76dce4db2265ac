#include "simulate/step_times.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

StepTimes planes() {
  // decode 10 + n + x / 100, prefill 5 + p + c / 10
  const BatchTimes t{.decode = {.x = {1, 101}, .y = {0, 1000}, .values = {11, 21, 111, 121}},
                     .prefill = {.x = {1, 101}, .y = {0, 100}, .values = {6, 16, 106, 116}},
                     .more = {}};
  return {.latency = {.bounds = {t}}, .pace = {}};
}

TEST(StepTimesTable, IsLinearBetweenAndBeyondItsPoints) {
  const StepTimes t = planes();
  EXPECT_DOUBLE_EQ(t.seconds({.sequences = 51, .context = 500}), 10 + 51 + 5);
  EXPECT_DOUBLE_EQ(t.seconds({.sequences = 201, .context = 2000}), 10 + 201 + 20);
  EXPECT_DOUBLE_EQ(t.seconds({.sequences = 0.5, .context = 0}), 11);
  EXPECT_DOUBLE_EQ(t.seconds({.prompt_tokens = 11, .prompt_context = 50}), 5 + 11 + 5);
  EXPECT_EQ(t.seconds({}), 0);
}

TEST(StepTimesTable, AMixedStepPaysTheMatricesOnce) {
  // prefill(11 + 21, 0) + 5 of prompt context + decode(21, 500) - prefill(21, 0)
  EXPECT_DOUBLE_EQ(planes().seconds({.sequences = 21, .context = 500, .prompt_tokens = 11, .prompt_context = 50}),
                   (5 + 32) + 5 + (10 + 21 + 5) - (5 + 21));
}

TEST(StepTimesTable, TheLongerBoundCounts) {
  StepTimes t = planes();
  t.latency.bounds.push_back(t.latency.bounds.front());
  for (double& s : t.latency.bounds.back().decode.values) s *= 2;
  EXPECT_DOUBLE_EQ(t.seconds({.sequences = 51, .context = 500}), 2 * 66);
}

// Four stages: eight sequences are four micro-batches of two. All through the slowest stage, or one trip, if that is
// longer.
TEST(StepTimesTable, APipelineWaitsForItsMicroBatches) {
  StepTimes t = planes();
  t.stages = 4;
  t.chunk_tokens = 100;
  t.pace = t.latency;
  for (BatchTimes& b : t.pace.bounds) {
    for (double& s : b.decode.values) s /= 2;
    for (double& s : b.prefill.values) s /= 2;
  }
  EXPECT_DOUBLE_EQ(t.seconds({.sequences = 8, .context = 0}), 4 * (10 + 2) / 2.0);
  EXPECT_DOUBLE_EQ(t.seconds({.sequences = 1, .context = 0}), 11);  // one trip is longer than one pace
  EXPECT_DOUBLE_EQ(t.seconds({.prompt_tokens = 200}), 105);         // two chunks: 2 x 52.5 through the slowest stage
}

}  // namespace
}  // namespace fathom
