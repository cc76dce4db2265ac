// Predicted beside measured: sums, errors, the band, and the words of a verdict.
#include "compare/compare.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fathom {
namespace {

// Two layers: 2 x 4 ms of attention, 2 x 1 ms of projections, 1 ms of head; 1 ms between operators; 12 ms in all.
SavedPool planned() {
  SavedPool pool;
  pool.accelerator = "H100 SXM5 80GB";
  pool.accelerator_id = "nvidia-h100-sxm5-80gb";
  pool.decode = {{.name = "attention.core", .kind = "attention", .count = 2, .time = 8_ms, .bound = "memory"},
                 {.name = "attention.out", .kind = "linear", .count = 2, .time = 2_ms, .bound = "memory"},
                 {.name = "head", .kind = "linear", .count = 1, .time = 1_ms, .bound = "memory"}};
  pool.decode_sequences = 4;
  pool.decode_context = 1000;
  pool.step_time = {.min = 10_ms, .likely = 12_ms, .max = 15_ms};
  pool.step_overhead = 1_ms;
  pool.memory.rows = {{.name = "weights: attention", .bytes = 10_GB}, {.name = "runtime context", .bytes = 1_GB}};
  pool.memory.kv_per_token = Bytes(100'000);
  return pool;
}

Trace as_planned() {
  Trace t;
  t.backend = "cuda";
  t.machine = "NVIDIA H100";
  t.sequences = 4;
  t.context = 1000;
  t.layers_run = t.layers_of_model = 2;
  t.step = 12_ms;
  t.steps = {12_ms, 12_ms, 13_ms};
  t.operators = {{.name = "attention.core", .kind = "attention", .count = 2, .time = 8_ms},
                 {.name = "attention.out", .kind = "linear", .count = 2, .time = 2_ms},
                 {.name = "head", .kind = "linear", .count = 1, .time = 1_ms}};
  t.allocated = {{.name = "weights: attention", .bytes = 10_GB}, {.name = "KV cache", .bytes = Bytes(400e6)}};
  t.tokens_per_s = 333;
  return t;
}

Comparison compared(const SavedPool& pool, const Trace& trace) { return compare(SavedPlan{}, pool, trace); }

bool says(const std::vector<std::string>& lines, const std::string& text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

TEST(Compare, ARunAsPlannedPasses) {
  const Comparison c = compared(planned(), as_planned());
  EXPECT_TRUE(c.passed);
  EXPECT_TRUE(c.reasons.empty());
  EXPECT_NEAR(c.step_error, 0, 1e-12);
  EXPECT_NEAR(c.between.measured->value, 1e-3, 1e-12);
  EXPECT_NEAR(c.between.predicted->value, 1e-3, 1e-12);
}

TEST(Compare, SharesOfOperatorsAndOfTheTimeBetweenThemMakeTheStep) {
  const Comparison c = compared(planned(), as_planned());
  double shares = c.between.share;
  for (const ComparedOperator& row : c.operators) shares += row.share;
  EXPECT_NEAR(shares, 1, 1e-12);
  double by_kind = c.between.share;
  for (const ComparedOperator& row : c.kinds) by_kind += row.share;
  EXPECT_NEAR(by_kind, 1, 1e-12);
  ASSERT_EQ(c.kinds.size(), 2u);
  EXPECT_EQ(c.kinds[0].kind, "attention");
  EXPECT_NEAR(c.kinds[1].measured->value, 3e-3, 1e-12);  // attention.out and head
  EXPECT_EQ(c.kinds[1].count, 3);
}

TEST(Compare, ASlowOperatorIsNamedWithItsFactorAndShare) {
  Trace t = as_planned();
  t.operators[0].time = 25_ms;  // 3.1 times 8 ms, of a step of 29 ms
  t.step = 29_ms;
  const Comparison c = compared(planned(), t);
  EXPECT_FALSE(c.passed);
  EXPECT_NEAR(c.step_error, 29.0 / 12 - 1, 1e-12);
  EXPECT_NEAR(*c.operators[0].error, 25.0 / 8 - 1, 1e-12);
  EXPECT_TRUE(says(c.reasons, "a step took 29 ms, 2.4x the 12 ms predicted, outside 10 ms to 15 ms"))
      << c.reasons.front();
  EXPECT_TRUE(says(c.reasons, "attention.core took 3.1x what was predicted, 86 % of the step")) << c.reasons.back();
  EXPECT_FALSE(says(c.reasons, "attention.out"));
}

TEST(Compare, TimeBetweenOperatorsIsAnOffenderToo) {
  Trace t = as_planned();
  t.step = 31_ms;
  const Comparison c = compared(planned(), t);
  EXPECT_TRUE(says(c.reasons, "between operators took 20x what was predicted, 65 % of the step"));
}

TEST(Compare, AStepBelowItsBandFailsAsWell) {
  Trace t = as_planned();
  t.operators[0].time = 2_ms;
  t.step = 6_ms;
  const Comparison c = compared(planned(), t);
  EXPECT_FALSE(c.passed);
  EXPECT_TRUE(says(c.reasons, "attention.core took 0.2x")) << c.reasons.back();
}

// Half of the layers in 7 ms: 4 + 1 for the layer, 1 for the head, 1 between operators. All layers: 8 + 2 + 1 + 1.
TEST(Compare, ASubsetOfLayersIsReckonedUpAndSaysSo) {
  Trace t = as_planned();
  t.layers_run = 1;
  t.step = 7_ms;
  t.operators[0] = {.name = "attention.core", .kind = "attention", .count = 1, .time = 4_ms};
  t.operators[1] = {.name = "attention.out", .kind = "linear", .count = 1, .time = 1_ms};
  const Comparison c = compared(planned(), t);
  EXPECT_TRUE(c.passed);
  EXPECT_NEAR(c.measured_step.value, 12e-3, 1e-12);
  EXPECT_NEAR(c.operators[0].measured->value, 8e-3, 1e-12);
  EXPECT_EQ(c.operators[0].count, 2);
  EXPECT_TRUE(says(c.notes, "1 of 2 layers were run in 7 ms")) << c.notes.front();
}

TEST(Compare, WhatOnlyOneSideKnowsHasOneTime) {
  SavedPool pool = planned();
  pool.decode.push_back({.name = "sample", .kind = "sample", .count = 1, .time = 0.1_ms, .bound = "latency"});
  Trace t = as_planned();
  t.operators.push_back({.name = "cast", .kind = "cast", .count = 2, .time = 20_ms});
  t.step = 32_ms;
  const Comparison c = compared(pool, t);
  ASSERT_EQ(c.operators.size(), 5u);
  EXPECT_FALSE(c.operators[3].measured);
  EXPECT_FALSE(c.operators[3].error);
  EXPECT_FALSE(c.operators[4].predicted);
  EXPECT_TRUE(says(c.reasons, "cast took 20 ms, which the plan does not foresee, 62 % of the step"))
      << c.reasons.back();
}

TEST(Compare, AHostRunOfAPlanForAnAcceleratorIsNotComparable) {
  Trace t = as_planned();
  t.backend = "host";
  t.machine = "Intel Xeon, 2 cores";
  const Comparison c = compared(planned(), t);
  EXPECT_FALSE(c.passed);
  ASSERT_EQ(c.reasons.size(), 1u);
  EXPECT_EQ(c.reasons[0],
            "measured on this host's processor (Intel Xeon, 2 cores); the plan predicts H100 SXM5 80GB: times are not "
            "comparable");
  SavedPool host = planned();
  host.accelerator_id = "host-cpu";
  EXPECT_TRUE(compared(host, t).passed);
  EXPECT_FALSE(compared(host, as_planned()).passed);
}

TEST(Compare, AnotherShapeIsNotHeldAgainstTheBand) {
  Trace t = as_planned();
  t.sequences = 1;
  EXPECT_TRUE(
      says(compared(planned(), t).reasons, "measured with 1 x 1000 tokens in the cache; the plan's step has 4 x 1000"));
  t = as_planned();
  t.ranks = 2;
  EXPECT_TRUE(says(compared(planned(), t).reasons, "run on 2 ranks, a replica of the plan has 1"));
}

// 10 + 1 + 0.4 GB are planned; half a gigabyte may go beyond that.
TEST(Compare, MemoryBeyondThePlanFails) {
  Trace t = as_planned();
  t.allocated.push_back({.name = "scratch", .bytes = Bytes(1.49e9)});
  EXPECT_TRUE(compared(planned(), t).passed);
  t.allocated.back().bytes = Bytes(1.51e9);
  const Comparison c = compared(planned(), t);
  EXPECT_FALSE(c.passed);
  EXPECT_TRUE(says(c.reasons, "of memory were allocated"));
  ASSERT_EQ(c.memory.size(), 4u);
  EXPECT_FALSE(c.memory[1].allocated);  // the runtime context
  EXPECT_FALSE(c.memory[3].predicted);
  t.predicted = {{.name = "all", .bytes = 20_GB}};  // of what was run
  EXPECT_TRUE(compared(planned(), t).passed);
}

TEST(Compare, APrefillPoolIsComparedByItsChunk) {
  SavedPool pool = planned();
  std::swap(pool.decode, pool.prefill);
  const Comparison c = compared(pool, as_planned());
  EXPECT_TRUE(c.passed);
  EXPECT_FALSE(c.decodes);
}

}  // namespace
}  // namespace fathom
