// Conditions on a plan: what they may say, what they come to, and how they are refused.
#include "check/expression.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "check/plan_keys.h"
#include "check/plan_values.h"
#include "input/error.h"
#include "plan/make_plan.h"
#include "report/plan_json.h"
#include "support/mutation.h"
#include "support/planning.h"

namespace fathom {
namespace {

using Result = ExpressionAnswer::Result;

constexpr const char* kPlan = R"({
  "verdict": {"fits": true, "meets": false, "reasons": ["a", "b"]},
  "layout": {"tp": 8, "pp": 2, "weights": "fp8", "devices": 16},
  "pools": [{"layout": {"tp": 8}}, {"layout": {"tp": 4}}],
  "memory": {"used_bytes": 75000000000, "capacity_bytes": 80000000000},
  "predictions": {"ttft_s": {"min": 0.5, "likely": 1.5, "max": 4.0, "confidence": "assumed"},
                  "output_tok_per_s": {"min": 50, "likely": 100, "max": 200}},
  "power": {"it_peak_w": 12000, "pue": 1.3},
  "cost": {"currency": "CNY", "total": "5200000.00", "capex": "4000000.50", "complete": true,
           "per_mtok_output": 3.5, "energy_kwh_per_year": 100000},
  "availability": {"service": 0.995, "failover_s": null}
})";

ExpressionAnswer answer_to(const std::string& text) {
  static const PlanValues plan(kPlan, "plan.json");
  static const std::vector<ExchangeRate> rates = {{.from = "USD", .to = "CNY", .rate = 7, .date = "2026-01-01"}};
  return Expression(text, "--fail-if").on(plan, rates);
}

bool holds(const std::string& text) {
  const ExpressionAnswer answer = answer_to(text);
  EXPECT_NE(answer.result, Result::kUndecided) << text << ": " << answer.why;
  return answer.result == Result::kTrue;
}

InputError refused(const std::string& text) {
  try {
    Expression(text, "--fail-if");
  } catch (const InputError& error) {
    return error;
  }
  ADD_FAILURE() << "taken for a condition: " << text;
  return {"", {}, "", ""};
}

TEST(Expression, ComparesMoneyInItsCurrency) {
  EXPECT_TRUE(holds("cost.total > 5e6 CNY"));
  EXPECT_TRUE(holds("cost.total > 500 万 CNY"));
  EXPECT_TRUE(holds("cost.total > 500万CNY"));
  EXPECT_TRUE(holds("cost.total > CNY 5M"));
  EXPECT_TRUE(holds("cost.total > 5,000,000 CNY"));
  EXPECT_FALSE(holds("cost.total > 5.2e6 CNY"));
  EXPECT_TRUE(holds("cost.total >= 5.2e6 CNY"));
  // 5.2 M CNY at 7 CNY per dollar are 742,857 USD.
  EXPECT_TRUE(holds("cost.total > 742,000 USD"));
  EXPECT_FALSE(holds("cost.total > 743,000 USD"));
  EXPECT_TRUE(holds("1 USD > 6.9 CNY"));
  EXPECT_TRUE(holds("cost.total > 0"));
}

TEST(Expression, ComparesQuantitiesInAnyUnitAndBareNumbersInTheUnitOfTheKey) {
  EXPECT_TRUE(holds("power.it_peak_w > 11.9 kW"));
  EXPECT_TRUE(holds("power.it_peak_w > 11900"));
  EXPECT_FALSE(holds("power.it_peak_w > 12.1kW"));
  EXPECT_TRUE(holds("memory.used_bytes > 69 GiB"));
  EXPECT_FALSE(holds("memory.used_bytes > 70 GiB"));
  EXPECT_TRUE(holds("predictions.ttft_s.max > 3,999 ms"));
  EXPECT_TRUE(holds("predictions.output_tok_per_s < 101 tokens/s"));
  EXPECT_TRUE(holds("predictions.output_tok_per_s > 300,000 /h"));
  EXPECT_TRUE(holds("cost.energy_kwh_per_year == 0.1 GWh"));
  EXPECT_TRUE(holds("availability.service < 99.9 %"));
  EXPECT_TRUE(holds("cost.per_mtok_output > 3.4 CNY"));
  EXPECT_TRUE(holds("cost.per_mtok_output > 3.4 CNY/Mtok"));
}

TEST(Expression, AnEstimateStandsForItsLikelyValue) {
  EXPECT_TRUE(holds("predictions.ttft_s == predictions.ttft_s.likely"));
  EXPECT_TRUE(holds("predictions.ttft_s > 1 s and predictions.ttft_s < 2 s"));
}

