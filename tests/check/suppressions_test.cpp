#include "check/suppressions.h"

#include <gtest/gtest.h>

#include "check/synthetic.h"

namespace fathom {
namespace {

// Rule and line of what is left.
std::string left_of(const std::string& text, std::vector<Finding> found, int expected, const RuleLevels& levels = {}) {
  EXPECT_EQ(suppress(text, small_book(), levels, "a.yaml", found), expected) << text;
  std::string out;
  for (const Finding& f : found) out += f.rule + "@" + std::to_string(f.spot.at.line) + " ";
  return out;
}

const std::vector<Finding> kSupply = {finding("power.supply", Severity::kError, 2, 6, 4)};

TEST(Suppressions, TakeAFindingOfTheirLineAway) {
  EXPECT_EQ(left_of("a:\n  b: 1 # fathom: ignore[power.supply] measured at 40 C\n", kSupply, 1), "");
  EXPECT_EQ(left_of("a:\n  b: 1 # fathom:ignore [ power.supply ]: measured\n", kSupply, 1), "");
  EXPECT_EQ(left_of("a:\n  b: 1 # fathom: ignore[cost.date, power.supply] old offer\n", kSupply, 1),
            "suppression.unused@2 ");
  EXPECT_EQ(left_of("a:\n  b: 1 # fathom: ignore[power] a family\n", kSupply, 1), "");
}

TEST(Suppressions, OnALineOfTheirOwnAreAboutTheNextThatSaysSomething) {
  EXPECT_EQ(left_of("# fathom: ignore[power.supply] measured\na: 1\n", kSupply, 1).size(), 0u);
  const std::vector<Finding> fifth = {finding("power.supply", Severity::kError, 5, 1, 1)};
  EXPECT_EQ(left_of("# fathom: ignore[power.supply] measured\n# and more\n\n\t# x\na: 1\n", fifth, 1), "");
  EXPECT_EQ(left_of("a: 0 # fathom: ignore[power.supply] measured\nb: 1\n", kSupply, 0),
            "suppression.unused@1 power.supply@2 ");
}

TEST(Suppressions, WithoutAReasonTakeNothingAway) {
  EXPECT_EQ(left_of("a:\n  b: 1 # fathom: ignore[power.supply]\n", kSupply, 0), "power.supply@2 suppression.reason@2 ");
  EXPECT_EQ(left_of("a:\n  b: 1 # fathom: ignore[power.supply] - \n", kSupply, 0),
            "power.supply@2 suppression.reason@2 ");
}

TEST(Suppressions, ThatHideNothingAreReported) {
  EXPECT_EQ(left_of("a: 1 # fathom: ignore[power.rack] measured\n", kSupply, 0),
            "suppression.unused@1 power.supply@2 ");
  // A rule that is off finds nothing, so nobody can know.
  EXPECT_EQ(left_of("a: 1 # fathom: ignore[power.rack] measured\n", {}, 0, {{"power.rack", Severity::kOff}}), "");
  EXPECT_EQ(left_of("a: 1 # fathom: ignore[power.rack] measured\n", {}, 0, {{"power", Severity::kOff}}), "");
  EXPECT_EQ(left_of("a: 1 # fathom: ignore[cost.unused] measured\n", {}, 0), "");
  EXPECT_EQ(left_of("a: 1 # fathom: ignore[power.rack] measured\n", {}, 0, {{"suppression.unused", Severity::kOff}}),
            "");
}

TEST(Suppressions, ThatCannotBeReadAreReported) {
  const auto only = [](const std::string& comment) {
    SuppressionComments read = read_suppressions("a: 1 " + comment + "\n", small_book());
    EXPECT_TRUE(read.ignores.empty()) << comment;
    return read.misread.size() == 1 ? read.misread[0].message + " | " + read.misread[0].help : "";
  };
  EXPECT_EQ(only("# fathom: ignore[power.suply] x"), "unknown rule \"power.suply\" | did you mean \"power.supply\"?");
  EXPECT_EQ(
      only("# fathom: ignore power.supply x"),
      "this comment does not say in brackets which rule to ignore | write it as # fathom: ignore[rule.id] reason");
  EXPECT_NE(only("# fathom: ignore[] x").find("does not name a rule"), std::string::npos);
  EXPECT_NE(only("# fathom: ignore[power.supply").find("in brackets"), std::string::npos);
  EXPECT_NE(only("# fathom: ingore[power.supply] x").find("\"ingore\""), std::string::npos);
  EXPECT_NE(only("# fathom: ignore[schema.input] x").find("cannot be ignored"), std::string::npos);
  EXPECT_EQ(only("# fathom: the planner reads this file"), "");  // prose
}

TEST(Suppressions, AreCommentsAndNotTexts) {
  const std::vector<Finding> first = {finding("power.supply", Severity::kError, 1, 4, 1)};
  EXPECT_EQ(left_of("a: \"x # fathom: ignore[power.supply] y\"\n", first, 0), "power.supply@1 ");
  EXPECT_EQ(left_of("a: 'it''s # fathom: ignore[power.supply] y'\n", first, 0), "power.supply@1 ");
  EXPECT_EQ(left_of("a: x# fathom: ignore[power.supply] y\n", first, 0), "power.supply@1 ");
  EXPECT_EQ(left_of("a: don't  # fathom: ignore[power.supply] y\n", first, 1), "");
  EXPECT_EQ(left_of("a: \"\\\"\" # fathom: ignore[power.supply] y\n", first, 1), "");
}

TEST(Suppressions, StandAtTheirColumn) {
  const SuppressionComments read =
      read_suppressions("\xEF\xBB\xBF万: 1  # fathom: ignore[power] why\r\n", small_book());
  ASSERT_EQ(read.ignores.size(), 1u);
  EXPECT_EQ(read.ignores[0].spot.at.column, 7);
  EXPECT_EQ(read.ignores[0].spot.width, 27);
  EXPECT_EQ(read.ignores[0].reason, "why");
}

}  // namespace
}  // namespace fathom
