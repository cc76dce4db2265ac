// Lengths, loads and service levels, and where each refusal points.
#include "workload/workload.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fathom {
namespace {

Workload read_text(const std::string& text) {
  const Document document = parse_yaml(text, "workload.yaml");
  return read_workload({document.file, document.root});
}

const std::string kLoad = "model: deepseek-r1\nconcurrency: 8\noutput_tokens: 500\n";

LengthDistribution lengths(const std::string& text) {
  return read_text(kLoad + "input_tokens: " + text + "\n").input_tokens;
}

void expect_refusal(const std::string& text, Position at, const std::string& message) {
  SCOPED_TRACE(text);
  try {
    read_text(text);
    ADD_FAILURE() << "was accepted";
  } catch (const InputError& error) {
    EXPECT_NE(error.message().find(message), std::string::npos) << error.message();
    EXPECT_EQ(error.at().line, at.line) << error.message();
    EXPECT_EQ(error.at().column, at.column) << error.message();
  }
}

TEST(WorkloadReader, TakesANumberAsTheLengthOfEveryRequest) {
  const LengthDistribution fixed = lengths("1000");
  EXPECT_EQ(fixed.mean, 1000);
  EXPECT_EQ(fixed.p50, 1000);
  EXPECT_EQ(fixed.p99, 1000);
  EXPECT_EQ(fixed.second_moment, 1e6);
}

// sigma = ln(4) / 2.32635 = 0.59591; mean = 1000 e^(sigma^2/2) = 1194.3; E[n^2] = mean^2 e^(sigma^2) = 2.03443e6.
TEST(WorkloadReader, SolvesALogNormalFromMedianAndP99) {
  const LengthDistribution n = lengths("{p50: 1000, p99: 4000}");
  EXPECT_DOUBLE_EQ(n.p50, 1000);
  EXPECT_NEAR(n.p99, 4000, 1e-6);
  EXPECT_NEAR(n.mean, 1194.3, 0.05);
  EXPECT_NEAR(n.second_moment, 2.03443e6, 10);
}

// ln(4) = z sigma - sigma^2/2 with z = 2.32635: sigma = z - sqrt(z^2 - 2 ln 4) = 0.70175, median = 1000 e^(-sigma^2/2) = 781.7.
TEST(WorkloadReader, SolvesALogNormalFromMeanAndP99) {
  const LengthDistribution n = lengths("{mean: 1000, p99: 4000}");
  EXPECT_NEAR(n.mean, 1000, 1e-9);
  EXPECT_NEAR(n.p99, 4000, 1e-6);
  EXPECT_NEAR(n.p50, 781.74, 0.01);
  EXPECT_GT(n.second_moment, n.mean * n.mean);
}

TEST(WorkloadReader, AgreesWithItselfInBothNotations) {
  const LengthDistribution from_median = lengths("{p50: 700, p99: 5000}");
  const LengthDistribution from_mean = lengths("{mean: " + std::to_string(from_median.mean) + ", p99: 5000}");
  EXPECT_NEAR(from_mean.p50, 700, 0.01);
  EXPECT_NEAR(from_mean.second_moment / from_median.second_moment, 1, 1e-5);
}

TEST(WorkloadReader, HasNoSpreadWhenP99IsTheMean) {
  const LengthDistribution n = lengths("{mean: 300, p99: 300}");
  EXPECT_DOUBLE_EQ(n.p50, 300);
  EXPECT_DOUBLE_EQ(n.second_moment, 90'000);
}

TEST(WorkloadReader, ReadsEveryKey) {
  const Workload workload = read_text(
      "model: qwen2.5-32b\nengine: vllm\ninput_tokens: 1000\noutput_tokens: {mean: 300, p99: 500}\n"
      "arrival_rate: 12000 /day\nprefix_cache_hit: 0.5\nslo: {ttft: 2 s, tpot: 50 ms, percentile: 99}\n"
      "objective: capacity\nweights: [fp8, int4]\nkv: fp8\nmax_context: 8192\nmtp_acceptance: 0.8\noffload_experts: "
      "true\n");
  EXPECT_EQ(workload.engine, "vllm");
  EXPECT_NEAR(workload.arrival_rate->value, 12'000.0 / 86'400, 1e-12);
  EXPECT_FALSE(workload.concurrency.has_value());
  EXPECT_EQ(workload.prefix_cache_hit, 0.5);
  EXPECT_EQ(*workload.slo.tpot, 50_ms);
  EXPECT_FALSE(workload.slo.e2e.has_value());
  EXPECT_EQ(workload.slo.percentile, 99);
  EXPECT_EQ(workload.objective, Objective::kCapacity);
  EXPECT_EQ(workload.weights, (std::vector<std::string>{"fp8", "int4"}));
  EXPECT_EQ(workload.kv, std::vector<std::string>{"fp8"}) << "one word is a list of one";
  EXPECT_EQ(*workload.max_context, 8192);
  EXPECT_TRUE(workload.offload_experts);
}

TEST(WorkloadReader, LeavesDefaultsToThePlanner) {
  const Workload workload = read_text(kLoad + "input_tokens: 1\n");
  EXPECT_EQ(workload.engine, "reference");
  EXPECT_FALSE(workload.objective.has_value());
  EXPECT_TRUE(workload.weights.empty());
  EXPECT_EQ(workload.slo.percentile, 50);
}

TEST(WorkloadReader, WantsExactlyOneLoad) {
  const std::string rest = "model: deepseek-r1\ninput_tokens: 1\noutput_tokens: 1\n";
  expect_refusal(rest, {1, 1}, "needs a load");
  expect_refusal(rest + "concurrency: 8\narrival_rate: 2 /s\n", {5, 15}, "both given");
  expect_refusal(rest + "concurrency: 0\n", {4, 14}, "\"concurrency\" must be");
  expect_refusal(rest + "arrival_rate: 0 /s\n", {4, 15}, "\"arrival_rate\" must be above zero");
  expect_refusal(rest + "arrival_rate: 2\n", {4, 15}, "expected a rate");
}

TEST(WorkloadReader, RefusesLengthsThatNoRequestHas) {
  const auto refuse = [](const std::string& text, int column, const std::string& message) {
    expect_refusal(kLoad + "input_tokens: " + text + "\n", {4, column}, message);
  };
  refuse("0", 15, "\"input_tokens\" must be");
  refuse("-5", 15, "\"input_tokens\" must be");
  refuse("1000 tokens", 15, "expected a number");
  refuse("{mean: 1000, p99: 500}", 33, "p99 is below the mean");
  refuse("{p50: 1000, p99: 500}", 32, "p99 is below the median");
  refuse("{mean: 1000, p99: 20000}", 33, "no log-normal distribution");
  refuse("{mean: 1000, p50: 900, p99: 2000}", 15, "either mean or p50");
  refuse("{mean: 1000}", 15, "needs the key \"p99\"");
  refuse("{mean: 1000, p95: 2000, p99: 3000}", 28, "unknown key \"p95\"");
}

TEST(WorkloadReader, RefusesSharesFormatsAndServiceLevelsThatCannotBe) {
  const auto refuse = [](const std::string& line, int column, const std::string& message) {
    expect_refusal(kLoad + "input_tokens: 1\n" + line + "\n", {5, column}, message);
  };
  refuse("prefix_cache_hit: 1", 19, "\"prefix_cache_hit\" must be");
  refuse("mtp_acceptance: 1.5", 17, "\"mtp_acceptance\" must be");
  refuse("weights: [fp8, fp9]", 16, "unknown weight scheme \"fp9\"");
  refuse("weights: [fp8, fp8]", 16, "stands twice");
  refuse("weights: []", 10, "empty list");
  refuse("kv: int4", 5, "unknown KV format");
  refuse("objective: speed", 12, "\"objective\" must be");
  refuse("slo: {}", 6, "needs at least one of ttft, tpot, e2e");
  refuse("slo: {tpot: 0 ms}", 13, "\"tpot\" must be longer than zero");
  refuse("slo: {tpot: 50}", 13, "expected a duration");
  refuse("slo: {tpot: 50 ms, percentile: 100}", 32, "\"percentile\" must be");
  refuse("max_context: 0", 14, "\"max_context\" must be");
  refuse("offload_experts: yes", 18, "expected true or false");
  refuse("tokens: 5", 1, "unknown key \"tokens\"");
}

}  // namespace
}  // namespace fathom
