#include "health/health.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "harness/case_units.h"
#include "health/rules.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::probe {

const char* to_string(Health health) {
  switch (health) {
    case Health::kHealthy:
      return "healthy";
    case Health::kSuspect:
      return "suspect";
    case Health::kUnknown:
      return "unknown";
    case Health::kDegraded:
      return "degraded";
    case Health::kFailed:
      return "failed";
  }
  return "";
}

bool is_unsteady(const Result& r) {
  return r.figure && (r.status == Status::kUnstable || r.figure->flutter() > kMostFlutter ||
                      std::abs(r.figure->drift) > kMostFlutter);
}

double surely(const Result& r) {
  if (!is_unsteady(r)) return r.figure->median;
  return more_is_better(r.unit) ? r.figure->q3 : r.figure->q1;
}

std::string what_of(const Result& result) {
  const std::string shape = result.shape_text();
  return shape.empty() ? result.name : result.name + ", " + shape;
}

namespace {

std::vector<std::string> notes_of(const MachineRecord& record) {
  std::vector<std::string> notes = record.notes;
  const auto note = [&](const char* setting, const auto& is_bad, const std::string& why) {
    const Setting* found = record.setting(setting);
    if (found != nullptr && is_bad(found->value))
      notes.push_back(fmt::format("{} is {}: {}", setting, found->value, why));
  };
  const auto below = [](double least) {
    return [least](const std::string& text) {
      const auto number = scan_number(text);
      return number && number->rest.empty() && number->value < least;
    };
  };
  const auto is = [](const char* word) { return [word](const std::string& text) { return text == word; }; };
  note("memlock_bytes", below(68719476736.0), "RDMA and pinned buffers need more locked memory (ulimit -l unlimited)");
  note("open_files", below(65536), "many connections and shards need more open files (ulimit -n)");
  note("stack_bytes", is("unlimited"), "glibc then gives threads 2 MB stacks, which NCCL may outgrow (ulimit -s 8192)");
  note("governor", is("powersave"), "clocks follow the load late (cpupower frequency-set -g performance)");
  note(
      "gpu_processes", [](const std::string& text) { return text != "0"; },
      "others computed on the GPUs when the probe began");
  note(
      "gpu_environment", [](const std::string&) { return true; },
      "figures are those of these variables, and so are plans made with them");
  note("transparent_hugepages", is("never"), "large weights in 4 KiB pages cost translation misses");
  note(
      "clocksource",
      [](const std::string& text) { return text != "tsc" && text != "arch_sys_counter" && text != "kvm-clock"; },
      "reading the time is slow");
  if (record.processor && record.processor->threads_allowed < record.processor->threads) {
    notes.push_back(fmt::format("this process may use {} of {} threads (affinity, cgroup)",
                                record.processor->threads_allowed, record.processor->threads));
  }
  if (record.memory && record.memory_limit && *record.memory_limit < *record.memory) {
    notes.push_back(fmt::format("this process may use {} of {} of memory (cgroup)",
                                to_string_binary(*record.memory_limit), to_string_binary(*record.memory)));
  }
  const auto outside = std::count_if(record.results.begin(), record.results.end(), [](const Result& r) {
    return r.figure && (r.figure->median < r.figure->min || r.figure->median > r.figure->max);
  });
  if (outside > 0) {
    notes.push_back(fmt::format("the median of {} figure{} lies outside of its own samples: somebody edited the record",
                                outside, outside == 1 ? "" : "s"));
  }
  std::set<std::string> unknown;
  for (const Result& r : record.results) {
    if (r.figure && !unit_of(r)) unknown.insert(in_quotes(r.name));
  }
  if (!unknown.empty()) {
    notes.push_back(
        fmt::format("no case of this program is called {}: held against nothing", fmt::join(unknown, ", ")));
  }
  const Setting* load = record.setting("load_average");
  const auto busy = load == nullptr ? std::nullopt : scan_number(load->value);
  if (busy && record.processor && busy->value > 0.25 * record.processor->threads_allowed) {
    notes.push_back(fmt::format("the node was busy before the probe began (load average {})", load->value));
  }
  return notes;
}

bool has_figures(const MachineRecord& record) {
  return std::any_of(record.results.begin(), record.results.end(), [](const Result& r) { return has_data(r.status); });
}

// What stands for the GPUs of a live run says that their cases are missing.
bool leaves_out_gpus(const MachineRecord& record) {
  return std::any_of(record.results.begin(), record.results.end(),
                     [](const Result& r) { return r.device == "gpu" && r.status == Status::kNotSupported; });
}

// A device that is slow in everything is one finding for each of its cases, not one for each of hundreds of shapes: the gravest and worst,
// which says of how many it is.
Findings folded(Findings findings) {
  constexpr std::size_t kMostAlike = 3;
  std::map<std::tuple<std::string, std::string, std::string>, Findings> alike;
  for (HealthFinding& f : findings) {
    f.subject = f.what.substr(0, f.what.find(','));
    alike[{f.rule, f.device, f.subject}].push_back(std::move(f));
  }
  findings.clear();
  for (auto& [key, group] : alike) {
    if (group.size() <= kMostAlike) {
      std::move(group.begin(), group.end(), std::back_inserter(findings));
      continue;
    }
    HealthFinding& worst = *std::min_element(group.begin(), group.end(), [](const auto& a, const auto& b) {
      return std::tuple(-static_cast<int>(a.health), a.share) < std::tuple(-static_cast<int>(b.health), b.share);
    });
    worst.what = fmt::format("{} figures, the worst of them {}", group.size(), worst.what);
    worst.figures = static_cast<int>(group.size());
    findings.push_back(std::move(worst));
  }
  return findings;
}

void count_held(const HealthCase& machine, HealthReport& report) {
  for (std::size_t i = 0; i < report.held.size(); ++i) {
    const HeldAgainst& held = report.held[i];
    if (!is_usable(machine.record.results[i], machine)) continue;
    ++report.figures;
    int& by = held.reference   ? report.held_by_reference
              : held.peers > 0 ? report.held_by_peers_alone
              : held.limit     ? report.held_by_limits_alone
                               : report.held_by_nothing;
    ++by;
  }
}

// No catalog says how fast a host's memory, products and storage should be. Of a node without GPUs that is no finding, for every one would
// have it, but a word beside the verdict.
void judge_host_alone(const HealthCase& machine, HealthReport& report) {
  report.host_alone = leaves_out_gpus(machine.record);
  const bool held = report.held_by_reference + report.held_by_peers_alone > 0;
  report.speed_unjudged = machine.record.gpus.empty() && report.figures > 0 && !held;
  std::string note = report.host_alone ? "judged is the host alone: no GPU was measured" : "";
  if (report.speed_unjudged) {
    note += std::string(note.empty() ? "" : "; ") +
            "no catalog says how fast it should be: whether it is slow, records of nodes like it tell (--peers)";
  }
  if (!note.empty()) report.notes.insert(report.notes.begin(), note);
}

void add(std::vector<std::string>& notes, const std::vector<std::string>& more) {
  notes.insert(notes.end(), more.begin(), more.end());
}

}  // namespace

