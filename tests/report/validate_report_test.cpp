// A comparison as text and as JSON: the same numbers, the keys that scripts rely on.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/validate_json.h"
#include "report/validate_text.h"

namespace fathom {
namespace {

Comparison comparison() {
  Comparison c;
  c.title = "Two nodes";
  c.layout = "TP2 x1, bf16 weights, bf16 KV";
  c.accelerator = "H100 SXM5 80GB";
  c.predicted_step = {.min = 10_ms, .likely = 12_ms, .max = 15_ms, .confidence = Confidence::kMeasured};
  c.measured_step = 24_ms;
  c.step_error = 1;
  c.operators = {{.name = "attention.core",
                  .kind = "attention",
                  .count = 2,
                  .predicted = 8_ms,
                  .measured = 20_ms,
                  .error = 1.5,
                  .share = 0.83},
                 {.name = "sample", .kind = "sample", .count = 1, .predicted = 1_ms}};
  c.kinds = {{.kind = "attention", .count = 2, .predicted = 8_ms, .measured = 20_ms, .error = 1.5, .share = 0.83}};
  c.between = {.name = "between operators", .kind = "between", .count = 1, .predicted = 3_ms, .measured = 4_ms};
  c.memory = {{.name = "weights", .predicted = 10_GB, .allocated = 10_GB}, {.name = "scratch", .allocated = 1_GB}};
  c.predicted_memory = 10_GB;
  c.allocated_memory = 11_GB;
  c.tokens_per_s = 41.7;
  c.logits_hash = "00ff";
  c.reasons = {"attention.core took 2.5x what was predicted, 83 % of the step"};
  c.notes = {"a note"};
  c.run.backend = "host";
  c.run.machine = "Xeon";
  c.run.ranks = 2;
  c.run.sequences = 4;
  c.run.context = 1000;
  c.run.layers_run = c.run.layers_of_model = 2;
  c.run.steps = {24_ms, 25_ms};
  return c;
}

TEST(ValidateReport, JsonHasTheKeysThatScriptsRelyOn) {
  const nlohmann::json json = nlohmann::json::parse(validate_json(comparison()));
  EXPECT_EQ(json.at("format_version"), "1.0");
  EXPECT_EQ(json.at("step").at("predicted_s"), 0.012);
  EXPECT_EQ(json.at("step").at("measured_s"), 0.024);
  EXPECT_EQ(json.at("step").at("error"), 1);
  EXPECT_EQ(json.at("step").at("band_s").at("max"), 0.015);
  const nlohmann::json& op = json.at("operators").at(0);
  for (const char* key : {"name", "kind", "count", "predicted_s", "measured_s", "error", "share"})
    EXPECT_TRUE(op.contains(key)) << key;
  EXPECT_FALSE(json.at("operators").at(1).contains("measured_s"));
  EXPECT_FALSE(json.at("kinds").at(0).contains("name"));
  EXPECT_EQ(json.at("memory").at("allocated_bytes"), 11'000'000'000);
  EXPECT_EQ(json.at("memory").at("rows").at(1).at("allocated_bytes"), 1'000'000'000);
  EXPECT_EQ(json.at("tokens_per_s"), 41.7);
  EXPECT_EQ(json.at("logits_hash"), "00ff");
  EXPECT_EQ(json.at("verdict").at("passed"), false);
  EXPECT_EQ(json.at("verdict").at("reasons").size(), 1u);
  for (const char* key : {"backend", "machine", "ranks", "sequences", "context", "steps", "layers_run", "notes"})
    EXPECT_TRUE(json.at("run").contains(key)) << key;
}

TEST(ValidateReport, JsonTellsPowerAndClocksWhereTheDeviceSaidThem) {
  Comparison c = comparison();
  EXPECT_FALSE(nlohmann::json::parse(validate_json(c)).at("run").contains("device"));
  c.run.device = DeviceState{.samples = 3, .mean_watts = 500, .most_watts = 600, .mean_clock_mhz = 1900};
  const nlohmann::json device = nlohmann::json::parse(validate_json(c)).at("run").at("device");
  EXPECT_EQ(device.at("samples"), 3);
  EXPECT_EQ(device.at("mean_w"), 500);
  EXPECT_EQ(device.at("mean_clock_mhz"), 1900);
}

TEST(ValidateReport, TextSaysNoAndWhy) {
  const std::string text = validate_text(comparison(), {});
  for (const char* part :
       {"Verdict: NO: the plan does not hold", "  attention.core took 2.5x", "12 ms predicted (10 ms to 15 ms), 24 ms",
        "+100 %", "host engine on Xeon", "2 ranks, 4 sequences of 1,000 tokens, 2 of 2 layers, 2 steps", "note: a note",
        "between operators", "10.245"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(text.find("\033["), std::string::npos);
}

TEST(ValidateReport, MarkdownIsMadeOfTablesAndHeadings) {
  const std::string text = validate_text(comparison(), {.style = TextStyle::kMarkdown, .colour = true});
  EXPECT_EQ(text.find("# Two nodes"), 0u);
  EXPECT_NE(text.find("| attention.core |"), std::string::npos) << text;
  EXPECT_EQ(text.find("\033["), std::string::npos);
}

}  // namespace
}  // namespace fathom
