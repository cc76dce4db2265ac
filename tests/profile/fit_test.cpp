// Rates from measurements: what was put in comes out, also from noisy samples, and a row says how well it fits.
#include "profile/fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace fathom {
namespace {

// A product with `weights` bytes of bf16 weights and a number of tokens.
ProfileSample product(double weights, double tokens) {
  return {.kind = OperatorKind::kLinear,
          .weights = Format::kBf16,
          .bytes = Bytes(weights + 4e3 * tokens),
          .flops = Flops(weights * tokens),
          .tokens = tokens,
          .time = {}};
}

std::vector<ProfileSample> products() {
  std::vector<ProfileSample> samples;
  for (const double weights : {1e6, 5e6, 25e6, 270e6}) {
    for (const double tokens : {1, 4, 16, 64, 256}) samples.push_back(product(weights, tokens));
  }
  return samples;
}

constexpr BytesPerSecond kMemory(50e9);
constexpr FlopsPerSecond kCompute(800e9);
constexpr Seconds kFloor(5e-6);

Seconds longest(const ProfileSample& s) { return std::max(s.bytes / kMemory, s.flops / kCompute) + kFloor; }
Seconds sum(const ProfileSample& s) { return s.bytes / kMemory + s.flops / kCompute + kFloor; }

template <class Law>
ProfileRow fitted(Law law, double noise = 0) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal(0, 1);
  ProfileMeasurements m;
  m.operators = products();
  for (ProfileSample& s : m.operators) s.time = law(s) * (noise > 0 ? std::exp(noise * normal(random)) : 1.0);
  return fit_profile(m).rows.at(0);
}

TEST(FitProfile, FindsTheRatesOfALawOfOverlap) {
  const ProfileRow row = fitted(longest);
  EXPECT_EQ(row.form, ProfileForm::kLongest);
  EXPECT_NEAR(row.memory / kMemory, 1, 1e-6);
  EXPECT_NEAR(row.compute / kCompute, 1, 1e-6);
  EXPECT_NEAR(row.floor / kFloor, 1, 1e-6);
  EXPECT_EQ(row.fit.samples, 20);
  EXPECT_LT(row.fit.worst_error, 1e-6);
}

TEST(FitProfile, FindsTheRatesOfALawOfSums) {
  const ProfileRow row = fitted(sum);
  EXPECT_EQ(row.form, ProfileForm::kSum);
  EXPECT_NEAR(row.memory / kMemory, 1, 1e-6);
  EXPECT_NEAR(row.compute / kCompute, 1, 1e-6);
  EXPECT_NEAR(row.floor / kFloor, 1, 1e-6);
}

TEST(FitProfile, NoiseMovesTheRatesLittleAndShowsInTheSpread) {
  const ProfileRow row = fitted(longest, 0.10);
  for (const ProfileSample& s : products()) {  // the law, not the noise
    EXPECT_NEAR(profile_time(row, s.bytes, s.flops, s.tokens).total / longest(s), 1, 0.15)
        << s.bytes.value << " " << s.tokens;
  }
  EXPECT_GT(row.fit.median_error, 0.02);
  EXPECT_LT(row.fit.median_error, 0.15);
  EXPECT_LT(row.fit.fast, 0.95);
  EXPECT_GT(row.fit.slow, 1.05);
}

// A page fault in one sample of twenty must not bend the line.
TEST(FitProfile, AWildSampleDoesNotRule) {
  ProfileMeasurements m;
  m.operators = products();
  for (ProfileSample& s : m.operators) s.time = longest(s);
  m.operators[7].time = m.operators[7].time * 20;
  const ProfileRow row = fit_profile(m).rows.at(0);
  EXPECT_NEAR(row.memory / kMemory, 1, 0.03);
  EXPECT_NEAR(row.compute / kCompute, 1, 0.03);
  EXPECT_GT(row.fit.worst_error, 10);
  EXPECT_LT(row.fit.median_error, 0.03);
}