HealthReport judge_health(const MachineRecord& record, const Catalog& catalog,
                          const std::vector<MachineRecord>& other_nodes, const std::optional<RequiredGpus>& required) {
  HealthReport report;
  const HealthCase machine{record, catalog};
  report.notes = notes_of(record);
  report.held = held_against(machine, other_nodes);
  judge_devices(machine, report.findings);
  judge_settings(machine, report.findings);
  judge_identity(machine, other_nodes, report.findings);
  judge_results(machine, report.findings);
  judge_unmeasured(machine, report.findings);
  judge_unjudged(machine, report.held, report.findings);
  judge_peers(machine, report.findings);
  add(report.notes, notes_of_gpus(machine));
  add(report.notes, judge_fleet(machine, other_nodes, report.findings));
  add(report.notes, judge_count(machine, other_nodes, required, report.findings));
  judge_surroundings(machine, report.findings);
  report.findings = folded(std::move(report.findings));
  std::stable_sort(report.findings.begin(), report.findings.end(), [](const HealthFinding& a, const HealthFinding& b) {
    return std::tuple(-static_cast<int>(a.health), a.share) < std::tuple(-static_cast<int>(b.health), b.share);
  });
  if (!has_figures(record) && report.findings.empty()) report.health = Health::kUnknown;
  for (const HealthFinding& finding : report.findings) report.health = std::max(report.health, finding.health);
  count_held(machine, report);
  judge_host_alone(machine, report);
  if (record.profile == "imported")
    report.notes.emplace_back("judged is what the file has, and nothing else of the node");
  return report;
}

}  // namespace fathom::probe