TEST(Expression, ComputesWithUnits) {
  EXPECT_TRUE(holds("memory.used_bytes / memory.capacity_bytes > 0.9"));
  EXPECT_TRUE(holds("memory.used_bytes > 90 % * memory.capacity_bytes"));
  EXPECT_TRUE(holds("power.it_peak_w * 1 h == 12 kWh"));
  EXPECT_TRUE(holds("power.it_peak_w * power.pue > 15 kW"));
  EXPECT_TRUE(holds("cost.total / layout.devices == 325,000 CNY"));
  EXPECT_TRUE(holds("cost.total - cost.capex > 1.1 M CNY"));
  EXPECT_TRUE(holds("-(1 + 2) * 3 == 0 - 9"));
  EXPECT_TRUE(holds("2 + 3 * 4 == 14"));
  EXPECT_TRUE(holds("predictions.ttft_s + 0.5 == 2 s"));
  EXPECT_TRUE(holds("cost.total / 1 USD == 5200000 / 7"));
}

TEST(Expression, JoinsTruthsFromTheLeftAndStopsWhenDecided) {
  EXPECT_TRUE(holds("verdict.fits"));
  EXPECT_TRUE(holds("not verdict.meets"));
  EXPECT_TRUE(holds("not (verdict.fits and verdict.meets)"));
  EXPECT_TRUE(holds("verdict.meets or verdict.fits and layout.tp == 8"));
  EXPECT_TRUE(holds("verdict.fits == true"));
  EXPECT_TRUE(holds("verdict.fits != verdict.meets"));
  EXPECT_TRUE(holds("layout.weights == 'fp8' and layout.weights != \"bf16\""));
  EXPECT_TRUE(holds("pools[1].layout.tp == 4"));
  EXPECT_TRUE(holds("count(verdict.reasons) == 2"));
  // power.rated_w is not there, but nobody has to know.
  EXPECT_TRUE(holds("verdict.fits or power.rated_w > 1 W"));
  EXPECT_FALSE(holds("known(power.rated_w) and power.rated_w > 1 W"));
}

TEST(Expression, WithoutTheFigureNothingIsDecided) {
  EXPECT_EQ(answer_to("power.rated_w > 1 W").why, "the plan has no power.rated_w");
  EXPECT_EQ(answer_to("availability.failover_s > 1 s").result, Result::kUndecided);  // null
  EXPECT_EQ(answer_to("pools[7].layout.tp == 4").why, "the plan has no pools[7].layout.tp");
  EXPECT_EQ(answer_to("cost.total > 1 EUR").why, "no exchange rate between EUR and CNY");
  EXPECT_EQ(answer_to("layout.tp / (layout.tp - 8) > 1").result, Result::kUndecided);
}

TEST(Expression, SaysWhichValuesItHasRead) {
  const ExpressionAnswer answer = answer_to("cost.total > 5e6 CNY and layout.tp == 8 and cost.total < 1e9 CNY");
  EXPECT_EQ(answer.terms, (std::vector<std::string>{"cost.total = 5,200,000 CNY", "layout.tp = 8"}));
  EXPECT_TRUE(answer.reads_cost);
  EXPECT_FALSE(answer_to("layout.tp == 8").reads_cost);
  EXPECT_EQ(answer_to("predictions.ttft_s > 1 s").terms.at(0), "predictions.ttft_s = 1.5 s");
  EXPECT_EQ(answer_to("memory.used_bytes > 1").terms.at(0), "memory.used_bytes = 75 GB");
  EXPECT_EQ(answer_to("cost.per_mtok_output > 1 CNY").terms.at(0), "cost.per_mtok_output = 3.5 CNY/Mtok");
}

struct Wrong {
  const char* text;
  int column;
  const char* message;
  const char* hint;
};

