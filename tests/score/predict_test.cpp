// Serving rows in their own metric: one request in flight, tails, and what cannot be played.
#include "score/predict.h"

#include <gtest/gtest.h>

#include "score/served.h"
#include "support/measurement_table.h"
#include "support/planning.h"

namespace fathom {
namespace {

std::optional<double> predicted(const Cells& changes) {
  Cells row = good_row(changes);
  row["unit"] = find_metric(row["metric"])->unit;
  const std::vector<Measurement> rows = parse_measurements(table_of({row}), "t.csv");
  SetupBuilder builder(shipped());
  const auto built = builder.build(rows.front());
  const Setup& setup = std::get<Setup>(built);
  const EngineProfile profile = read_engine_profile(shipped().data_dir(), setup.engine, rows.front().engine_version);
  return predicted_value(setup, on_device(profile, setup.device()));
}

double value(const std::string& metric, Cells changes) {
  changes["metric"] = metric;
  const std::optional<double> found = predicted(changes);
  EXPECT_TRUE(found) << metric;
  return found.value_or(0);
}

const Cells kOpen = {{"load_kind", "open"}, {"load", "8"}};
const Cells kClosed = {{"load_kind", "closed"}, {"load", "32"}, {"output_len", "203"}};  // lengths of a trace
const Cells kBurst = {{"load_kind", "burst"}, {"load", "64"}};

TEST(ServingRow, AClosedLoopWithOneInFlightIsASingleStream) {
  for (const char* metric : {"ttft_s_mean", "tpot_s_mean", "e2e_s_mean", "output_tok_per_s", "total_tok_per_s"}) {
    const double single = value(metric, {});
    EXPECT_DOUBLE_EQ(value(metric, {{"load_kind", "closed"}}), single) << metric;
    EXPECT_DOUBLE_EQ(value(metric, {{"load_kind", "batch"}}), single) << metric;
  }
}

TEST(ServingRow, OneInFlightOnEachOfTwoReplicasIsTwoStreams) {
  const Cells two = {
      {"load_kind", "closed"}, {"load", "2"}, {"replicas", "2"}, {"accelerators", "2"}, {"scale_up", "nvlink4"}};
  EXPECT_DOUBLE_EQ(value("ttft_s_mean", two), value("ttft_s_mean", {}));
  EXPECT_NEAR(value("output_tok_per_s", two), 2 * value("output_tok_per_s", {}), 1e-6);
}

TEST(ServingRow, FewArrivalsAreSingleStreams) {
  const Cells rare = {{"load_kind", "open"}, {"load", "0.001"}};
  EXPECT_NEAR(value("ttft_s_p50", rare) / value("ttft_s_mean", {}), 1, 0.01);
  EXPECT_NEAR(value("ttft_s_mean", rare) / value("ttft_s_mean", {}), 1, 0.02);
  EXPECT_NEAR(value("tpot_s_p50", rare) / value("tpot_s_mean", {}), 1, 0.01);
}

TEST(ServingRow, PercentilesLieAroundTheMean) {
  for (const Cells& load : {kOpen, kClosed, kBurst}) {
    for (const std::string name : {"ttft_s_", "tpot_s_"}) {
      SCOPED_TRACE(load.at("load_kind") + " " + name);
      EXPECT_GE(value(name + "p99", load), 0.999 * value(name + "p50", load));
      EXPECT_LT(value(name + "p50", load), 1.3 * value(name + "mean", load));
    }
    EXPECT_GT(value("ttft_s_p99", load), 1.2 * value("ttft_s_p50", load));
  }
  // half of a burst's prompts are read before the median request, nearly all before the last
  EXPECT_NEAR(value("ttft_s_p99", kBurst) / value("ttft_s_p50", kBurst), 2, 0.3);
}

TEST(ServingRow, TailsGrowWithTheLoad) {
  double last = 0;
  for (const char* rate : {"1", "8", "16"}) {
    const double tail = value("ttft_s_p99", {{"load_kind", "open"}, {"load", rate}});
    EXPECT_GT(tail, last) << rate;
    last = tail;
  }
}

TEST(ServingRow, RequestsThatFareAlikeHaveNoTail) {
  EXPECT_DOUBLE_EQ(value("ttft_s_p99", {}), value("ttft_s_mean", {}));
  const Cells batch = {{"load_kind", "batch"}, {"load", "8"}};
  EXPECT_DOUBLE_EQ(value("tpot_s_p99", batch), value("tpot_s_mean", batch));
}

TEST(ServingRow, PercentilesAreTheSameEveryTime) { EXPECT_EQ(value("ttft_s_p99", kOpen), value("ttft_s_p99", kOpen)); }

TEST(ServingRow, ATailOfUnknownRequestsIsNotPredicted) {
  EXPECT_FALSE(predicted({{"metric", "ttft_s_p99"}, {"load_kind", "max"}, {"load", ""}}));
  EXPECT_FALSE(predicted({{"metric", "tpot_s_p99"}, {"load_kind", "open"}, {"load", "8"}, {"output_len", ""}}));
  EXPECT_FALSE(predicted({{"metric", "ttft_s_p99"}, {"load_kind", "closed"}, {"load", "0.5"}}));
}

TEST(ServingRow, WhatWouldTakeTooLongIsNotPlayed) {
  EXPECT_FALSE(predicted({{"metric", "ttft_s_p99"}, {"load_kind", "burst"}, {"load", "1000000"}}));
  EXPECT_FALSE(predicted({{"metric", "tpot_s_mean"}, {"load_kind", "open"}, {"load", "1"}, {"output_len", "1000000"}}));
  EXPECT_FALSE(
      predicted({{"metric", "ttft_s_p99"}, {"load_kind", "burst"}, {"load", "20000"}, {"output_len", "1000000"}}));
}

LengthSpread spread_of(const std::string& output_len) {
  const std::vector<Measurement> rows = parse_measurements(table_of({good_row({{"output_len", output_len}})}), "t.csv");
  SetupBuilder builder(shipped());
  return length_spread(std::get<Setup>(builder.build(rows.front())));
}

TEST(LengthSpread, TellsTypedDrawnAndTracedLengthsApart) {
  for (const char* typed : {"200", "128", "1", "1024", "8190", "900", "1536"})
    EXPECT_EQ(spread_of(typed).variation, 0) << typed;
  // Evenly from 0.8 to 1: a mean of 0.9, a standard deviation of 0.2 / sqrt(12).
  for (const char* drawn : {"922", "7373", "461"}) {
    EXPECT_NEAR(spread_of(drawn).variation, 0.0642, 1e-4) << drawn;
    EXPECT_NEAR(spread_of(drawn).longest, 1 / 0.9, 1e-12) << drawn;
  }
  // Multiples of nine are nine tenths of multiples of ten, which says nothing.
  for (const char* traced : {"201", "653", "219", "198", "351", "846"})
    EXPECT_EQ(spread_of(traced).variation, 1) << traced;
}

// The same tokens in all; the last answers of a trace decode nearly alone.
TEST(ServingRow, ABurstOfATraceEndsLaterThanOneOfEqualAnswers) {
  Cells traced = kBurst, equal = kBurst;
  traced["output_len"] = "201";
  equal["output_len"] = "200";
  EXPECT_LT(value("output_tok_per_s", traced), 0.8 * value("output_tok_per_s", equal));
  EXPECT_GT(value("output_tok_per_s", traced), 0.2 * value("output_tok_per_s", equal));
}

}  // namespace
}  // namespace fathom
