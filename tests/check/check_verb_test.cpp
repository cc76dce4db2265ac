// What scripts may rely on when they check: exit codes that no format changes, a pure standard output, files that are whole.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/program.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const std::string kLaptop = FATHOM_SOURCE_DIR "/examples/laptop-qwen2-0.5b/cluster.yaml";

// Conditions on the plan find something or nothing as a test wants, whatever the rules say of the design.
constexpr const char* kTrue = " --fail-if 'layout.tp >= 1'";

// Every rule on designs off, so that a test depends on none.
const std::string& silent() {
  static const std::string kOptions = [] {
    std::string out;
    const Json book = Json::parse(run_program("explain -f json").out);
    for (const Json& rule : book.at("rules")) {
      const auto id = rule.at("id").get<std::string>();
      const bool own = id == "schema.input" || id.rfind("policy.", 0) == 0 || id.rfind("suppression.", 0) == 0;
      if (!own) out += " --rule " + id + "=off";
    }
    return out;
  }();
  return kOptions;
}

class CheckVerb : public ::testing::Test {
 protected:
  CheckVerb() {
    fs::create_directories(scratch_.path() / ".git");  // no settings from above
    design_ = content_of(kLaptop);
    good_ = write("good.yaml", design_);
    broken_ = write("broken.yaml", design_ + "oops: 1\n");
  }
  std::string write(const std::string& name, const std::string& text) {
    fs::create_directories((scratch_.path() / name).parent_path());
    return scratch_.write(name, text).string();
  }
  std::string at(const std::string& name) const { return (scratch_.path() / name).string(); }

  ScratchFolder scratch_;
  std::string design_, good_, broken_;
};

TEST_F(CheckVerb, SaysOnStderrThatAllIsWell) {
  const Answer run = run_program("check " + good_ + silent());
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_NE(run.err.find("checked 1 file, 0 problems"), std::string::npos) << run.err;
  EXPECT_EQ(run_program("check -q " + good_).err, "");
}

TEST_F(CheckVerb, ShowsWhereAFileCannotBeRead) {
  const Answer run = run_program("check " + broken_);
  EXPECT_EQ(run.code, 2);
  EXPECT_NE(run.out.find("error[schema.input]: unknown key \"oops\""), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("| oops: 1\n      | ^^^^\n"), std::string::npos) << run.out;
  EXPECT_NE(run.err.find("checked 1 file, 1 problem: 1 error"), std::string::npos) << run.err;
}

