// Faulty files as they are found in real designs, and right ones. What is found in each is written down here: line and rule,
// no more and no less.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "check/check.h"
#include "support/planning.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

const fs::path kFixtures = fs::path(FATHOM_SOURCE_DIR) / "tests/fixtures";

const RuleBook& book() {
  static const RuleBook rules(shipped().data_dir());
  return rules;
}

struct Faulty {
  const char* file;
  const char* kind;
  std::vector<const char*> found;  // "line rule"
};

std::ostream& operator<<(std::ostream& out, const Faulty& f) { return out << f.file; }

class FaultyFile : public testing::TestWithParam<Faulty> {};

std::string lines_of(const CheckedFile& file) {
  std::string out;
  for (const Finding& f : file.findings) out += fmt::format("{} {}\n", f.spot.at.line, f.rule);
  return out;
}

TEST_P(FaultyFile, HasTheseFindingsAndNoOthers) {
  const CheckedFile file = check_file(kFixtures / "bad" / GetParam().file, shipped(), book(), {});
  std::string expected;
  for (const char* line : GetParam().found) expected += std::string(line) + "\n";
  EXPECT_EQ(lines_of(file), expected);
  EXPECT_EQ(file.kind, GetParam().kind);
  EXPECT_FALSE(file.unreadable);
  for (const Finding& f : file.findings) {
    EXPECT_GE(f.spot.at.column, 1) << f.rule;
    EXPECT_GT(f.spot.width, 0) << f.rule;
  }
}

@@TABLE@@

TEST(Fixtures, EveryFaultyFileIsListed) {
  std::set<std::string> listed, there;
  for (const Faulty& f : kFaulty) listed.insert(f.file);
  for (const auto& entry : fs::directory_iterator(kFixtures / "bad")) there.insert(entry.path().filename());
  EXPECT_EQ(listed, there);
}

TEST(Fixtures, NothingIsFoundInRightFiles) {
  for (const auto& entry : fs::directory_iterator(kFixtures / "good")) {
    const CheckedFile file = check_file(entry.path(), shipped(), book(), {});
    EXPECT_NE(file.kind, "cluster") << entry.path();
    for (const Finding& f : file.findings) {
      ADD_FAILURE() << entry.path().filename() << ":" << f.spot.at.line << ": " << f.rule << ": " << f.message;
    }
  }
}

// Each rule of these families is planted in some file.
TEST(Fixtures, EveryRuleIsFoundSomewhere) {
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(kFixtures / "bad")) {
    for (const Finding& f : check_file(entry.path(), shipped(), book(), {}).findings) found.insert(f.rule);
  }
  for (const Rule& rule : book().rules()) {
    const std::string family = rule.family();
    if (family != "manifest" && family != "prometheus" && family != "script") continue;
    EXPECT_TRUE(found.contains(rule.id)) << rule.id;
  }
}

}  // namespace
}  // namespace fathom