// Every shape was measured three times, once while somebody else used the machine.
TEST(FitProfile, AShapeIsTheMedianOfItsSamples) {
  ProfileMeasurements m;
  for (const double disturbed : {1.0, 1.0, 8.0}) {
    for (ProfileSample s : products()) {
      s.time = longest(s) * disturbed;
      m.operators.push_back(s);
    }
  }
  const ProfileRow row = fit_profile(m).rows.at(0);
  EXPECT_EQ(row.fit.samples, 60);
  EXPECT_LT(row.fit.worst_error, 1e-6);
}

TEST(FitProfile, APerfectFitKeepsASpreadOfFivePercent) {
  const ProfileRow row = fitted(longest);
  EXPECT_DOUBLE_EQ(row.fit.fast, 0.95);
  EXPECT_DOUBLE_EQ(row.fit.slow, 1.05);
}

TEST(FitProfile, WorkThatIsNotThereHasAnInfiniteRate) {
  ProfileMeasurements m;
  for (const double bytes : {1e3, 1e4, 1e5})
    m.operators.push_back({.kind = OperatorKind::kNorm, .bytes = Bytes(bytes), .time = Seconds(bytes / 20e9 + 1e-6)});
  const ProfileRow row = fit_profile(m).rows.at(0);
  EXPECT_TRUE(std::isinf(row.compute.value));
  EXPECT_NEAR(row.memory.value, 20e9, 1e4);
  m.operators.resize(1);  // one sample tells one number
  EXPECT_NEAR(profile_time(fit_profile(m).rows.at(0), Bytes(1e3), Flops(0), 1).total.value, 1e3 / 20e9 + 1e-6, 1e-12);
}

TEST(FitProfile, WeightFormatsMatterToProductsOnly) {
  ProfileMeasurements m;
  for (const Format format : {Format::kBf16, Format::kFp8Block128}) {
    for (const OperatorKind kind : {OperatorKind::kLinear, OperatorKind::kNorm, OperatorKind::kAttention})
      m.operators.push_back({.kind = kind, .weights = format, .bytes = 1_GB, .flops = Flops(1e9), .time = 1_ms});
  }
  const Profile p = fit_profile(m);
  EXPECT_EQ(p.rows.size(), 4u);
  EXPECT_EQ(p.find(OperatorKind::kNorm, Format::kInt8), p.find(OperatorKind::kNorm, Format::kBf16));
  EXPECT_NE(p.find(OperatorKind::kLinear, Format::kFp8Block128), p.find(OperatorKind::kLinear, Format::kBf16));
  EXPECT_EQ(p.find(OperatorKind::kLinear, Format::kInt8), nullptr);
  EXPECT_EQ(p.find(OperatorKind::kNorm, Format::kInt8)->fit.samples, 2);
}

TEST(FitProfile, WhatIsNoTimeIsLeftOut) {
  ProfileMeasurements m;
  for (const double time : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()})
    m.operators.push_back({.kind = OperatorKind::kNorm, .bytes = 1_GB, .time = Seconds(time)});
  EXPECT_TRUE(fit_profile(m).rows.empty());
}

// An activation that the product does for up to eight rows, measured with 6 and 12; and one that never takes time.
TEST(FitProfile, WhatTookNoTimeIsPartOfAnother) {
  ProfileMeasurements m;
  for (const double tokens : {1.0, 6.0, 12.0, 64.0}) {
    const Seconds time(tokens > 8 ? 2e-6 : 0);
    m.operators.push_back(
        {.name = "ffn.activation", .kind = OperatorKind::kActivation, .bytes = 1_GB, .tokens = tokens, .time = time});
    m.operators.push_back({.name = "latent_norm", .kind = OperatorKind::kNorm, .bytes = 1_GB, .tokens = tokens});
  }
  const Profile p = fit_profile(m);
  EXPECT_EQ(p.rows.size(), 1u);
  EXPECT_TRUE(p.part_of_another("ffn.activation", 8));
  EXPECT_FALSE(p.part_of_another("ffn.activation", 9));
  EXPECT_TRUE(p.part_of_another("latent_norm", 1e6));
  EXPECT_FALSE(p.part_of_another("ffn.norm", 1));
}