TEST_F(CheckVerb, ASumBeyondCountingIsAnErrorOfItsFileAlone) {
  std::string design = content_of(FATHOM_SOURCE_DIR "/examples/r1-a100-kunpeng/corrected.yaml");
  const std::string price = "8.5 万 CNY";
  design.replace(design.find(price), price.size(), "1e15 CNY");
  const Answer run = run_program("check " + write("huge.yaml", design) + " " + broken_);
  EXPECT_EQ(run.code, 2) << run.err;
  EXPECT_NE(run.out.find("too large to be counted"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("unknown key \"oops\""), std::string::npos) << run.out;
}

// Columns: what is checked, --fail-on, the code in every format.
TEST_F(CheckVerb, ExitsTheSameInEveryFormat) {
  struct Row {
    std::string arguments;
    int code;
  };
  const std::string& off = silent();
  const Row rows[] = {
      {good_ + off, 0},
      {good_ + off + kTrue, 1},
      {good_ + off + kTrue + " --fail-on never", 0},
      {good_ + off + kTrue + " --rule policy.fail-if=warning", 0},
      {good_ + off + kTrue + " --rule policy.fail-if=warning --fail-on warning", 1},
      {good_ + off + kTrue + " --rule policy=note --fail-on warning", 0},
      {good_ + off + kTrue + " --rule policy=note --fail-on note", 1},
      {good_ + " " + broken_ + off, 2},
      {broken_ + " --fail-on never", 2},
      {at("gone.yaml"), 2},
  };
  for (const Row& row : rows) {
    for (const char* format : {"text", "concise", "json", "sarif", "junit", "github", "md"}) {
      EXPECT_EQ(run_program("check " + row.arguments + " -f " + format).code, row.code)
          << row.arguments << " " << format;
    }
  }
}

TEST_F(CheckVerb, WrongUsageIsTwo) {
  const std::vector<std::string> wrong = {"",
                                          good_ + " -f yaml",
                                          good_ + " --fail-on all",
                                          good_ + " --rule power.suply=off",
                                          good_ + " --rule power",
                                          good_ + " --fail-if 'cost.totl > 1 CNY'",
                                          good_ + " -f json -f sarif",
                                          good_ + " --fix --diff",
                                          good_ + " --diff -f json",
                                          good_ + " --baseline " + at("gone.json"),
                                          good_ + " --settings " + at("gone.yaml"),
                                          "- --fix",
                                          "/dev/null --fix",
                                          good_ + " -f json=" + good_};
  for (const std::string& arguments : wrong) {
    const Answer run = run_program("check " + arguments);
    EXPECT_EQ(run.code, 2) << arguments << run.err;
    EXPECT_EQ(run.out, "") << arguments;
    EXPECT_NE(run.err, "") << arguments;
  }
  EXPECT_NE(run_program("check " + good_ + " --rule power.fail=off").err.find("--rule:1:1"), std::string::npos);
  EXPECT_NE(run_program("check " + good_ + " --fail-if 'cost.totl > 1 CNY'").err.find("did you mean \"cost.total\"?"),
            std::string::npos);
}

TEST_F(CheckVerb, WritesDataOnlyOnStandardOutput) {
  const std::string files = good_ + " " + broken_ + kTrue;
  EXPECT_EQ(Json::parse(run_program("check " + files + " -f json").out).at("summary").at("unreadable"), 1);
  EXPECT_EQ(Json::parse(run_program("check " + files + " -f sarif").out).at("version"), "2.1.0");
  EXPECT_EQ(run_program("check " + files + " -f junit").out.rfind("<?xml ", 0), 0u);
  EXPECT_EQ(run_program("check " + files + " -f github", "GITHUB_ACTIONS=true").out.rfind("::error file=", 0), 0u);
}

TEST_F(CheckVerb, WritesSeveralFilesAtOnce) {
  const Answer run = run_program(fmt::format("check {} -f sarif={} -f junit={} -f json={}", good_ + kTrue,
                                             at("o.sarif"), at("o.xml"), at("o.json")));
  EXPECT_EQ(run.code, 1) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(Json::parse(content_of(at("o.sarif"))).at("version"), "2.1.0");
  EXPECT_EQ(Json::parse(content_of(at("o.json"))).at("summary").at("passed"), false);
  EXPECT_NE(content_of(at("o.xml")).find("policy.fail-if"), std::string::npos);
  EXPECT_NE(run.err.find("wrote " + at("o.sarif")), std::string::npos);
}

TEST_F(CheckVerb, ReadsStandardInput) {
  EXPECT_EQ(run_program("check -" + silent() + " < " + good_).code, 0);
  const Answer run = run_program("check - -f concise < " + broken_);
  EXPECT_EQ(run.code, 2);
  EXPECT_EQ(run.out.rfind("<stdin>:", 0), 0u) << run.out;
}

TEST_F(CheckVerb, TakesFoldersInAFixedOrder) {
  write("tree/b/cluster.yaml", design_);
  write("tree/a.yaml", design_);
  write("tree/workflow.yaml", "on: push\n");
  const Json json = Json::parse(run_program("check " + at("tree") + " " + good_ + " -f json").out);
  ASSERT_EQ(json.at("files").size(), 3u);
  EXPECT_NE(json.at("files")[0].at("path").get<std::string>().find("tree/a.yaml"), std::string::npos);
  EXPECT_NE(json.at("files")[2].at("path").get<std::string>().find("good.yaml"), std::string::npos);
  fs::create_directories(scratch_.path() / "bare");
  EXPECT_EQ(run_program("check " + at("bare")).code, 2);
}

TEST_F(CheckVerb, ATrueConditionIsAFindingWithItsFigures) {
  const Answer run = run_program("check " + good_ + " --fail-if 'cost.total > 100 USD' -f json --rule cost=off");
  EXPECT_EQ(run.code, 1) << run.err;
  const Json findings = Json::parse(run.out).at("findings");
  const auto found =
      std::find_if(findings.begin(), findings.end(), [](const Json& f) { return f.at("rule") == "policy.fail-if"; });
  ASSERT_NE(found, findings.end());
  EXPECT_EQ(found->at("message"), "cost.total > 100 USD is true of the plan");
  EXPECT_EQ(found->at("terms")[0].get<std::string>().rfind("cost.total = ", 0), 0u);
  EXPECT_FALSE(found->contains("line"));
}

TEST_F(CheckVerb, AConditionWithoutItsFigureFails) {
  const Answer run = run_program("check " + good_ + " --fail-if 'availability.spares_needed > 99' -f concise");
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.out.find("cannot be decided: the plan has no availability.spares_needed"), std::string::npos)
      << run.out;
}

