#include <fmt/format.h>

#include "print/probe_report.h"
#include "report/xml_text.h"

namespace fathom::probe {

namespace {

struct Suite {
  std::string name, cases;
  int tests = 0, failures = 0, skipped = 0;

  void passed(const std::string& test, const std::string& said) {
    add(test, said.empty() ? "" : fmt::format("<system-out>{}</system-out>", xml_escaped(said)));
  }
  void failed(const std::string& test, const std::string& type, const std::string& message, const std::string& text) {
    ++failures;
    add(test, fmt::format("<failure message=\"{}\" type=\"{}\">{}</failure>", xml_escaped(message), xml_escaped(type),
                          xml_escaped(text)));
  }
  void left_out(const std::string& test, const std::string& why) {
    ++skipped;
    add(test, fmt::format("<skipped message=\"{}\"/>", xml_escaped(why)));
  }
  std::string xml() const {
    return fmt::format(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">\n{}  </testsuite>\n",
        xml_escaped(name), tests, failures, skipped, cases);
  }

 private:
  void add(const std::string& test, const std::string& inside) {
    ++tests;
    cases += fmt::format("    <testcase name=\"{}\" classname=\"{}\"", xml_escaped(test), xml_escaped(name));
    cases += inside.empty() ? "/>\n" : fmt::format(">{}</testcase>\n", inside);
  }
};

// What was measured stands for itself; what is wrong with it is a case of its own, under its rule.
Suite results_suite(const ProbeReport& report) {
  Suite suite{.name = "measured", .cases = {}};
  for (const Result& r : report.record.results) {
    const std::string shape = r.shape_text();
    const std::string name = fmt::format("{} on {}{}", r.name, r.device, shape.empty() ? "" : ", " + shape);
    if (r.figure && has_data(r.status)) {
      suite.passed(name, text_of(r.unit, r.figure->median));
    } else {
      suite.left_out(name, fmt::format("{}: {}", to_string(r.status), r.why));
    }
  }
  return suite;
}

Suite health_suite(const ProbeReport& report) {
  Suite suite{.name = "health", .cases = {}};
  for (const HealthFinding& f : report.health->findings) {
    suite.failed(fmt::format("{} on {}: {}", f.rule, f.device, f.what), to_string(f.health),
                 fmt::format("measured {}, expected {}", f.measured, f.expected),
                 fmt::format("source: {}\nnext: {}", f.source, f.next));
  }
  if (report.health->health == Health::kUnknown && report.health->findings.empty()) {
    suite.failed("health", "unknown", "nothing was measured", "");
  } else if (report.health->findings.empty()) {
    suite.passed("health", "healthy");
  }
  return suite;
}

Suite checklist_suite(const ProbeReport& report) {
  Suite suite{.name = "checklist", .cases = {}};
  for (const ChecklistLine& l : *report.checklist) {
    if (l.status == Status::kPassed) {
      suite.passed(l.item, l.measured);
    } else {
      suite.failed(l.item, to_string(l.status), l.why,
                   fmt::format("required: {}\nmeasured: {}\nnext: {}", l.required, l.measured, l.next));
    }
  }
  return suite;
}

}  // namespace

std::string probe_junit(const ProbeReport& report) {
  std::vector<Suite> suites;
  if (report.health) suites.push_back(health_suite(report));
  if (report.checklist) suites.push_back(checklist_suite(report));
  suites.push_back(results_suite(report));
  int tests = 0, failures = 0;
  std::string inside;
  for (const Suite& suite : suites) {
    tests += suite.tests;
    failures += suite.failures;
    inside += suite.xml();
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"fathom probe {}\" tests=\"{}\" failures=\"{}\" errors=\"0\">\n{}</testsuites>\n",
      xml_escaped(report.record.node), tests, failures, inside);
}

}  // namespace fathom::probe