// Decoding reads its cache at one intensity, and slower where it is small.
TEST(FitProfile, AttentionHasFactorsBySize) {
  ProfileMeasurements m;
  const auto law = [](double bytes) { return 5e-6 + bytes / 4e12 + 1e-5 * (1 - std::exp(-bytes / 4e7)); };
  for (double bytes = 1e6; bytes < 2e9; bytes *= 1.6) {
    m.operators.push_back({.kind = OperatorKind::kAttention,
                           .bytes = Bytes(bytes),
                           .flops = Flops(4 * bytes),
                           .time = Seconds(law(bytes))});
  }
  const ProfileRow row = fit_profile(m).rows.at(0);
  ASSERT_GT(row.factors.size(), 4u);
  for (double bytes = 2e6; bytes < 1e9; bytes *= 1.7) {
    EXPECT_NEAR(profile_time(row, Bytes(bytes), Flops(4 * bytes), 0).total.value / law(bytes), 1, 0.10) << bytes;
  }
}

TEST(FitProfile, CollectivesAreLatencyAndBandwidthPerNumberOfRanks) {
  ProfileMeasurements m;
  for (const int ranks : {2, 4}) {
    for (const double bytes : {1e3, 1e5, 1e7})
      m.collectives.push_back({.kind = OperatorKind::kAllReduce,
                               .ranks = ranks,
                               .wire_bytes = Bytes(bytes),
                               .time = Seconds(bytes / 8e9 + ranks * 3e-6)});
  }
  const Profile p = fit_profile(m);
  ASSERT_EQ(p.collectives.size(), 2u);
  EXPECT_NEAR(p.find(OperatorKind::kAllReduce, 4)->latency.value, 12e-6, 1e-9);
  EXPECT_NEAR(p.find(OperatorKind::kAllReduce, 4)->bandwidth.value, 8e9, 1e6);
  EXPECT_EQ(p.find(OperatorKind::kAllReduce, 8), nullptr);
}

TEST(FitProfile, TheTimeBetweenOperatorsIsTheMedianWithItsSpread) {
  ProfileMeasurements m;
  for (int i = 1; i <= 9; ++i) m.step_overheads.push_back(Seconds(i * 1e-5));
  const Profile p = fit_profile(m);
  EXPECT_EQ(p.step_samples, 9);
  EXPECT_DOUBLE_EQ(p.step_overhead.likely.value, 5e-5);
  EXPECT_DOUBLE_EQ(p.step_overhead.min.value, 1.8e-5);  // the ninth part of nine steps is 0.8 apart
  EXPECT_DOUBLE_EQ(p.step_overhead.max.value, 8.2e-5);
}

TEST(FitProfile, SamplesAreKeptAsTheyWere) {
  ProfileMeasurements m;
  EXPECT_EQ(samples_json(m), "[]\n");
  m.operators = {{.name = "head", .bytes = Bytes(8), .flops = Flops(4), .tokens = 2, .time = Seconds(0.5)}};
  EXPECT_EQ(samples_json(m),
            "[{\"name\":\"head\",\"kind\":\"linear\",\"weights\":\"bf16\",\"bytes\":8.0,\"flops\":4.0,"
            "\"tokens\":2.0,\"time_s\":0.5}]\n");
}

TEST(FitProfile, ASampleCountsAsThePlannerCounts) {
  const Operator op{.name = "ffn.down",
                    .kind = OperatorKind::kLinear,
                    .weights = Format::kFp8,
                    .tokens = 3,
                    .width_in = 100,
                    .width_out = 10,
                    .weight_elements = 1000,
                    .weight_bytes = Bytes(1000)};
  const ProfileSample s = sample_of(op, 1_ms);
  EXPECT_EQ(s.flops, flops(op));
  EXPECT_EQ(s.bytes, bytes_moved(op));
  EXPECT_EQ(s.weights, Format::kFp8);
  EXPECT_EQ(s.tokens, 3);
}

}  // namespace
}  // namespace fathom