TEST_F(CheckVerb, SettingsOfTheFolderCountUnlessTheCommandLineSaysOtherwise) {
  write("team/cluster.yaml", design_);
  write("team/.fathom.yaml", "format: fathom-settings/1\nrules: {policy.fail-if: note}\nfail_if: [layout.tp >= 1]\n");
  EXPECT_NE(run_program("check " + at("team") + " -f concise").out.find("note[policy.fail-if]"), std::string::npos);
  EXPECT_NE(run_program("check " + at("team") + " -f concise --rule policy=error").out.find("error[policy.fail-if]"),
            std::string::npos);
  write("other.yaml", "format: fathom-settings/1\n");
  EXPECT_EQ(run_program("check " + at("team") + " -f concise --settings " + at("other.yaml")).out.find("policy"),
            std::string::npos);
  write("team/.fathom.yaml", "format: fathom-settings/1\nrules: {policy.fail-fi: note}\n");
  const Answer wrong = run_program("check " + at("team"));
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("did you mean \"policy.fail-if\"?"), std::string::npos) << wrong.err;
  EXPECT_NE(wrong.err.find(".fathom.yaml:2:9"), std::string::npos) << wrong.err;
}

TEST_F(CheckVerb, ABaselineLeavesOnlyWhatIsNew) {
  const std::string base = at("base.json");
  EXPECT_EQ(run_program("check " + good_ + kTrue + " --write-baseline " + base).code, 0);
  const Answer known = run_program("check " + good_ + kTrue + " --baseline " + base);
  EXPECT_EQ(known.code, 0) << known.out;
  EXPECT_EQ(known.out, "");
  EXPECT_NE(known.err.find(" in the baseline"), std::string::npos) << known.err;
  write("good.yaml", "# one more line\n" + design_);
  EXPECT_EQ(run_program("check " + good_ + kTrue + " --baseline " + base).code, 0) << "lines have moved";
  EXPECT_EQ(run_program("check " + good_ + kTrue + " --fail-if verdict.fits --baseline " + base).code, 1);
}

TEST_F(CheckVerb, UnusedCommentsAreNotes) {
  write("good.yaml", design_ + "# fathom: ignore[policy.fail-if] not needed\n");
  const Answer run = run_program("check " + good_ + " -f concise");
  EXPECT_NE(run.out.find("note[suppression.unused]: nothing of policy.fail-if is found on line"), std::string::npos)
      << run.out;
  EXPECT_EQ(run_program("check " + good_ + " -f concise --rule suppression=off").out.find("suppression"),
            std::string::npos);
}

TEST_F(CheckVerb, FixesWhatIsAMatterOfSpelling) {
  // Three mistakes: a key, a unit, and a comment that ignores nothing.
  std::string text = design_;
  const auto replace = [&](const std::string& from, const std::string& to) {
    ASSERT_NE(text.find(from), std::string::npos) << from;
    text.replace(text.find(from), from.size(), to);
  };
  replace("finance:", "Finance:");
  replace("peak: 65 W", "peak: 65 w");
  replace("concurrency: 1\n", "concurrency: 1  # fathom: ignore[policy.fail-if] old\n");
  const std::string file = write("bad.yaml", text);
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("bad.yaml", at("link.yaml"));

  const Answer diff = run_program("check " + file + " --diff" + silent());
  EXPECT_EQ(diff.code, 2);
  EXPECT_NE(diff.out.find("-      power: {idle: 8 W, peak: 65 w}\n+      power: {idle: 8 W, peak: 65 W}\n"),
            std::string::npos)
      << diff.out;
  EXPECT_EQ(content_of(file), text) << "--diff changes nothing";

  const Answer fix = run_program("check " + at("link.yaml") + " --fix" + silent());
  EXPECT_EQ(fix.code, 0) << fix.out << fix.err;
  EXPECT_EQ(content_of(file), design_);
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_TRUE(fs::is_symlink(at("link.yaml")));
  EXPECT_NE(fix.err.find("[schema.input] w -> W"), std::string::npos) << fix.err;
  EXPECT_NE(fix.err.find("[schema.input] Finance -> finance"), std::string::npos) << fix.err;
  EXPECT_NE(fix.err.find("[suppression.unused] removed # fathom: ignore"), std::string::npos) << fix.err;
  EXPECT_NE(fix.err.find("checked 1 file, 0 problems"), std::string::npos) << fix.err;
}

TEST_F(CheckVerb, ExplainsRules) {
  const Answer one = run_program("explain policy.fail-if");
  EXPECT_EQ(one.code, 0);
  EXPECT_EQ(one.out.rfind("policy.fail-if: ", 0), 0u) << one.out;
  EXPECT_NE(run_program("explain").out.find("schema.input"), std::string::npos);
  const std::string family = run_program("explain suppression").out;
  EXPECT_NE(family.find("suppression.reason"), std::string::npos);
  EXPECT_EQ(family.find("schema.input"), std::string::npos);
  const Answer wrong = run_program("explain schema.inptu");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("did you mean \"schema.input\"?"), std::string::npos) << wrong.err;
  EXPECT_TRUE(Json::parse(run_program("explain -f json").out).at("rules").is_array());
}

}  // namespace
}  // namespace fathom