TEST(Expression, IsRefusedAtTheWordThatIsWrong) {
  const Wrong kWrong[] = {
      {"cost.totl > 5e6 CNY", 1, "unknown key \"cost.totl\"", "did you mean \"cost.total\"?"},
      {"verdict.fits and ttft_s > 1 s", 18, "unknown key \"ttft_s\"", "did you mean"},
      {"cost > 5 CNY", 1, "\"cost\" is a group of keys", "name one of its values"},
      {"cost.total > 5e6", 12, "an amount of money and a plain number", "5e6 CNY"},
      {"cost.total > 5e6 cny", 14, "\"5e6 cny\" is no amount", "did you mean CNY?"},
      {"power.it_peak_w > 5 kw", 19, "\"5 kw\" is no amount", "did you mean"},
      {"power.it_peak_w > 5 GB", 17, "a power and an amount of bytes", ""},
      {"power.it_peak_w > 5 > 3", 21, "a comparison has two sides", "\"and\""},
      {"cost.total = 5 CNY", 12, "\"=\" is no sign", "write =="},
      {"verdict.fits && verdict.meets", 14, "\"&&\" is no sign", "write and"},
      {"verdict.fits and cost.total", 18, "expected a truth value here", ""},
      {"cost.total", 1, "a condition is true or false", "compare it"},
      {"layout.weights > 'fp8'", 16, "a text is neither more nor less", "=="},
      {"verdict.reasons == 2", 17, "a list \"==\" a plain number means nothing", "count(KEY)"},
      {"(verdict.fits", 1, "this bracket is never closed", ""},
      {"verdict.fits)", 13, "the expression should end here", ""},
      {"layout.weights == 'fp8", 19, "never closed", ""},
      {"pools[x].layout.tp == 1", 6, "expected the number of an item", "pools[0]"},
      {"count(cost.total) > 1", 7, "is no list", ""},
      {"known(3) and verdict.fits", 7, "expected a key of the plan here", ""},
      {"1 $ 2", 3, "an expression has no \"$\"", ""},
      {"", 1, "the expression is empty", ""},
      {"cost.total >", 13, "expected a key or an amount here", ""},
      {"万 > 1", 1, "an expression has no \"万\"", ""},
      {"layout.tp > 1 and 「", 19, "an expression has no", ""},
  };
  for (const Wrong& w : kWrong) {
    const InputError error = refused(w.text);
    EXPECT_EQ(error.at().column, w.column) << w.text << "\n" << error.what();
    EXPECT_NE(error.message().find(w.message), std::string::npos) << w.text << "\n" << error.what();
    EXPECT_NE(error.hint().find(w.hint), std::string::npos) << w.text << "\n" << error.hint();
  }
}

TEST(Expression, AComplaintShowsTheExpressionAndACaret) {
  EXPECT_EQ(render(refused("verdict.fits and cost.totl > 1 CNY")),
            "error: unknown key \"cost.totl\"\n"
            "  --> --fail-if:1:18\n"
            "    1 | verdict.fits and cost.totl > 1 CNY\n"
            "      |                  ^\n"
            "   = help: did you mean \"cost.total\"?");
}

TEST(Expression, DepthAndLengthHaveALimit) {
  EXPECT_NE(refused(std::string(3000, '(')).message().find("nested too deeply"), std::string::npos);
  EXPECT_NE(refused(std::string(3000, '-') + "1 > 1").message().find("nested too deeply"), std::string::npos);
  EXPECT_NE(refused(std::string(5000, ' ')).message().find("at most"), std::string::npos);
  EXPECT_TRUE(holds(std::string(40, '(') + "verdict.fits" + std::string(40, ')')));
}

void collect(const nlohmann::json& value, const std::string& path, std::set<std::string>& out) {
  if (value.is_object()) {
    for (const auto& [key, part] : value.items()) collect(part, path.empty() ? key : path + "." + key, out);
  } else {
    out.insert(path);
    if (value.is_array()) {
      for (const auto& item : value) collect(item, path + "[]", out);
    }
  }
}

// What a condition cannot name: the model's shape and what simulations run on.
bool is_internal(const std::string& path) {
  return path.starts_with("model.architecture.") || path.find("].serving.") != std::string::npos ||
         path.find("].step_times.") != std::string::npos;
}

TEST(PlanKeys, NameEverythingThatAPlanHas) {
  std::set<std::string> written;
  for (const std::filesystem::path& file : example_files()) {
    collect(nlohmann::json::parse(plan_json(make_plan(read_cluster(file, shipped()), shipped()))), "", written);
  }
  std::set<std::string> known;
  for (const PlanKey& key : plan_keys()) known.insert(key.path);
  for (const std::string& path : written) {
    EXPECT_TRUE(is_internal(path) || known.contains(path)) << path << " is missing in libplanner/check/plan_keys.cpp";
  }
}

TEST(PlanValues, RefuseWhatIsNoPlan) {
  for (const char* text : {"", "[1]", "{\"a\": }", "{\"a\": 1e999}", "\xFF", "{\"a\": 1} x"}) {
    EXPECT_TRUE(refusal(text, [&] { PlanValues(text, "plan.json"); })) << text;
  }
}

}  // namespace
}  // namespace fathom
