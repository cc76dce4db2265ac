// Steps on H200s whose single rows norm themselves and whose attention turns its heads, and what was predicted of such:
// docs/measurements/README.md, one token and predictions.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fathom {
namespace {

using Json = nlohmann::json;

const std::filesystem::path kMeasurements = FATHOM_SOURCE_DIR "/docs/measurements",
                            kFolder = kMeasurements / "2026-11-22-cuda-one-token-h200";

Json read(const std::string& name) { return Json::parse(std::ifstream(kFolder / (name + ".json"))); }
double error(const Json& part) { return std::abs(part.value("error", 1.0)); }

std::vector<Json> predictions(const std::filesystem::path& folder) {
  std::vector<Json> found;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (!file.path().filename().string().starts_with("predicted-")) continue;
    found.push_back(Json::parse(std::ifstream(file.path())));
  }
  return found;
}

TEST(CudaOneToken, SingleStreamsAreAsFastAsWanted) {
  const std::map<std::string, double> least = {
      {"llama-3.1-8b-bf16-sequences1context128steps64", 250},
      {"llama-3.1-8b-fp8-sequences1context128steps64", 380},
      {"llama-3.1-8b-int4-sequences1context128steps64", 520},
      {"r1-distill-qwen-32b-bf16-sequences1context128steps32", 62},
      {"r1-distill-qwen-32b-int4-sequences1context128steps32", 160},
      {"deepseek-v2-lite-bf16-sequences1context128steps64", 300},
      {"deepseek-v2-lite-int4-experts+fp8-sequences1context128steps64", 400},
      {"llama-3.1-8b-bf16-prompt2048steps12", 28000},
      {"llama-3.1-8b-bf16-prompt8192steps8", 28000},
  };
  for (const auto& [name, tokens] : least) EXPECT_GE(read(name)["tokens_per_s"].get<double>(), tokens) << name;
}

// Four models at six loads, from profiles of other shapes, measured in the same minute.
std::vector<Json> one_gpu() { return predictions(kMeasurements / "2026-11-23-cuda-predictions-h200"); }

TEST(CudaPredictions, OfStepsAreWithinATenth) {
  const std::vector<Json> all = one_gpu();
  ASSERT_EQ(all.size(), 24u);
  for (const Json& v : all) {
    EXPECT_LT(error(v["step"]), 0.10) << v["title"];
    EXPECT_LT(error(v["memory"]), 0.02) << v["title"];
    EXPECT_EQ(v["run"]["backend"], "cuda") << v["title"];
  }
}

TEST(CudaPredictions, OfEveryKindOfOperatorAreWithinFifteenPercent) {
  std::map<std::string, std::vector<double>> errors;
  for (const Json& v : one_gpu()) {
    for (const Json& kind : v["kinds"]) {
      if (kind.value("measured_s", 0.0) > 0) errors[kind["kind"]].push_back(error(kind));
    }
  }
  ASSERT_GE(errors.size(), 11u);
  for (const auto& [kind, missed] : errors) {
    double sum = 0;
    for (const double one : missed) sum += one;
    EXPECT_LT(sum / static_cast<double>(missed.size()), 0.15) << kind;
  }
}

// A mean forgives one that is far off; what is a hundredth of a step and more is never so.
TEST(CudaPredictions, OfNoKindThatCountsAreFarOff) {
  for (const Json& v : one_gpu()) {
    for (const Json& kind : v["kinds"]) {
      if (kind.value("measured_s", 0.0) < 0.01 * v["step"]["measured_s"].get<double>()) continue;
      EXPECT_LT(error(kind), 0.20) << v["title"] << " " << kind["kind"];
    }
  }
}

TEST(CudaOneToken, TwoGpusAreAsFastAndAsForeseenAsWanted) {
  EXPECT_GE(read("two/llama-3.1-8b-bf16-tp2-sequences1context128steps64")["tokens_per_s"].get<double>(), 370);
  EXPECT_GE(read("two/r1-distill-qwen-32b-bf16-tp2-sequences1context128steps64")["tokens_per_s"].get<double>(), 105);
  const std::vector<Json> all = predictions(kFolder / "two");
  ASSERT_EQ(all.size(), 8u);
  for (const Json& v : all) {
    EXPECT_LT(error(v["step"]), 0.10) << v["title"];
    EXPECT_LT(error(v["memory"]), 0.02) << v["title"];
    for (const Json& kind : v["kinds"]) {
      if (kind["kind"] != "all_reduce") continue;
      EXPECT_LT(error(kind), 0.15) << v["title"];
    }
  }
}

// A single row is normed by the product that reads it, and rows that only decode are turned by their attention.
TEST(CudaOneToken, WhatIsFoldedTakesNoTimeOfItsOwn) {
  const Json v = read("llama-3.1-8b-int4-sequences1context128steps64");
  for (const Json& op : v["operators"]) {
    const std::string name = op["name"];
    const bool folded = name == "attention.norm" || name == "ffn.norm" || name == "attention.rope";
    EXPECT_EQ(op["measured_s"] == 0.0, folded || name == "ffn.activation") << name;
  }
}

}  // namespace
}  // namespace fathom
