#include "check/mend.h"

#include <gtest/gtest.h>

#include "check/synthetic.h"

namespace fathom {
namespace {

Finding mend(int line, int column, int width, const std::string& text) {
  Finding f = finding("power.supply", Severity::kError, line, column, width);
  f.mend = Mend{{{line, column}, width}, text};
  return f;
}

std::string mended(const std::string& text, const std::vector<Finding>& findings) {
  return apply_mends(text, findings).text;
}

TEST(Mend, ReplacesOneStretchOfALine) {
  EXPECT_EQ(mended("a: 1\nbb: 22 # c\nd: 3\n", {mend(2, 5, 2, "44")}), "a: 1\nbb: 44 # c\nd: 3\n");
  EXPECT_EQ(mended("a: 1\nbb: 22\n", {mend(2, 5, 0, "44 W")}), "a: 1\nbb: 44 W\n");
  EXPECT_EQ(mended("a: 1", {mend(1, 4, 1, "2")}), "a: 2");
}

TEST(Mend, KeepsLineEndsAndTheMarkThatOpensAFile) {
  EXPECT_EQ(mended("\xEF\xBB\xBF"
                   "a: 1\r\nb: 2\r\n",
                   {mend(1, 4, 1, "9"), mend(2, 4, 0, "8")}),
            "\xEF\xBB\xBF"
            "a: 9\r\nb: 8\r\n");
}

TEST(Mend, CountsColumnsInCodePoints) { EXPECT_EQ(mended("万万: 1万\n", {mend(1, 5, 2, "2")}), "万万: 2\n"); }

TEST(Mend, TakesTheQuotesOfAValueWithIt) {
  EXPECT_EQ(mended("a: \"1 kw\" # c\n", {mend(1, 4, 4, "1 kW")}), "a: 1 kW # c\n");
  EXPECT_EQ(mended("a: 'it''s' # c\n", {mend(1, 4, 4, "it is")}), "a: it is # c\n");
  EXPECT_EQ(mended("a: \"one\n  two\"\n", {mend(1, 4, 7, "x")}), "a: \"one\n  two\"\n");
}

TEST(Mend, TheFirstOfOverlappingEditsWins) {
  const MendedText out = apply_mends("abcdef\n", {mend(1, 3, 3, "X"), mend(1, 1, 3, "Y"), mend(1, 6, 1, "Z")});
  EXPECT_EQ(out.text, "YdeZ\n");
  EXPECT_EQ(out.edits.size(), 2u);
  EXPECT_EQ(out.overlapping, 1);
  // Two findings with the same mend are no quarrel.
  EXPECT_EQ(apply_mends("a: 1\n", {mend(1, 4, 1, "2"), mend(1, 4, 1, "2")}).overlapping, 0);
}

TEST(Mend, WhatIsRemovedLeavesNoBlanksAndNoEmptyLine) {
  EXPECT_EQ(mended("a: 1  # c\nb: 2\n", {mend(1, 7, 3, "")}), "a: 1\nb: 2\n");
  EXPECT_EQ(mended("a: 1\r\n  # c\r\nb: 2\r\n", {mend(2, 3, 3, "")}), "a: 1\r\nb: 2\r\n");
  EXPECT_EQ(mended("# c", {mend(1, 1, 3, "")}), "");
  EXPECT_EQ(mended("a: [1, 2]\n", {mend(1, 5, 3, "")}), "a: [2]\n");
}

std::string spelling(const std::string& line, int column, const std::string& message, const std::string& hint) {
  const auto found = spelling_mend(InputError("a", {1, column}, message, hint), line);
  if (!found) return "none";
  return std::to_string(found->spot.at.column) + "+" + std::to_string(found->spot.width) + " " + found->text;
}

TEST(Mend, OfAnInputErrorIsAMatterOfSpelling) {
  EXPECT_EQ(spelling("Memory: 1", 1, "unknown key", "did you mean \"memory\"?"), "1+6 memory");
  EXPECT_EQ(spelling("gpu-count: 1", 1, "unknown key", "did you mean \"gpu_count\"?"), "1+9 gpu_count");
  EXPECT_EQ(spelling("a: {w: 5 kw, b: 2}", 8, "no unit; did you mean \"kW\"?", ""), "10+2 kW");
  EXPECT_EQ(spelling("a: \"万 1,200.5kw\"", 4, "no unit; did you mean \"kW\"?", ""), "none");
  EXPECT_EQ(spelling("a: \"1,200.5kw\"", 4, "no unit; did you mean \"kW\"?", ""), "12+2 kW");
  EXPECT_EQ(spelling("a: 5e6 cny", 4, "no currency; did you mean CNY?", ""), "8+3 CNY");
  // What might be meant otherwise stays.
  EXPECT_EQ(spelling("memry: 1", 1, "unknown key", "did you mean \"memory\"?"), "none");
  EXPECT_EQ(spelling("a: 5 mw", 4, "no unit; did you mean \"mW\" or \"MW\"?", ""), "none");
  EXPECT_EQ(spelling("Memorys: 1", 1, "unknown key", "did you mean \"memory\"?"), "none");
  EXPECT_EQ(spelling("Memory: 1", 1, "unknown key", "known keys: memory"), "none");
}

TEST(Mend, IgnoresPlacesThatAreNotThere) {
  for (const Finding& f : {mend(0, 0, 0, "x"), mend(9, 1, 1, "x"), mend(1, 0, 1, "x")}) {
    EXPECT_EQ(mended("a: 1\n", {f}), "a: 1\n");
  }
  EXPECT_EQ(mended("a: 1\n", {mend(1, 99, 5, "x")}), "a: 1x\n");
  EXPECT_EQ(mended("", {mend(1, 1, 1, "x")}), "");
}

TEST(Diff, ShowsThreeLinesAround) {
  const std::string before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
  EXPECT_EQ(unified_diff("x/a.yaml", before, apply_mends(before, {mend(5, 1, 1, "V")})),
            "--- a/x/a.yaml\n+++ b/x/a.yaml\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+V\n 6\n 7\n 8\n");
}

TEST(Diff, JoinsWhatIsNearAndPartsWhatIsFar) {
  std::string before;
  for (int i = 1; i <= 30; ++i) before += std::to_string(i) + "\n";
  const std::string near = unified_diff("a", before, apply_mends(before, {mend(5, 1, 1, "V"), mend(11, 1, 2, "XI")}));
  EXPECT_NE(near.find("@@ -2,13 +2,13 @@"), std::string::npos) << near;
  const std::string far =
      unified_diff("a", before, apply_mends(before, {mend(5, 1, 1, "V\nnew"), mend(25, 1, 2, "Y")}));
  EXPECT_NE(far.find("@@ -2,7 +2,8 @@"), std::string::npos) << far;
  EXPECT_NE(far.find("@@ -22,7 +23,7 @@"), std::string::npos) << far;
}

TEST(Diff, SaysWhereAFileHasNoLastLineEnd) {
  EXPECT_EQ(
      unified_diff("a", "x: 1", apply_mends("x: 1", {mend(1, 4, 1, "2")})),
      "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x: 1\n\\ No newline at end of file\n+x: 2\n\\ No newline at end of file\n");
  EXPECT_EQ(unified_diff("a", "x", apply_mends("x", {})), "");
}

}  // namespace
}  // namespace fathom
