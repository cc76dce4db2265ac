// Served beside simulated as text and as JSON: the same numbers, the keys that scripts rely on.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/arrivals_json.h"
#include "report/arrivals_text.h"

namespace fathom {
namespace {

Spread spread(Seconds p50, Seconds p99) {
  return {.count = 90, .mean = p50, .p50 = p50, .p90 = p99, .p95 = p99, .p99 = p99, .max = p99};
}

ArrivalComparison comparison() {
  ArrivalComparison c;
  c.title = "A laptop";
  c.layout = "TP2 x1, bf16 weights, bf16 KV";
  c.accelerator = "its processor";
  c.arrivals = "Poisson, 3.2 requests/s";
  c.requests = "requests of 64 tokens in and 32 out on average";
  c.seed = 7;
  c.times = {{.key = "ttft",
              .name = "time to first token",
              .predicted = spread(100_ms, 200_ms),
              .measured = spread(120_ms, 210_ms)},
             {.key = "tpot", .name = "time per output token"}};  // answers of one token: nothing to say
  c.predicted.measured = 90;
  c.predicted.simulated = 30_s;
  c.measured_duration = 31_s;
  c.steps = {{.kind = "decode", .least = 4, .count = 10, .predicted = 1_s, .measured = 2_s, .error = 1},
             {.kind = "both", .least = 64, .count = 1, .predicted = 1_s, .measured = 1_s}};
  c.notes = {"a note"};
  c.run.backend = "host";
  c.run.machine = "Xeon";
  c.run.ranks = 2;
  c.run.threads = 1;
  c.run.requests.resize(100);
  return c;
}

ArrivalComparison judged() {
  ArrivalComparison c = comparison();
  c.tolerance = ArrivalTolerance{.p50 = 0.1, .p99 = 0.2};
  c.passed = false;
  c.reasons = {"P50 of the time to first token is +20 % off, 10 % allowed"};
  return c;
}

TEST(ArrivalsReport, JsonHasTheKeysThatScriptsRelyOn) {
  const nlohmann::json json = nlohmann::json::parse(arrivals_json(comparison()));
  EXPECT_EQ(json.at("format_version"), "1.0");
  EXPECT_EQ(json.at("ttft_s").at("predicted").at("p50"), 0.1);
  EXPECT_EQ(json.at("ttft_s").at("measured").at("p99"), 0.21);
  EXPECT_NEAR(json.at("ttft_s").at("error").at("p50"), 0.2, 1e-12);
  EXPECT_FALSE(json.contains("tpot_s"));
  EXPECT_FALSE(json.contains("verdict"));
  EXPECT_EQ(json.at("duration_s").at("measured"), 31);
  EXPECT_EQ(json.at("steps").at(0).at("sequences_from"), 4);
  EXPECT_EQ(json.at("steps").at(1).at("prompt_tokens_from"), 64);
  for (const char* key : {"backend", "machine", "date", "ranks", "threads", "requests", "measured", "notes"})
    EXPECT_TRUE(json.at("run").contains(key)) << key;
  const nlohmann::json verdict = nlohmann::json::parse(arrivals_json(judged())).at("verdict");
  EXPECT_EQ(verdict.at("passed"), false);
  EXPECT_EQ(verdict.at("reasons").size(), 1u);
}

TEST(ArrivalsReport, TextSetsServedBesideSimulated) {
  const std::string text = arrivals_text(judged(), {});
  for (const char* part :
       {"Verdict: NO: the simulation does not hold", "  P50 of the time to first token is +20 % off, 10 % allowed",
        "asked: P50 within 10 %, P99 within 20 %", "Poisson, 3.2 requests/s; seed 7", "host engine on Xeon",
        "2 ranks, 1 thread each; 90 of 100 requests count", "note: a note", "+20.0 %", "+5.0 %",
        "all answered in 30 s as simulated, 31 s as served", "decoding 4 to 7 sequences",
        "decoding and prompts of 64 to 127 tokens"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(arrivals_text(comparison(), {}).find("Verdict"), std::string::npos);
}

TEST(ArrivalsReport, MarkdownIsMadeOfTablesAndHeadings) {
  const std::string text = arrivals_text(judged(), {.style = TextStyle::kMarkdown, .colour = true});
  EXPECT_EQ(text.find("# A laptop"), 0u);
  EXPECT_NE(text.find("| time to first token | simulated |"), std::string::npos) << text;
  EXPECT_EQ(text.find("\033["), std::string::npos);
}

}  // namespace
}  // namespace fathom
