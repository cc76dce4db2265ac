// For CI: what is wrong is a failure, what could not be told an error, what was not asked for or cannot be done here is skipped.
// A class is the node's, so that reports of several nodes stay apart; a name is there once.
#include <fmt/format.h>

#include <map>
#include <optional>

#include "print/probe_report.h"
#include "print/told_apart.h"
#include "report/xml_text.h"

namespace fathom::probe {

namespace {

std::string time_attribute(const std::optional<Seconds>& time) {
  return time ? fmt::format(" time=\"{:.3f}\"", time->value) : "";
}

// Lines "measured: 3.1 TB/s", of what is known.
std::string lines_of(const std::vector<std::pair<const char*, std::string>>& known) {
  std::string lines;
  for (const auto& [what, text] : known) {
    if (!text.empty()) lines += fmt::format("{}{}: {}", lines.empty() ? "" : "\n", what, text);
  }
  return lines;
}

class Suite {
 public:
  Suite(std::string name, const ProbeReport& report) : name_(std::move(name)), node_(report.record.node) {}

  void passed(const std::string& test, const std::string& said) {
    add(test, said.empty() ? "" : fmt::format("<system-out>{}</system-out>", xml_escaped(said)));
  }
  void failed(const std::string& test, const std::string& type, const std::string& message, const std::string& text) {
    ++failures;
    add(test, trouble("failure", type, message, text));
  }
  void untold(const std::string& test, const std::string& type, const std::string& message, const std::string& text) {
    ++errors;
    add(test, trouble("error", type, message, text));
  }
  void left_out(const std::string& test, const std::string& why) {
    ++skipped;
    add(test, fmt::format("<skipped message=\"{}\"/>", xml_escaped(why)));
  }
  std::string xml(const std::optional<Seconds>& time) const {
    return fmt::format(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"{}>\n{}  </testsuite>\n",
        xml_escaped(name_), tests, failures, errors, skipped, time_attribute(time), cases_);
  }

  int tests = 0, failures = 0, errors = 0, skipped = 0;

 private:
  static std::string trouble(const char* element, const std::string& type, const std::string& message,
                             const std::string& text) {
    return fmt::format("<{0} message=\"{1}\" type=\"{2}\">{3}</{0}>", element, xml_escaped(message), xml_escaped(type),
                       xml_escaped(text));
  }
  void add(const std::string& test, const std::string& inside) {
    ++tests;
    const int so_many = ++named_[test];
    const std::string name = so_many == 1 ? test : fmt::format("{} ({})", test, so_many);
    cases_ +=
        fmt::format("    <testcase name=\"{}\" classname=\"{}.{}\"", xml_escaped(name), xml_escaped(node_), name_);
    cases_ += inside.empty() ? "/>\n" : fmt::format(">{}</testcase>\n", inside);
  }

  std::string name_, node_, cases_;
  std::map<std::string, int> named_;
};

// What was measured stands for itself; what is wrong with it is a case of its own, under its rule.
Suite results_suite(const ProbeReport& report) {
  Suite suite("measured", report);
  const std::vector<Result>& results = report.record.results;
  const std::vector<std::string> protocols = told_apart(results);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Result& r = results[i];
    std::string name = fmt::format("{} on {}", r.name, r.device);
    for (const std::string& more : {r.shape_text(), r.figure ? protocols[i] : ""}) {
      if (!more.empty()) name += ", " + more;
    }
    const std::string why = r.why.empty() ? "" : fmt::format("{}: {}", to_string(r.status), r.why);
    if (r.figure && has_data(r.status)) {
      suite.passed(name, text_of(r.unit, r.figure->median) + (why.empty() ? "" : ", " + why));
    } else {
      suite.left_out(name, why.empty() ? to_string(r.status) : why);
    }
  }
  return suite;
}

Suite health_suite(const ProbeReport& report) {
  Suite suite("health", report);
  for (const HealthFinding& f : report.health->findings) {
    const auto say = f.health == Health::kUnknown ? &Suite::untold : &Suite::failed;
    (suite.*say)(
        fmt::format("{} on {}: {}", f.rule, f.device, f.what), to_string(f.health),
        fmt::format("measured {}, expected {}", f.measured, f.expected),
        lines_of({{"measured", f.measured}, {"expected", f.expected}, {"source", f.source}, {"next", f.next}}));
  }
  if (!report.health->findings.empty()) return suite;
  if (report.health->health == Health::kHealthy) {
    suite.passed("health", "healthy");
  } else {
    suite.untold("health", "unknown", "nothing was measured", "");
  }
  return suite;
}

Suite checklist_suite(const ProbeReport& report) {
  Suite suite("checklist", report);
  for (const ChecklistLine& l : *report.checklist) {
    if (l.status == Status::kPassed) {
      suite.passed(l.item, l.measured);
      continue;
    }
    const auto say = l.status == Status::kFailed ? &Suite::failed : &Suite::untold;
    (suite.*say)(l.item, to_string(l.status), l.why,
                 lines_of({{"measured", l.measured}, {"required", l.required}, {"next", l.next}}));
  }
  return suite;
}

}  // namespace

std::string probe_junit(const ProbeReport& report) {
  std::vector<Suite> suites;
  if (report.health) suites.push_back(health_suite(report));
  if (report.checklist) suites.push_back(checklist_suite(report));
  suites.push_back(results_suite(report));
  int tests = 0, failures = 0, errors = 0;
  std::string inside;
  for (const Suite& suite : suites) {
    tests += suite.tests;
    failures += suite.failures;
    errors += suite.errors;
    // All of the time was spent on what was measured.
    inside += suite.xml(&suite == &suites.back() ? report.record.duration : std::nullopt);
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"fathom probe {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\"{}>\n{}</testsuites>\n",
      xml_escaped(report.record.node), tests, failures, errors, time_attribute(report.record.duration), inside);
}

}  // namespace fathom::probe
