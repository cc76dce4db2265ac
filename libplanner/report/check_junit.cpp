#include "report/check_junit.h"

#include <fmt/format.h>

#include <map>

#include "report/check_place.h"
#include "report/check_text.h"
#include "report/xml_text.h"

namespace fathom {

namespace {

struct Case {
  std::vector<const Finding*> failing, passing;
};

struct Suite {
  std::map<std::string, Case> cases;  // by rule
  int failures = 0, errors = 0;
};

Suite suite_of(const CheckedFile& file, Severity fail_on) {
  Suite suite;
  for (const Finding& f : file.findings) {
    Case& c = suite.cases[f.rule];
    (fails(f, fail_on) || file.unreadable ? c.failing : c.passing).push_back(&f);
  }
  for (const auto& [rule, c] : suite.cases) {
    if (!c.failing.empty()) ++(file.unreadable ? suite.errors : suite.failures);
  }
  if (suite.cases.empty()) suite.cases["check"];  // so that a clean file is seen to have been checked
  return suite;
}

std::string listed(const std::vector<const Finding*>& findings) {
  std::string text;
  for (const Finding* f : findings) {
    text += concise_line(*f) + "\n";
    for (const std::string& term : f->terms) text += "  " + term + "\n";
    if (!f->help.empty()) text += "  help: " + f->help + "\n";
  }
  return text;
}

std::string case_xml(const std::string& rule, const Case& c, const std::string& file, bool unreadable) {
  std::string out = fmt::format("    <testcase name=\"{}\" classname=\"{}\"", xml_escaped(rule), xml_escaped(file));
  if (c.failing.empty() && c.passing.empty()) return out + "/>\n";
  out += ">\n";
  if (!c.failing.empty()) {
    const char* tag = unreadable ? "error" : "failure";
    const Finding& first = *c.failing.front();
    const std::string more = c.failing.size() > 1 ? fmt::format(" (and {} more)", c.failing.size() - 1) : "";
    out += fmt::format("      <{} message=\"{}\" type=\"{}\">{}</{}>\n", tag, xml_escaped(first.message + more),
                       name_of(first.severity), xml_escaped(listed(c.failing)), tag);
  }
  if (!c.passing.empty()) out += fmt::format("      <system-out>{}</system-out>\n", xml_escaped(listed(c.passing)));
  return out + "    </testcase>\n";
}

}  // namespace

std::string check_junit(const CheckReport& report) {
  std::string suites;
  std::size_t tests = 0;
  int failures = 0, errors = 0;
  for (const CheckedFile& file : report.files) {
    const Suite suite = suite_of(file, report.fail_on);
    const std::string name = file_name(file.file, report);
    suites += fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\">\n",
                          xml_escaped(name), suite.cases.size(), suite.failures, suite.errors);
    for (const auto& [rule, c] : suite.cases) suites += case_xml(rule, c, name, file.unreadable);
    suites += "  </testsuite>\n";
    tests += suite.cases.size();
    failures += suite.failures;
    errors += suite.errors;
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"fathom check\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n{}</testsuites>\n",
      tests, failures, errors, suites);
}

}  // namespace fathom
