// Every format of the same findings: as people, editors and services read it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "check/json_form.h"
#include "check/synthetic.h"
#include "report/check_github.h"
#include "report/check_json.h"
#include "report/check_junit.h"
#include "report/check_markdown.h"
#include "report/check_place.h"
#include "report/check_rules.h"
#include "report/check_sarif.h"
#include "report/check_text.h"

namespace fathom {
namespace {

using Json = nlohmann::json;

constexpr const char* kText = "format: x\n  psu: {count: 1, rated: 1.2 kW}\n# end\n";

Finding full() {
  Finding f =
      finding("power.supply", Severity::kError, 2, 27, 6, "the supply is rated at 1.2 kW, the node draws 2.1 kW");
  f.terms = {"8 x 250 W + 100 W = 2.1 kW"};
  f.help = "take a supply of 2.4 kW";
  f.mend = Mend{f.spot, "2.4 kW"};
  return f;
}

// Two files: one with an error, a warning and a note, one without findings.
CheckReport usual(Severity fail_on = Severity::kError) {
  return report_of({checked_file("dir/a b.yaml", kText,
                                 {finding("cost.date", Severity::kNote, 3, 1, 0, "no date"), full(),
                                  finding("power.rack", Severity::kWarning, 0, 0, 0, "racks are full")}),
                    checked_file("b.yaml", "x: 1\n", {})},
                   fail_on);
}

CheckReport unreadable() {
  CheckedFile file = checked_file("c.yaml", "a: [1\n", {});
  refuse(file, InputError("c.yaml", {1, 4}, "this \"[\" is never closed", "add the closing \"]\""), small_book());
  return report_of({file}, Severity::kOff);
}

CheckReport many(int count) {
  std::string text;
  std::vector<Finding> findings;
  for (int i = 1; i <= count; ++i) {
    text += "a" + std::to_string(i) + ": 1\n";
    const bool error = i > 30;  // the graver stand last
    findings.push_back(finding(error ? "power.supply" : "cost.date", error ? Severity::kError : Severity::kNote, i, 1,
                               2, "number " + std::to_string(i)));
  }
  return report_of({checked_file("m.yaml", text, findings)});
}

int count_of(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

TEST(CheckReport, PassesBelowTheLevelThatFails) {
  EXPECT_FALSE(usual(Severity::kError).passed);
  EXPECT_TRUE(usual(Severity::kOff).passed);
  EXPECT_FALSE(unreadable().passed) << "a file that cannot be read never passes";
  CheckReport warned = report_of({checked_file("a", kText, {finding("power.rack", Severity::kWarning, 1, 1, 1)})});
  EXPECT_TRUE(warned.passed);
  EXPECT_FALSE(report_of(warned.files, Severity::kWarning).passed);
  EXPECT_FALSE(report_of(warned.files, Severity::kNote).passed);
}

TEST(CheckText, ShowsTheLineTheCaretsAndTheTerms) {
  EXPECT_EQ(check_text(usual(), {}),
            "warning[power.rack]: racks are full\n"
            "  --> dir/a b.yaml\n"
            "   = more: fathom explain power.rack\n"
            "\n"
            "error[power.supply]: the supply is rated at 1.2 kW, the node draws 2.1 kW\n"
            "  --> dir/a b.yaml:2:27\n"
            "    2 |   psu: {count: 1, rated: 1.2 kW}\n"
            "      |                           ^^^^^^\n"
            "   = term: 8 x 250 W + 100 W = 2.1 kW\n"
            "   = fix: 2.4 kW  (--fix writes it)\n"
            "   = help: take a supply of 2.4 kW\n"
            "   = more: fathom explain power.supply\n"
            "\n"
            "note[cost.date]: no date\n"
            "  --> dir/a b.yaml:3:1\n"
            "    3 | # end\n"
            "      | ^^^^^\n"
            "   = more: fathom explain cost.date\n"
            "\n");
}

TEST(CheckText, ColourOnlyDecorates) {
  std::string coloured = check_text(usual(), {.colour = true});
  EXPECT_NE(coloured.find("\033[1;31merror[power.supply]\033[0m"), std::string::npos);
  for (std::size_t at = coloured.find('\033'); at != std::string::npos; at = coloured.find('\033')) {
    coloured.erase(at, coloured.find('m', at) - at + 1);
  }
  EXPECT_EQ(coloured, check_text(usual(), {}));
}

TEST(CheckText, ShowsTheTwentyGravestOfAFileByPlace) {
  const std::string text = check_text(many(60), {});
  EXPECT_EQ(count_of(text, "  --> "), 20);
  EXPECT_EQ(count_of(text, "error["), 20);
  EXPECT_LT(text.find("number 31\n"), text.find("number 50\n"));
  EXPECT_NE(text.find("m.yaml: 40 more, none of them graver; --all shows them"), std::string::npos) << text;
  EXPECT_EQ(count_of(check_text(many(60), {.all = true}), "  --> "), 60);
  EXPECT_EQ(count_of(check_text(many(20), {}), "more, none"), 0);
}

TEST(CheckText, PassesNoControlCharactersOn) {
  const std::string text = check_text(
      report_of({checked_file("a\x1b[2J.yaml", "a: \x1b[2J\n",
                              {finding("power.supply", Severity::kError, 1, 4, 2, "bad \x1b]0;x\x07 and\nmore")})}),
      {});
  for (const char c : {'\x1b', '\x07'}) EXPECT_EQ(text.find(c), std::string::npos) << text;
}

TEST(CheckConcise, IsOneLineEach) {
  EXPECT_EQ(check_concise(usual()),
            "dir/a b.yaml: warning[power.rack]: racks are full\n"
            "dir/a b.yaml:2:27: error[power.supply]: the supply is rated at 1.2 kW, the node draws 2.1 kW\n"
            "dir/a b.yaml:3:1: note[cost.date]: no date\n");
  EXPECT_EQ(count_of(check_concise(many(60)), "\n"), 60);
}

TEST(CheckSummary, CountsProblemsAndClaims) {
  EXPECT_EQ(check_summary(usual()), "checked 2 files, 2 problems: 1 error, 1 warning, 1 note");
  EXPECT_EQ(check_summary(report_of({checked_file("a", "", {})})), "checked 1 file, 0 problems");
  CheckReport report = report_of({checked_file("a", "", {})});
  report.counts.claims_held = 40;
  report.counts.claims_contradicted = 2;
  report.counts.known = 3;
  report.counts.suppressed = 1;
  EXPECT_EQ(check_summary(report),
            "checked 1 file, 0 problems; 3 in the baseline; 1 ignored by comments; 40 of 42 claims hold");
}

TEST(CheckJson, HasTheKeysOfTheContract) {
  const Json json = Json::parse(check_json(usual()));
  EXPECT_EQ(json.at("format_version"), "1.0");
  EXPECT_EQ(json.at("tool").at("version"), "1.2.3");
  ASSERT_EQ(json.at("files").size(), 2u);
  EXPECT_EQ(json.at("files")[0].at("path"), "dir/a b.yaml");
  EXPECT_EQ(json.at("files")[0].at("readable"), true);
  EXPECT_EQ(json.at("files")[0].at("claims").at("hold"), 0);
  ASSERT_EQ(json.at("findings").size(), 3u);
  const Json& f = json.at("findings")[1];
  EXPECT_EQ(f.at("rule"), "power.supply");
  EXPECT_EQ(f.at("severity"), "error");
  EXPECT_EQ(f.at("file"), "dir/a b.yaml");
  EXPECT_EQ(f.at("line"), 2);
  EXPECT_EQ(f.at("column"), 27);
  EXPECT_EQ(f.at("end_column"), 33);
  EXPECT_EQ(f.at("terms").size(), 1u);
  EXPECT_EQ(f.at("mend").at("text"), "2.4 kW");
  EXPECT_TRUE(f.at("fingerprint").is_string());
  EXPECT_FALSE(json.at("findings")[0].contains("line")) << "the file as a whole has none";
  EXPECT_EQ(json.at("summary").at("errors"), 1);
  EXPECT_EQ(json.at("summary").at("fail_on"), "error");
  EXPECT_EQ(json.at("summary").at("passed"), false);
  EXPECT_TRUE(json.at("claims").contains("cannot_be_checked"));
  EXPECT_EQ(Json::parse(check_json(many(60))).at("findings").size(), 60u);
  EXPECT_EQ(Json::parse(check_json(unreadable())).at("summary").at("unreadable"), 1);
}

TEST(CheckJson, IsJsonWhateverIsInAFile) {
  const CheckReport report = report_of(
      {checked_file("\xFF.yaml", "\xFF: 1\n", {finding("power.supply", Severity::kError, 1, 1, 0, "\xFF\x01")})});
  EXPECT_NO_THROW(Json::parse(check_json(report)));
  EXPECT_NO_THROW(Json::parse(check_sarif(report)));
}

Json sarif_schema() {
  return Json::parse(content_of(std::string(FATHOM_SOURCE_DIR) + "/tests/check/sarif-2.1.0-subset.json"));
}

TEST(CheckSarif, HasTheFormOfTheStandard) {
  JsonForm form(sarif_schema());
  for (const CheckReport& report : {usual(), unreadable(), many(60), report_of({})}) {
    EXPECT_EQ(form.wrong(Json::parse(check_sarif(report))), std::vector<std::string>{});
  }
  EXPECT_FALSE(form.wrong(Json::parse(R"({"version": "2.1.0", "runs": [{"results": 3}]})")).empty());
}

TEST(CheckSarif, GivesCodeScanningWhatItNeeds) {
  const Json log = Json::parse(check_sarif(usual()));
  const Json& run = log.at("runs")[0];
  EXPECT_EQ(run.at("columnKind"), "unicodeCodePoints");
  const Json& rules = run.at("tool").at("driver").at("rules");
  for (const Json& result : run.at("results")) {
    EXPECT_EQ(rules[result.at("ruleIndex").get<std::size_t>()].at("id"), result.at("ruleId"));
    EXPECT_TRUE(result.at("partialFingerprints").at("primaryLocationLineHash").is_string());
    EXPECT_EQ(result.at("locations").size(), 1u);
  }
  for (const Json& rule : rules) {
    for (const char* key : {"shortDescription", "fullDescription", "help"})
      EXPECT_FALSE(rule.at(key).at("text").empty());
    EXPECT_TRUE(rule.at("defaultConfiguration").contains("level"));
  }
  const Json& place = run.at("results")[1].at("locations")[0].at("physicalLocation");
  EXPECT_EQ(place.at("artifactLocation").at("uri"), "dir/a%20b.yaml");
  EXPECT_EQ(place.at("region"), Json::parse(R"({"startLine": 2, "startColumn": 27, "endColumn": 33})"));
  const Json& change = run.at("results")[1].at("fixes")[0].at("artifactChanges")[0];
  EXPECT_EQ(change.at("replacements")[0].at("insertedContent").at("text"), "2.4 kW");
  EXPECT_EQ(run.at("results").size(), 3u);
}

// Tags that match, and attributes and texts without what they may not hold; enough to see that escaping works.
std::string not_well_formed(const std::string& xml) {
  std::vector<std::string> open;
  std::size_t at = xml.find("?>") + 2;
  while ((at = xml.find_first_of("<&>", at)) != std::string::npos) {
    if (xml[at] == '>') return "a lone > at " + xml.substr(at, 20);
    if (xml[at] == '&') {
      const std::string name = xml.substr(at, xml.find(';', at) - at);
      if (name != "&amp" && name != "&lt" && name != "&gt" && name != "&quot" && name != "&#10") return name;
      ++at;
      continue;
    }
    const std::size_t end = xml.find('>', at);
    const std::string tag = xml.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag.starts_with('/')) {
      if (open.empty() || "/" + open.back() != tag) return "unexpected " + tag;
      open.pop_back();
    } else if (!tag.ends_with('/')) {
      open.push_back(name);
    }
    if (count_of(tag, "\"") % 2 != 0 || tag.find('<') != std::string::npos) return "odd quotes in " + tag;
    at = end + 1;
  }
  return open.empty() ? "" : "open " + open.back();
}

TEST(CheckJunit, IsWellFormedAndCountsWhatFails) {
  const std::string xml = check_junit(usual());
  EXPECT_EQ(not_well_formed(xml), "");
  EXPECT_NE(xml.find("<testsuites name=\"fathom check\" tests=\"4\" failures=\"1\" errors=\"0\">"), std::string::npos)
      << xml;
  EXPECT_NE(xml.find("<testsuite name=\"b.yaml\" tests=\"1\" failures=\"0\""), std::string::npos);
  EXPECT_EQ(count_of(xml, "<failure "), 1);
  EXPECT_EQ(count_of(xml, "<system-out>"), 2) << "what does not fail is told all the same";
  EXPECT_EQ(count_of(check_junit(usual(Severity::kNote)), "<failure "), 3);
  EXPECT_EQ(count_of(check_junit(usual(Severity::kOff)), "<failure "), 0);
  EXPECT_EQ(count_of(check_junit(unreadable()), "<error "), 1) << "it could not be looked at";
  EXPECT_EQ(count_of(check_junit(many(60)), "<testcase "), 2) << "a rule is a test case";
  EXPECT_NE(check_junit(many(60)).find("number 31 (and 29 more)"), std::string::npos);
}

TEST(CheckJunit, EscapesWhatXmlDoesNotAllow) {
  const std::string xml = check_junit(report_of(
      {checked_file("<&\">.yaml", "",
                    {finding("power.supply", Severity::kError, 0, 0, 0, "<b> & \"q\" \x01 \xFF \xEF\xBF\xBF ]]>")})}));
  EXPECT_EQ(not_well_formed(xml), "");
  EXPECT_EQ(xml.find('\x01'), std::string::npos);
  EXPECT_NE(xml.find("&lt;b&gt; &amp; &quot;q&quot; \uFFFD \uFFFD \uFFFD ]]&gt;"), std::string::npos) << xml;
}

TEST(CheckJunit, IsValidAgainstTheSchema) {
  if (std::system("command -v xmllint >/dev/null") != 0) GTEST_SKIP() << "waived: no xmllint";
  const ScratchFolder folder;
  int number = 0;
  for (const CheckReport& report : {usual(), unreadable(), many(60), report_of({})}) {
    const auto file = folder.write(std::to_string(++number) + ".xml", check_junit(report));
    const std::string command = "xmllint --noout --schema '" FATHOM_SOURCE_DIR "/tests/check/junit.xsd' '" +
                                file.string() + "' >'" + file.string() + ".log' 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0) << content_of(file.string() + ".log");
  }
}

TEST(CheckGithub, WritesOneCommandPerFinding) {
  EXPECT_EQ(
      check_github(usual()),
      "::error file=dir/a b.yaml,line=2,endLine=2,col=27,endColumn=32,title=power.supply::the supply is rated at 1.2 "
      "kW, the node draws 2.1 kW%0A8 x 250 W + 100 W = 2.1 kW%0Ahelp: take a supply of 2.4 kW\n"
      "::warning file=dir/a b.yaml,title=power.rack::racks are full\n"
      "::notice file=dir/a b.yaml,line=3,endLine=3,col=1,endColumn=5,title=cost.date::no date\n");
}

TEST(CheckGithub, EscapesDataAndProperties) {
  const std::string out = check_github(report_of({checked_file(
      "a,b:c%.yaml", "x: 1\n", {finding("power.supply", Severity::kError, 1, 1, 1, "100 %, a: b\r\n::error::no")})}));
  EXPECT_EQ(out,
            "::error file=a%2Cb%3Ac%25.yaml,line=1,endLine=1,col=1,endColumn=1,title=power.supply::100 %25, a: "
            "b%0D%0A::error::no\n");
}

TEST(CheckGithub, KeepsTheLimitsAndSaysWhatIsMore) {
  const std::string out = check_github(many(60));
  EXPECT_EQ(count_of("\n" + out, "\n::error "), 10);
  EXPECT_EQ(count_of("\n" + out, "\n::notice "), 10);
  EXPECT_NE(out.find("number 40%0A(20 more errors in the log)"), std::string::npos) << out;
  EXPECT_NE(out.find("::group::20 more errors than GitHub shows\n- m.yaml:41:1: error[power.supply]: number 41\n"),
            std::string::npos);
  EXPECT_EQ(count_of(out, "::endgroup::\n"), 2);
}

TEST(CheckGithub, LogLinesAreNoCommands) {
  std::vector<Finding> findings;
  for (int i = 0; i < 12; ++i) findings.push_back(finding("power.supply", Severity::kError, 1, 1, 1, "##[error]x"));
  const std::string out = check_github(report_of({checked_file("::error::x", "x: 1\n", findings)}));
  EXPECT_EQ(count_of(out, "\n- ::error::x:1:1: error[power.supply]: ## [error]x"), 2) << out;
}

TEST(CheckMarkdown, IsATableOfTheGravestFirst) {
  EXPECT_EQ(
      check_markdown(usual()),
      "<!-- fathom-check -->\n"
      "**fathom check: failed**; checked 2 files, 2 problems: 1 error, 1 warning, 1 note.\n"
      "\n"
      "| level | place | rule | finding |\n"
      "|---|---|---|---|\n"
      "| error | dir/a b.yaml:2:27 | power.supply | the supply is rated at 1.2 kW, the node draws 2.1 kW<br>8 x 250 W "
      "+ 100 W = 2.1 kW<br>*take a supply of 2.4 kW* |\n"
      "| warning | dir/a b.yaml | power.rack | racks are full |\n"
      "| note | dir/a b.yaml:3:1 | cost.date | no date |\n");
}

TEST(CheckMarkdown, EscapesAndFitsIntoAComment) {
  const std::string out = check_markdown(report_of({checked_file(
      "a_b.yaml", "", {finding("power.supply", Severity::kError, 0, 0, 0, "a|b <img> `c` @all [x](y)")})}));
  EXPECT_NE(out.find("| a\\_b.yaml | power.supply | a\\|b &lt;img&gt; \\`c\\` @<!-- -->all \\[x\\](y) |"),
            std::string::npos)
      << out;
  const std::string long_one = check_markdown(many(5000));
  EXPECT_LT(long_one.size(), 65'536u);
  EXPECT_NE(long_one.find(" more, none of them graver.\n"), std::string::npos);
}

TEST(CheckPlace, FilesAreNamedFromTheFolderOfTheRun) {
  CheckReport report = report_of({});
  report.folder = "/repo";
  EXPECT_EQ(file_name("a/../b.yaml", report), "b.yaml");
  EXPECT_EQ(file_name("/repo/x/b.yaml", report), "x/b.yaml");
  EXPECT_EQ(file_name("../b.yaml", report), "/b.yaml");
  EXPECT_EQ(file_uri("/else where/b.yaml", report), "file:///else%20where/b.yaml");
  EXPECT_EQ(file_uri("万.yaml", report), "%E4%B8%87.yaml");
  EXPECT_EQ(file_name("<stdin>", report), "<stdin>");
}

TEST(CheckRules, AreListedAndExplained) {
  const std::string list = rule_list(small_book().rules());
  EXPECT_NE(list.find("power.supply        error    a title"), std::string::npos) << list;
  const std::string text = rule_text(*small_book().find("power.rack"), false);
  EXPECT_EQ(text, "power.rack: a title\nlevel: warning\n\nbecause & so\n\nsource: somewhere\n");
  EXPECT_EQ(Json::parse(rules_json(small_book().rules())).at("rules").size(), small_book().rules().size());
}

}  // namespace
}  // namespace fathom
