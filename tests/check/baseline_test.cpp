#include "check/baseline.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "check/synthetic.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> fingerprints(const std::string& text, std::vector<Finding> findings) {
  add_fingerprints(text, findings);
  std::vector<std::string> out;
  for (const Finding& f : findings) out.push_back(f.fingerprint);
  return out;
}

TEST(Fingerprint, IsTheSameWhenLinesMove) {
  const auto first = fingerprints("a: 1\nb: 2\n", {finding("power.supply", Severity::kError, 2, 4, 1)});
  const auto moved = fingerprints("\n# new\na: 1\n  b:   2\n", {finding("power.supply", Severity::kWarning, 4, 8, 1)});
  EXPECT_EQ(first, moved);
}

TEST(Fingerprint, TellsRulesTextsAndRepetitionsApart) {
  const std::string text = "a: 1\na: 1\nb: 2\n";
  const auto all = fingerprints(
      text, {finding("power.supply", Severity::kError, 1, 1, 1), finding("power.supply", Severity::kError, 2, 1, 1),
             finding("power.supply", Severity::kError, 3, 1, 1), finding("power.rack", Severity::kError, 3, 1, 1)});
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 4u);
}

TEST(Fingerprint, OfTheWholeFileIsAboutItsMessageWithoutFigures) {
  const auto print = [](const std::string& message) {
    return fingerprints("a: 1\n", {finding("policy.fail-if", Severity::kError, 0, 0, 0, message)});
  };
  EXPECT_EQ(print("12 of 13"), print("7 of 13"));
  EXPECT_NE(print("12 of 13"), print("12 out of 13"));
}

TEST(Baseline, KnowsWhatItWasGivenAndSurvivesAFile) {
  const ScratchFolder folder;
  fs::create_directories(folder.path() / "sub");
  const std::string file = folder.write("sub/a.yaml", "a: 1\nb: 2\n").string();
  CheckedFile checked = checked_file(file, "a: 1\nb: 2\n",
                                     {finding("power.supply", Severity::kError, 1, 1, 1, "says \"1\"\n\xFF"),
                                      finding("power.rack", Severity::kError, 2, 1, 1)});
  Baseline written(folder.path() / "base.json");
  written.add(checked.findings[0]);
  folder.write("base.json", written.json());
  const Baseline read = Baseline::read(folder.path() / "base.json");
  EXPECT_EQ(read.size(), 1u);
  EXPECT_TRUE(read.knows(checked.findings[0]));
  EXPECT_FALSE(read.knows(checked.findings[1]));
  EXPECT_NE(written.json().find("\"sub/a.yaml\""), std::string::npos) << written.json();
  checked.findings[0].file = (folder.path() / "sub" / ".." / "sub" / "a.yaml").string();
  EXPECT_TRUE(read.knows(checked.findings[0])) << "one file under two names";
  checked.findings[0].file = folder.write("b.yaml", "a: 1\n").string();
  EXPECT_FALSE(read.knows(checked.findings[0])) << "another file";
}

TEST(Baseline, MayBeEmpty) {
  const ScratchFolder folder;
  folder.write("base.json", Baseline(folder.path() / "base.json").json());
  EXPECT_EQ(Baseline::read(folder.path() / "base.json").size(), 0u);
}

TEST(Baseline, IsRefusedWhenItIsNone) {
  const auto refused = [](const std::string& text) {
    try {
      Baseline::parse(parse_yaml(text, "base.json"), "base.json");
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  EXPECT_NE(refused("{\"format\": \"fathom-baseline/2\", \"findings\": []}").find("base.json:1:12"), std::string::npos);
  EXPECT_NE(refused("{\"format\": \"fathom-baseline/1\"}").find("findings"), std::string::npos);
  EXPECT_NE(refused("{\"format\": \"fathom-baseline/1\", \"findings\": 3}").find("expected a list"), std::string::npos);
  EXPECT_NE(refused("{\"format\": \"fathom-baseline/1\", \"findings\": [{\"file\": \"a\"}]}").find("rule"),
            std::string::npos);
}

}  // namespace
}  // namespace fathom
