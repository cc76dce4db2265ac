// A simulation as text, JSON, CSV and picture: the same numbers, and nothing of the outside in a picture.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/simulate_chart.h"
#include "report/simulate_json.h"
#include "report/simulate_text.h"

namespace fathom {
namespace {

SimulationHead head() {
  return {.title = "Two <nodes>", .pools = {"h100: TP8 x2"}, .requests = "10 requests", .notes = {"a note"}, .seed = 7};
}

SimulationResult result() {
  SimulationResult r;
  r.arrivals = "Poisson, 2 requests/s";
  r.requests = r.finished = 10;
  r.measured = 9;
  r.ttft = {.count = 9,
            .mean = 100_ms,
            .p50 = 90_ms,
            .p90 = 200_ms,
            .p95 = 300_ms,
            .p99 = 400_ms,
            .max = 500_ms,
            .named = 300_ms};
  r.requests_per_s = 2;
  r.output_tok_per_s = 1234;
  r.limits.ttft = 250_ms;
  r.limits.percentile = 95;
  r.meets = false;
  r.reasons = {"P95 TTFT 300 ms, 250 ms wanted"};
  r.energy_per_token = Joules(2.5);
  r.pools = {{.name = "h100", .part = "serve"}};
  r.series = {{.begin = Seconds(0), .width = Seconds(1), .arrived = 4, .waiting = 2},
              {.begin = Seconds(1), .width = Seconds(1), .arrived = 6, .waiting = 1}};
  return r;
}

TEST(SimulateReport, TextSaysWhatWasAskedAndFound) {
  const std::string text = simulate_text(head(), result(), {});
  for (const char* part :
       {"Verdict: NO: the service level is not kept", "P95 TTFT 300 ms, 250 ms wanted", "asked: TTFT 250 ms (P95)",
        "1,234 output tok/s", "2.5 J per output token", "note: a note", "seed 7", "h100: TP8 x2"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(text.find("\033["), std::string::npos);
  EXPECT_NE(simulate_text(head(), result(), {.style = TextStyle::kMarkdown}).find("## Times"), std::string::npos);
}

TEST(SimulateReport, NoPercentileIsPrintedTwice) {
  const auto columns = [](double percentile, const std::string& name) {
    SimulationResult r = result();
    r.limits.percentile = percentile;
    const std::string text = simulate_text(head(), r, {});
    const std::string titles = text.substr(text.find("mean"), text.find("time to first token") - text.find("mean"));
    int count = 0;
    for (std::size_t at = titles.find(name); at != std::string::npos; at = titles.find(name, at + 1)) ++count;
    return count;
  };
  EXPECT_EQ(columns(99, "P99"), 1);
  EXPECT_EQ(columns(90, "P90"), 1);
  EXPECT_EQ(columns(99.9, "P99.9"), 1);
}

TEST(SimulateReport, WhatWasNeverMeasuredHasNoTimes) {
  SimulationResult r = result();
  r.ttft = {};
  const nlohmann::json json = nlohmann::json::parse(simulate_json(head(), r));
  EXPECT_EQ(json.at("ttft_s").at("count"), 0);
  for (const char* key : {"mean", "p50", "p99", "max", "at_slo_percentile"})
    EXPECT_TRUE(json.at("ttft_s").at(key).is_null()) << key;
  const SweepResult sweep{.over = SweepOver::kRate, .points = {{.load = 1, .result = r}}, .highest = {}};
  EXPECT_NE(sweep_text(head(), sweep, {}).find("none"), std::string::npos);
}

TEST(SimulateReport, JsonHasTheKeysThatScriptsRelyOn) {
  const nlohmann::json json = nlohmann::json::parse(simulate_json(head(), result()));
  EXPECT_EQ(json.at("ttft_s").at("p99"), 0.4);
  EXPECT_EQ(json.at("ttft_s").at("at_slo_percentile"), 0.3);
  EXPECT_EQ(json.at("slo").at("ttft_s"), 0.25);
  EXPECT_EQ(json.at("verdict").at("meets"), false);
  EXPECT_EQ(json.at("energy_per_output_token_j"), 2.5);
  EXPECT_FALSE(json.contains("energy_j"));
  EXPECT_EQ(json.at("seed"), 7);
}

TEST(SimulateReport, SweepsListEveryLoad) {
  SweepResult sweep{.over = SweepOver::kRate,
                    .points = {{.load = 1, .result = result()}, {.load = 2, .result = result()}},
                    .highest = 1};
  const nlohmann::json json = nlohmann::json::parse(sweep_json(head(), sweep));
  EXPECT_EQ(json.at("sweep").at("highest_requests_per_s"), 1);
  EXPECT_EQ(json.at("points").at(1).at("load"), 2);
  EXPECT_NE(sweep_text(head(), sweep, {}).find("highest that keeps it: 1 requests/s"), std::string::npos);
}

TEST(SimulateReport, SeriesAreCsvAndPicturesAreWholeAndEscaped) {
  const SweepResult sweep{.over = SweepOver::kRate, .points = {{.load = 1, .result = result()}}, .highest = 1};
  EXPECT_EQ(series_csv(result()),
            "begin_s,width_s,arrived,finished,output_tokens,waiting,running,busy_replicas,kv_use\n"
            "0,1,4,0,0,2,0,0,0\n1,1,6,0,0,1,0,0,0\n");
  const std::string svg = chart_svg(simulate_chart(head(), result()));
  EXPECT_NE(svg.find("Two &lt;nodes&gt;"), std::string::npos);
  EXPECT_EQ(svg.find("http://www.w3.org/2000/svg"), svg.find("http"));  // the name of SVG, and no address
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_NE(chart_html(sweep_chart(head(), sweep)).find("</svg>"), std::string::npos);
}

}  // namespace
}  // namespace fathom
