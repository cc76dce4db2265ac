// What a probe found, for people and for programs: one value, several printers. Nothing is judged here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checklist/checklist.h"
#include "health/health.h"
#include "record/machine_record.h"

namespace fathom::probe {

struct ProbeReport {
  MachineRecord record;
  std::optional<HealthReport> health;                   // judged unless only the checklist was asked for
  std::optional<std::vector<ChecklistLine>> checklist;  // with --checklist
  std::string version = {};                             // of the program
  bool all_figures = false;  // for people: a row for each, instead of one for many of a case on one device

  bool passed() const;  // no finding, and every line of the checklist passed
};

std::string probe_text(const ProbeReport& report, bool markdown, bool colour);
std::string probe_json(const ProbeReport& report);                      // ends with a newline
std::string findings_json(const std::vector<HealthFinding>& findings);  // a list of it, for the report of a fleet, too
std::string probe_junit(const ProbeReport& report);       // a case per result, finding and line of the checklist
std::string probe_prometheus(const ProbeReport& report);  // textfile collector: no timestamps, ends with a newline

}  // namespace fathom::probe
