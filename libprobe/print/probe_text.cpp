#include <fmt/format.h>

#include <algorithm>

#include "print/figure_rows.h"
#include "print/probe_report.h"
#include "report/page.h"
#include "units/text.h"

namespace fathom::probe {

namespace {

std::string words_of(Status status) {
  std::string words = to_string(status);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

// What stands beside the verdict's word, because the word alone would say more than was judged.
std::string reserve_of(const HealthReport& health) {
  constexpr const char* kNoReference = "no reference for its speed";
  if (!health.host_alone) return health.speed_unjudged ? fmt::format(" ({})", kNoReference) : "";
  return health.speed_unjudged ? fmt::format(" (the host alone; {})", kNoReference) : " (the host alone)";
}

std::string held_text(const HealthReport& health) {
  return fmt::format(
      "held against a reference of the catalogs: {} of {}; against devices like theirs alone {} more, against what "
      "hardware can do at most {}, against nothing {}",
      grouped(health.held_by_reference), counted(health.figures, "figure"), grouped(health.held_by_peers_alone),
      grouped(health.held_by_limits_alone), grouped(health.held_by_nothing));
}

class ProbeWriter : private Page {
 public:
  ProbeWriter(const ProbeReport& report, bool markdown, bool colour)
      : Page(markdown ? TextStyle::kMarkdown : TextStyle::kTerminal, colour), r_(report) {}

  std::string run() {
    title(r_.record.node + (r_.record.file.empty() ? "" : ", as recorded in " + r_.record.file));
    machine();
    if (r_.health) health();
    if (r_.checklist) checklist();
    if (r_.health) results();
    missing();
    return take();
  }

 private:
  void machine() {
    const MachineRecord& m = r_.record;
    std::string when = m.date;
    if (!m.system.empty()) when += ", " + m.system;
    if (!m.hypervisor.empty()) when += ", virtual machine" + (m.hypervisor == "yes" ? "" : " of " + m.hypervisor);
    line(when);
    if (m.processor) {
      const Processor& p = *m.processor;
      item(fmt::format("{}: {} of {} threads usable, {}{}", p.name, p.threads_allowed, p.threads,
                       fmt::join(p.instruction_sets, ", "),
                       p.last_level_cache ? ", " + to_string_binary(*p.last_level_cache) + " last-level cache" : ""));
    }
    if (m.memory) {
      item(fmt::format("{} of memory{}, {}", to_string_binary(*m.memory),
                       m.memory_limit ? fmt::format(" ({} for this process)", to_string_binary(*m.memory_limit)) : "",
                       counted(static_cast<double>(std::max<std::size_t>(m.numa.size(), 1)), "NUMA node")));
    }
    for (const Gpu& gpu : m.gpus) {
      item(fmt::format("{}: {}{}", gpu.device, gpu.name, gpu.memory ? ", " + to_string_binary(*gpu.memory) : ""));
    }
    if (m.duration) item(duration());
    for (const std::string& note : m.notes) {
      if (!r_.health) item("note: " + note);  // else among its notes
    }
  }

  // "probed in 71.2 s, longest gpu.gemm 30.1 s, collective 20.3 s": what took a hundredth at least.
  std::string duration() const {
    constexpr std::size_t kMostNamed = 3;
    std::vector<CaseTime> times = r_.record.case_times;
    std::erase_if(times, [&](const CaseTime& t) { return t.time < 0.01 * *r_.record.duration; });
    std::stable_sort(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.time > b.time; });
    times.resize(std::min(times.size(), kMostNamed));
    std::string text = "probed in " + to_string(*r_.record.duration);
    for (std::size_t i = 0; i < times.size(); ++i)
      text += fmt::format("{} {} {}", i == 0 ? ", longest" : ",", times[i].name, to_string(times[i].time));
    return text;
  }

  void health() {
    const Health node = r_.health->health;
    std::string word = to_string(node);
    std::transform(word.begin(), word.end(), word.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
    verdict(word + reserve_of(*r_.health), node == Health::kHealthy);
    if (r_.health->findings.empty()) item(node == Health::kHealthy ? "no finding" : "nothing was measured");
    for (const HealthFinding& f : r_.health->findings) finding(f);
    if (r_.health->figures > 0) item(held_text(*r_.health));
    for (const std::string& note : r_.health->notes) item("note: " + note);
  }

  void finding(const HealthFinding& f) {
    item(fmt::format("{} [{}] {}: {}", to_string(f.health), f.rule, f.device, f.what));
    const auto more = [&](const char* key, const std::string& text) {
      if (!text.empty()) line(fmt::format("{}{} {}", markdown() ? "  - " : "      ", key, text));
    };
    more("measured", f.measured);
    more("expected", f.expected + (f.source.empty() ? "" : " (" + f.source + ")"));
    more("next:", f.next);
  }

  void checklist() {
    section("Checklist of the environment");
    TextTable t(
        {{"line", Align::kLeft}, {"required", Align::kLeft}, {"verdict", Align::kLeft}, {"measured", Align::kLeft}});
    for (const ChecklistLine& l : *r_.checklist) t.row({l.item, l.required, words_of(l.status), l.measured});
    table(t);
    gap();
    for (const ChecklistLine& l : *r_.checklist) {
      if (!l.why.empty()) item(fmt::format("{}: {}{}", l.item, l.why, l.next.empty() ? "" : "; next: " + l.next));
    }
  }

  void results() {
    const std::vector<Result>& all = r_.record.results;
    if (std::none_of(all.begin(), all.end(), [](const Result& r) { return r.figure.has_value(); })) return;
    section("Measured: median, and the 95 % interval of the median");
    TextTable t({{"case", Align::kLeft},
                 {"device", Align::kLeft},
                 {"shape", Align::kLeft},
                 {"median", Align::kRight},
                 {"interval", Align::kRight},
                 {"samples", Align::kRight},
                 {"by", Align::kLeft},
                 {"of reference", Align::kRight},
                 {"status", Align::kLeft}});
    std::size_t figures = 0;
    for (const Result& r : all) figures += r.figure.has_value() ? 1 : 0;
    const std::vector<FigureRow> rows = figure_rows(r_, r_.all_figures);
    for (const FigureRow& row : rows) {
      t.row(
          {row.name, row.device, row.shape, row.median, row.interval, row.samples, row.by, row.reference, row.status});
    }
    table(t);
    gap();
    if (rows.size() < figures) item("each figure: --all, or -f json");
    for (const Result& r : all) {
      if (!r_.all_figures && r.device != "host") continue;
      for (const std::string& note : r.notes) item(fmt::format("{} {}: {}", r.name, r.device, note));
    }
  }

  // Cases that are missing for one reason share a line.
  void missing() {
    std::vector<std::pair<std::string, const Result*>> rows;
    for (const Result& r : r_.record.results) {
      if (r.figure) continue;
      const auto same = std::find_if(rows.begin(), rows.end(), [&](const auto& row) {
        return row.second->status == r.status && row.second->why == r.why;
      });
      if (same == rows.end()) {
        rows.emplace_back(r.name, &r);
      } else {
        same->first += ", " + r.name;
      }
    }
    if (rows.empty()) return;
    section("Not measured");
    for (const auto& [names, r] : rows) item(fmt::format("{}: {}: {}", names, words_of(r->status), r->why));
  }

  const ProbeReport& r_;
};

}  // namespace

bool ProbeReport::passed() const {
  if (health && health->health != Health::kHealthy) return false;
  return !checklist || std::all_of(checklist->begin(), checklist->end(),
                                   [](const ChecklistLine& line) { return line.status == Status::kPassed; });
}

std::string probe_text(const ProbeReport& report, bool markdown, bool colour) {
  return ProbeWriter(report, markdown, colour).run();
}

}  // namespace fathom::probe
