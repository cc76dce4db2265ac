// For node_exporter's textfile collector: one HELP and TYPE per family, base units, no timestamps, no series twice, a newline at
// the end. Few labels, because each shape is a series: the shape is one of them, and its protocol where two would be one series.
#include <fmt/format.h>

#include <map>

#include "print/probe_report.h"
#include "print/told_apart.h"

namespace fathom::probe {

namespace {

std::string label(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

struct Family {
  std::string help, samples;
};

const char* help_of(Unit unit) {
  switch (unit) {
    case Unit::kBytesPerSecond:
      return "Median bandwidth of a case.";
    case Unit::kFlopsPerSecond:
      return "Median rate of arithmetic of a case.";
    case Unit::kTime:
      return "Median time of a case.";
    case Unit::kOperationsPerSecond:
      return "Median operations per second of a case.";
    case Unit::kTokensPerSecond:
      return "Median tokens per second of a case.";
    case Unit::kWatts:
      return "Median power of a case.";
  }
  return "";
}

const char* name_of(Unit unit) {
  switch (unit) {
    case Unit::kBytesPerSecond:
      return "fathom_probe_bytes_per_second";
    case Unit::kFlopsPerSecond:
      return "fathom_probe_flops_per_second";
    case Unit::kTime:
      return "fathom_probe_time_seconds";
    case Unit::kOperationsPerSecond:
      return "fathom_probe_operations_per_second";
    case Unit::kTokensPerSecond:
      return "fathom_probe_tokens_per_second";
    case Unit::kWatts:
      return "fathom_probe_power_watts";
  }
  return "";
}

}  // namespace

std::string probe_prometheus(const ProbeReport& report) {
  const std::string node = label(report.record.node);
  std::map<std::string, Family> families;
  const auto add = [&](const std::string& name, const std::string& help, const std::string& labels, double value) {
    Family& family = families[name];
    family.help = help;
    family.samples += fmt::format("{}{{node=\"{}\"{}}} {}\n", name, node, labels, value);
  };
  add("fathom_probe_build_info", "Version of the probe.", fmt::format(",version=\"{}\"", label(report.version)), 1);
  const std::vector<std::string> protocols = told_apart(report.record.results);
  for (std::size_t i = 0; i < protocols.size(); ++i) {
    const Result& r = report.record.results[i];
    std::string labels =
        fmt::format(",case=\"{}\",device=\"{}\",shape=\"{}\"", label(r.name), label(r.device), label(r.shape_text()));
    if (!protocols[i].empty()) labels += fmt::format(",protocol=\"{}\"", label(protocols[i]));
    if (r.figure && has_data(r.status)) add(name_of(r.unit), help_of(r.unit), labels, r.figure->median);
  }
  if (report.record.duration) {
    add("fathom_probe_duration_seconds", "Time that the whole probe took.", "", report.record.duration->value);
    for (const CaseTime& t : report.record.case_times) {
      add("fathom_probe_case_duration_seconds", "Time that a case took, with all that it needs beside its samples.",
          fmt::format(",case=\"{}\"", label(t.name)), t.time.value);
    }
  }
  if (report.health) {
    for (int i = 0; i <= static_cast<int>(Health::kFailed); ++i) {
      const auto health = static_cast<Health>(i);
      add("fathom_probe_health", "Verdict of the node, 1 at the state it is in.",
          fmt::format(",state=\"{}\"", to_string(health)), report.health->health == health ? 1 : 0);
    }
    std::map<std::string, int> counts;
    for (const HealthFinding& f : report.health->findings) ++counts[f.rule];
    for (const auto& [rule, count] : counts) {
      add("fathom_probe_findings", "Findings by rule.", fmt::format(",rule=\"{}\"", label(rule)), count);
    }
  }
  if (report.checklist) {
    for (const ChecklistLine& l : *report.checklist) {
      add("fathom_probe_checklist_passed", "Lines of the environment checklist, 1 where passed.",
          fmt::format(",line=\"{}\",status=\"{}\"", label(l.id), to_string(l.status)),
          l.status == Status::kPassed ? 1 : 0);
    }
  }
  std::string out;
  for (const auto& [name, family] : families) {
    out += fmt::format("# HELP {} {}\n# TYPE {} gauge\n{}", name, family.help, name, family.samples);
  }
  return out;
}

}  // namespace fathom::probe
