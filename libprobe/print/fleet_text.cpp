#include <fmt/format.h>

#include <algorithm>

#include "print/fleet_report.h"
#include "report/page.h"
#include "units/text.h"

namespace fathom::probe {

namespace {

class FleetWriter : private Page {
 public:
  FleetWriter(const FleetReport& report, bool markdown, bool colour)
      : Page(markdown ? TextStyle::kMarkdown : TextStyle::kTerminal, colour),
        r_(report),
        nodes_(report.worst_first()) {}

  std::string run() {
    title(fmt::format("{} of {}", counted(static_cast<double>(r_.nodes.size()), "node"), r_.file));
    std::string word = to_string(r_.health());
    std::transform(word.begin(), word.end(), word.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
    verdict(word, r_.passed());
    item(counts());
    nodes();
    findings();
    network();
    return take();
  }

 private:
  // "1 degraded, 1 unknown, 10 healthy"
  std::string counts() const {
    std::string text;
    for (const auto& [health, count] : r_.counts())
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, to_string(health));
    return text;
  }

  void nodes() {
    section("Nodes");
    TextTable t({{"node", Align::kLeft}, {"health", Align::kLeft}, {"findings", Align::kRight}});
    for (const FleetNode& node : nodes_)
      t.row({node.name, to_string(node.health.health), fmt::format("{}", node.health.findings.size())});
    table(t);
  }

  void findings() {
    const auto any = [](const FleetNode& node) { return !node.health.findings.empty(); };
    if (std::none_of(nodes_.begin(), nodes_.end(), any)) return;
    section("Findings");
    for (const FleetNode& node : nodes_) {
      for (const Complaint& c : complaints_of(node.health))
        finding(node.name + " " + c.gravest.device, c.gravest, fmt::format("{}", fmt::join(c.others, ", ")));
    }
  }

  void network() {
    if (r_.links == 0 && r_.not_measured.empty()) return;
    section("Network between them");
    if (r_.links > 0)
      item(fmt::format("{}, typically {}", counted(r_.links, "link"), to_string(BytesPerSecond(r_.typical))));
    for (const HealthFinding& f : r_.network) finding(f.device, f, {});
    for (const std::string& pair : r_.not_measured) item("not measured: " + pair);
  }

  void finding(const std::string& device, const HealthFinding& f, const std::string& others) {
    item(fmt::format("{} [{}] {}: {}", to_string(f.health), f.rule, device, f.what));
    const auto more = [&](const char* key, const std::string& text) {
      if (!text.empty()) line(fmt::format("{}{} {}", markdown() ? "  - " : "      ", key, text));
    };
    more("measured", f.measured);
    more("expected", f.expected + (f.source.empty() ? "" : " (" + f.source + ")"));
    more("found by", others + (others.empty() ? "" : ", too"));
    more("next:", f.next);
  }

  const FleetReport& r_;
  std::vector<FleetNode> nodes_;
};

}  // namespace

std::string fleet_text(const FleetReport& report, bool markdown, bool colour) {
  return FleetWriter(report, markdown, colour).run();
}

}  // namespace fathom::probe
