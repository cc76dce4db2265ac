#include "check/settings.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "check/synthetic.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

CheckSettings settings(const std::string& body) {
  return parse_settings(parse_yaml("format: fathom-settings/1\n" + body, ".fathom.yaml"), small_book());
}

std::string refused(const std::string& body) {
  try {
    settings(body);
  } catch (const InputError& error) {
    return std::string(error.what()) + " | " + error.hint();
  }
  return "taken";
}

TEST(Settings, GiveRulesAndFamiliesALevel) {
  const CheckSettings s = settings("rules:\n  power.supply: off\n  cost: warning\n");
  EXPECT_EQ(s.levels.at("power.supply"), Severity::kOff);
  EXPECT_EQ(given_level(s.levels, *small_book().find("cost.date")), Severity::kWarning);
  EXPECT_EQ(given_level(s.levels, *small_book().find("power.rack")), std::nullopt);
}

TEST(Settings, HaveConditions) {
  const CheckSettings s = settings("fail_if:\n  - cost.total > 5e6 CNY\n  - \"not verdict.fits\"\n");
  ASSERT_EQ(s.fail_if.size(), 2u);
  EXPECT_EQ(s.fail_if[1].text(), "not verdict.fits");
}

TEST(Settings, NameTheColumnsOfBillsAndExchangeRates) {
  const CheckSettings s = settings(
      "bill:\n  columns: {qty: 数量, unit_price: Price each}\n"
      "  rates:\n    - {from: USD, to: CNY, rate: 7.2, date: 2025-03}\n");
  ASSERT_EQ(s.bill.columns.size(), 2u);
  EXPECT_EQ(s.bill.columns[0].second, "数量");
  ASSERT_EQ(s.bill.rates.size(), 1u);
  EXPECT_DOUBLE_EQ(s.bill.rates[0].rate, 7.2);
  EXPECT_NE(refused("bill:\n  columns: {quantity: x}\n"), "taken");
  EXPECT_NE(refused("bill:\n  rates: [{from: USD, to: XYZ, rate: 7, date: 2025}]\n"), "taken");
  EXPECT_NE(refused("bill:\n  rates: [{from: USD, to: CNY, rate: 0, date: 2025}]\n"), "taken");
}

TEST(Settings, AreRefusedWhereTheyAreWrong) {
  EXPECT_EQ(refused("rules:\n  power.suply: off\n"),
            ".fathom.yaml:3:3: unknown rule \"power.suply\" | did you mean \"power.supply\"?");
  EXPECT_EQ(refused("rules: {pwoer: off}\n"), ".fathom.yaml:2:9: unknown rule \"pwoer\" | did you mean \"power\"?");
  EXPECT_NE(refused("rules: {power: of}\n").find("did you mean \"off\"?"), std::string::npos);
  EXPECT_NE(refused("rules: {power: 3}\n").find(".fathom.yaml:2:16"), std::string::npos);
  EXPECT_NE(refused("rules: [power]\n").find("expected a mapping"), std::string::npos);
  EXPECT_NE(refused("rules: {schema.input: off}\n").find("always an error"), std::string::npos);
  EXPECT_NE(refused("rule: {power: off}\n").find("did you mean \"rules\"?"), std::string::npos);
  EXPECT_EQ(refused("fail_if:\n  - cost.totl > 5 CNY\n"),
            ".fathom.yaml:3:5: unknown key \"cost.totl\" | did you mean \"cost.total\"?");
  EXPECT_NE(refused("fail_if:\n  - verdict.fits and x\n").find(".fathom.yaml:3:22"), std::string::npos);
  EXPECT_NE(refused("fail_if: cost.total > 5 CNY\n").find("expected a list"), std::string::npos);
}

TEST(Settings, OfTheNearestFolderCount) {
  const ScratchFolder root;
  fs::create_directories(root.path() / "repo/.git");
  fs::create_directories(root.path() / "repo/a/b");
  root.write(".fathom.yaml", "");
  EXPECT_EQ(find_settings(root.path() / "repo/a/b"), std::nullopt) << "a repository ends the search";
  root.write("repo/.fathom.yaml", "");
  EXPECT_EQ(find_settings(root.path() / "repo/a/b"), root.path() / "repo/.fathom.yaml");
  root.write("repo/a/.fathom.yaml", "");
  EXPECT_EQ(find_settings(root.path() / "repo/a/b"), root.path() / "repo/a/.fathom.yaml");
  EXPECT_EQ(find_settings(root.path() / "repo/a/b/.."), root.path() / "repo/a/.fathom.yaml");
}

TEST(RuleLevels, OfTheCommandLine) {
  EXPECT_EQ(parse_rule_level("power.supply=off", small_book(), "--rule"),
            std::pair(std::string("power.supply"), Severity::kOff));
  const auto refusal_of = [](const std::string& text) {
    try {
      parse_rule_level(text, small_book(), "--rule");
    } catch (const InputError& error) {
      return render(error);
    }
    return std::string("taken");
  };
  EXPECT_EQ(refusal_of("power.suply=off"),
            "error: unknown rule \"power.suply\"\n  --> --rule:1:1\n    1 | power.suply=off\n      | ^\n"
            "   = help: did you mean \"power.supply\"?");
  EXPECT_NE(refusal_of("power.supply=loud").find("unknown level \"loud\""), std::string::npos);
  EXPECT_NE(refusal_of("power.supply").find("expected RULE=LEVEL"), std::string::npos);
}

TEST(RuleLevels, TheStrongerSideDecidesForItsWholeFamily) {
  const RuleLevels file = {{"power.supply", Severity::kNote}, {"cost.date", Severity::kError}};
  const RuleLevels both = joined(file, {{"power", Severity::kOff}});
  EXPECT_EQ(given_level(both, *small_book().find("power.supply")), Severity::kOff);
  EXPECT_EQ(given_level(both, *small_book().find("cost.date")), Severity::kError);
  EXPECT_EQ(given_level(joined(file, {{"power.supply", Severity::kError}}), *small_book().find("power.supply")),
            Severity::kError);
}

}  // namespace
}  // namespace fathom
