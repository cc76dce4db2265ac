// Faults planted one at a time into designs without any (tests/check/mutants.yaml): how many `fathom check` finds, and how
// many of them on the line that is wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "check/check.h"
#include "input/content.h"
#include "input/value.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = FATHOM_SOURCE_DIR;

struct Mutant {
  std::string base;           // the file that it is planted into, from the root of the repository
  std::string rule;           // that has to find it
  std::string before, after;  // the edit; `before` stands in the base once
  std::string line;           // words of the line that is to blame; empty: the line of the edit

  std::string family() const { return rule.substr(0, rule.find('.')); }
};

std::string text_at(const Value& value, std::string_view key) {
  const Value* found = value.find(key);
  return found == nullptr ? std::string() : found->text;
}

std::vector<Mutant> all_mutants() {
  std::vector<Mutant> out;
  const Document file = read_yaml(kRoot / "tests/check/mutants.yaml");
  for (const Value& base : file.root.items) {
    for (const Value& m : base.find("mutants")->items) {
      out.push_back({.base = text_at(base, "base"),
                     .rule = text_at(m, "rule"),
                     .before = text_at(m, "before"),
                     .after = text_at(m, "after"),
                     .line = text_at(m, "line")});
    }
  }
  return out;
}

int line_of(const std::string& text, std::size_t at) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

CheckedFile checked(const std::string& base, const std::string& text) {
  static const RuleBook book(shipped().data_dir());
  const ScratchFolder folder;
  return check_file(folder.write(fs::path(base).filename().string(), text), shipped(), book, {});
}

struct Verdict {
  bool caught = false, right_line = false;
  std::string instead;  // what was found
};

// The line of the first character that the edit changed, or of the words that the mutant names.
int blamed_line(const Mutant& m, const std::string& text, std::size_t at) {
  if (!m.line.empty()) return line_of(text, text.find(m.line));
  const auto [same, other] = std::mismatch(m.before.begin(), m.before.end(), m.after.begin(), m.after.end());
  return line_of(text, at + static_cast<std::size_t>(same - m.before.begin()));
}

Verdict judge(const Mutant& m) {
  std::string text = text_of_file(kRoot / m.base);
  const std::size_t at = text.find(m.before);
  if (at == std::string::npos || text.find(m.before, at + 1) != std::string::npos) {
    ADD_FAILURE() << m.base << ": not there exactly once: " << m.before;
    return {};
  }
  text.replace(at, m.before.size(), m.after);
  if (!m.line.empty() && text.find(m.line) == std::string::npos) ADD_FAILURE() << m.base << ": no line " << m.line;
  const int blamed = blamed_line(m, text, at);
  Verdict out;
  for (const Finding& f : checked(m.base, text).findings) {
    out.caught |= f.rule == m.rule;
    out.right_line |= f.rule == m.rule && f.spot.at.line == blamed;
    out.instead += fmt::format("\n    {}:{} {}", f.rule, f.spot.at.line, f.message);
  }
  if (!out.right_line) out.instead += fmt::format("\n    expected on line {}", blamed);
  return out;
}

struct Tally {
  int planted = 0, caught = 0, right_line = 0;
};

std::string share(int part, int all) { return fmt::format("{} ({:.1f} %)", part, 100.0 * part / all); }

TEST(Mutants, AreFoundWhereTheyStand) {
  std::map<std::string, Tally> families;
  Tally all;
  std::string missed;
  for (const Mutant& m : all_mutants()) {
    const Verdict verdict = judge(m);
    for (Tally* tally : {&all, &families[m.family()]}) {
      ++tally->planted;
      tally->caught += verdict.caught ? 1 : 0;
      tally->right_line += verdict.right_line ? 1 : 0;
    }
    if (!verdict.right_line) {
      missed += fmt::format("{}: {}: {} -> {}{}\n", verdict.caught ? "on another line" : "missed", m.rule, m.before,
                            m.after, verdict.instead);
    }
  }
  std::cout << "family         planted  caught  right line\n";
  for (const auto& [family, tally] : families)
    std::cout << fmt::format("{:14} {:7} {:7} {:11}\n", family, tally.planted, tally.caught, tally.right_line);
  std::cout << missed
            << fmt::format("mutants: {} caught {}, right line {}\n", all.planted, share(all.caught, all.planted),
                           share(all.right_line, all.planted));
  EXPECT_GE(all.planted, 150);
  EXPECT_GE(all.caught, 0.95 * all.planted);
  EXPECT_GE(all.right_line, 0.90 * all.planted);
}

// The designs that faults are planted into have none; those of the examples keep their parts without a price.
TEST(Mutants, ArePlantedIntoDesignsWithoutFindings) {
  std::set<std::string> bases;
  for (const Mutant& m : all_mutants()) bases.insert(m.base);
  for (const std::string& base : bases) {
    const bool example = base.starts_with("examples/");
    for (const Finding& f : checked(base, text_of_file(kRoot / base)).findings) {
      EXPECT_TRUE(example && f.severity != Severity::kError)
          << base << ":" << f.spot.at.line << " " << f.rule << " " << f.message;
    }
  }
}

}  // namespace
}  // namespace fathom
