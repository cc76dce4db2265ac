// Damage to what users write for `fathom check`, with a fixed seed: settings, conditions, baselines, comments, saved plans.
// Each is read or refused; nothing else happens.
#include <gtest/gtest.h>

#include "check/baseline.h"
#include "check/expression.h"
#include "check/mend.h"
#include "check/plan_values.h"
#include "check/settings.h"
#include "check/suppressions.h"
#include "check/synthetic.h"
#include "support/mutation.h"

namespace fathom {
namespace {

// A text with some edits.
std::string damaged(std::string text, std::mt19937& random) {
  for (auto edits = 1 + random() % 4; edits > 0; --edits) text = mutated(std::move(text), random);
  return text;
}

const std::string kSettings =
    "format: fathom-settings/1\nrules:\n  power.supply: off\n  cost: warning\nfail_if:\n  - cost.total > 5e6 CNY\n"
    "  - \"not verdict.fits or availability.service < 99.9 %\"\n";

TEST(CheckMutation, SettingsAreReadOrRefused) {
  std::mt19937 random(21);
  int refused = 0;
  for (int round = 0; round < 20000 / kThinning; ++round) {
    const std::string text = damaged(kSettings, random);
    SCOPED_TRACE(text);
    refused += refusal(text, [&] { parse_settings(parse_yaml(text, ".fathom.yaml"), small_book()); }).has_value();
  }
  EXPECT_GT(refused, 5000 / kThinning);
}

const std::vector<std::string> kConditions = {
    "cost.total > 5e6 CNY and not verdict.fits",
    "memory.used_bytes / memory.capacity_bytes > 90 % or pools[0].layout.tp == 8",
    "-(power.it_peak_w * 1.3 + 2 kW) <= 8.5 万 CNY / cost.capex",
    "known(power.rated_w) and count(verdict.reasons) != 0 and layout.weights == 'fp8'",
    "predictions.output_tok_per_s >= 12,000 /h",
    "cost.total > 1234567890123456 CNY",  // most damage leaves a number
    "memory.used_bytes * 123456789 < 987654321 * 123456789"};

TEST(CheckMutation, ConditionsAreReadOrRefusedAndAnswered) {
  std::mt19937 random(22);
  const PlanValues plan(
      R"({"cost": {"currency": "CNY", "total": "5.00", "capex": "x"}, "verdict": {"fits": 3, "reasons": []},
          "memory": {"used_bytes": 1, "capacity_bytes": 0}, "pools": [{"layout": {"tp": 8}}], "power": {"it_peak_w": 1e308}})",
      "plan.json");
  int refused = 0, read = 0;
  for (int round = 0; round < 6000 / kThinning; ++round) {
    const std::string text = mutated(kConditions[random() % kConditions.size()], random);
    SCOPED_TRACE(text);
    if (refusal(text, [&] { Expression(text, "--fail-if").on(plan, {}); })) {
      ++refused;
    } else {
      ++read;
    }
  }
  EXPECT_GT(refused, 2000 / kThinning);
  EXPECT_GT(read, 100 / kThinning);
}

TEST(CheckMutation, BaselinesAreReadOrRefused) {
  std::mt19937 random(23);
  Baseline good("base.json");
  good.add(finding("power.supply", Severity::kError, 1, 1, 1, "one \"quoted\""));
  good.add(finding("cost.date", Severity::kNote, 2, 1, 1));
  const std::string whole = good.json();
  int refused = 0;
  for (int round = 0; round < 10000 / kThinning; ++round) {
    const std::string text = damaged(whole, random);
    SCOPED_TRACE(text);
    refused += refusal(text, [&] { Baseline::parse(parse_yaml(text, "base.json"), "base.json").json(); }).has_value();
  }
  EXPECT_GT(refused, 2000 / kThinning);
}

TEST(CheckMutation, CommentsNeverStopACheck) {
  std::mt19937 random(24);
  const std::string whole =
      "a: 1 # fathom: ignore[power.supply] measured at 40 C\n# fathom: ignore[cost.date, power] old\n\nb: \"# fathom: "
      "ignore[x] y\"\nc: '万' # fathom: ignore\n";
  for (int round = 0; round < 40000 / kThinning; ++round) {
    const std::string text = damaged(whole, random);
    SCOPED_TRACE(text);
    std::vector<Finding> found = {finding("power.supply", Severity::kError, 1, 1, 1),
                                  finding("cost.date", Severity::kNote, 4, 1, 1)};
    const int gone = suppress(text, small_book(), {}, "a.yaml", found);
    EXPECT_GE(gone, 0);
    EXPECT_GE(found.size() + static_cast<std::size_t>(gone), 2u);
    for (const Finding& f : found) EXPECT_GT(f.spot.at.line, 0);
  }
}

TEST(CheckMutation, MendsStayInsideTheirText) {
  std::mt19937 random(25);
  for (int round = 0; round < 40000 / kThinning; ++round) {
    std::string text = damaged("a: 1\nb: \"two 万\"\n\nc: 'it''s'\r\nd: [1, 2]\n", random);
    std::vector<Finding> found;
    for (auto i = random() % 4; i > 0; --i) {
      Finding f = finding("power.supply", Severity::kError, 0, 0, 0);
      f.mend = Mend{{{static_cast<int>(random() % 8), static_cast<int>(random() % 20)}, static_cast<int>(random() % 9)},
                    random() % 3 == 0 ? "x\ny" : "z"};
      found.push_back(std::move(f));
    }
    const MendedText mended = apply_mends(text, found);
    EXPECT_EQ(mended.edits.empty(), unified_diff("a", text, mended).empty());
    CheckedFile file = checked_file("a", text, found);
    EXPECT_EQ(file.findings.size(), found.size());
  }
}

TEST(CheckMutation, SavedPlansAreReadOrRefused) {
  std::mt19937 random(26);
  const std::string whole =
      R"({"cost": {"currency": "CNY", "total": "5.00"}, "pools": [{"layout": {"tp": 8}}], "x": 1e3})";
  const Expression condition("cost.total > 1 CNY or pools[0].layout.tp == 8", "--fail-if");
  int refused = 0;
  for (int round = 0; round < 20000 / kThinning; ++round) {
    const std::string text = damaged(whole, random);
    SCOPED_TRACE(text);
    refused += refusal(text, [&] { condition.on(PlanValues(text, "plan.json"), {}); }).has_value();
  }
  EXPECT_GT(refused, 5000 / kThinning);
}

}  // namespace
}  // namespace fathom
