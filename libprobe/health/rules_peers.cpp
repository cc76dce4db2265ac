// Like devices do alike, in one node and across nodes: whoever is slower than the others has a reason.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "harness/statistics.h"
#include "health/limits_of_parts.h"
#include "health/references.h"
#include "health/rules.h"
#include "shapes/case_operators.h"

namespace fathom::probe {

namespace {

// Of the median of the others.
struct PeerLines {
  double suspect = 0.95, degraded = 0.90;
  double by_far() const { return degraded - 0.15; }
};
// Chips differ in how fast they are at one power: two H200 of a node that were well showed 671 and 702 TFLOPS, under the same cap.
constexpr PeerLines kLinesUnderCap{.suspect = 0.90, .degraded = 0.85};
// Of microseconds the host's share is some: eight bytes to either of those two took 2.16 and 2.28 us, a launch 3.0 and 3.3.
constexpr PeerLines kLinesOfShortTimes{.suspect = 0.80, .degraded = 0.70};
constexpr Seconds kShortTime{20e-6};
// Launching one by one is the host's work: the same card took 3.48 and, two minutes later, 4.44 us.
constexpr PeerLines kLinesOfLaunches{.suspect = 0.70, .degraded = 0.50};
// Both directions at once meet in the host's memory: of the same two one copied 87 and the other 96 GB/s, and a minute later both 99. A link of half
// its width or generation copies half.
constexpr PeerLines kLinesOfHostCopies{.suspect = 0.85, .degraded = 0.75};
constexpr double kMostScore = 3.5, kLeastEffect = 0.03;  // from six on; both, because tight groups flag half a per cent
constexpr double kLeastMad = 0.005;                      // of the median: quantised clocks have a MAD of 0
constexpr std::size_t kEnoughForScores = 6;
// Of hundreds of shapes some scatter beyond the line: of 1,300 of each of two H200 that were well seven did, by 6 to 14 %. A device that is slower
// is so in many shapes of a case, in most of one kind (at a hundredth each, two of three are chance once in 3,000), or in one by far.
constexpr int kManyShapes = 10, kEnoughOfKind = 3;
constexpr double kShareOfShapes = 0.1, kShareOfKind = 0.5;

// Results that differ in nothing but their device, of devices of one kind.
using PeerKey = std::vector<std::string>;

// Empty: nobody knows what it is, so nothing is like it.
std::string kind_of(const std::string& device, const MachineRecord& record) {
  const std::vector<std::string> parts = devices_of(device);
  std::string kind;
  for (const std::string& part : parts) {
    const Gpu* gpu = record.gpu(part);
    if (gpu == nullptr && (part != "host" || !record.processor)) return {};
    kind += (gpu == nullptr ? record.processor->name : gpu->name) + "/";
  }
  for (const Link& link : record.links) {
    if (parts.size() == 2 && link.from == parts[0] && link.to == parts[1]) kind += link.kind;
  }
  return kind;
}

PeerKey key_of(const Result& r, const MachineRecord& record) {
  return {r.name,
          r.shape_text(),
          kind_of(r.device, record),
          r.protocol.engine,
          r.protocol.kernel,
          r.protocol.pattern,
          r.protocol.cache,
          r.protocol.launch,
          r.protocol.statistic,
          key_of(r.unit)};
}

double goodness(Unit unit, double figure) { return more_is_better(unit) ? figure : 1 / figure; }
double goodness(const Result& r) { return goodness(r.unit, r.figure->median); }

PeerLines lines_of(const Result& r) {
  const std::optional<Seconds> time = time_of(r, r.figure->median, operators_of(r).list);
  if (time && *time < 2 * kShortTime && r.protocol.launch == "eager") return kLinesOfLaunches;
  if (time && *time < kShortTime) return kLinesOfShortTimes;
  if (r.name == "gpu.copy.both") return kLinesOfHostCopies;
  const bool computes = r.unit == Unit::kFlopsPerSecond || r.name.starts_with("gpu.linear");
  return computes && was_capped(r) ? kLinesUnderCap : PeerLines{};
}

// Of one among others like it; `others` without it, so that with two the slower one is seen, too.
std::optional<Health> verdict(double one, std::vector<double> others, const PeerLines& lines) {
  const double ratio = one / median_of(others);
  if (ratio < lines.degraded) return Health::kDegraded;
  if (ratio < lines.suspect) return Health::kSuspect;
  others.push_back(one);
  if (others.size() < kEnoughForScores) return std::nullopt;
  const double median = median_of(others);
  const double score = 0.6745 * (one - median) / std::max(mad_of(others, median), kLeastMad * median);
  const double effect = kLeastEffect * (1 - lines.suspect) / (1 - PeerLines{}.suspect);
  return score < -kMostScore && ratio < 1 - effect ? std::optional(Health::kSuspect) : std::nullopt;
}

std::optional<HealthFinding> compared(const Result& r, const std::vector<double>& others) {
  std::optional<Health> health = others.empty() ? std::nullopt : verdict(goodness(r), others, lines_of(r));
  if (!health) return std::nullopt;
  if (health == Health::kDegraded && verdict(goodness(r.unit, surely(r)), others, lines_of(r)) != Health::kDegraded)
    health = Health::kSuspect;
  const double median = median_of(others);
  return HealthFinding{
      .rule = {},
      .health = *health,
      .device = r.device,
      .what = what_of(r),
      .measured = text_of(r.unit, r.figure->median),
      .expected = fmt::format(
          "{}, {}", text_of(r.unit, more_is_better(r.unit) ? median : 1 / median),
          others.size() == 1 ? "the only one like it" : fmt::format("the median of {} like it", others.size())),
      .source = {},
      .next = {}};
}

// A case's shapes differ in sizes and in what they are made of: formats, whether gated, how launched. Shapes of one make are of a
// kind, and so are those of them with the same number of tokens (few are bound by memory, many by arithmetic), and those of one matrix.
std::vector<std::string> kinds_of(const Result& r) {
  const auto is_size = [](const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  };
  std::string make;
  for (const auto& [key, value] : r.shape) {
    if (!is_size(value)) make += key + " " + value + ", ";
  }
  std::vector<std::string> kinds{make};
  std::string matrix;
  for (const char* side : {"n", "k"}) {
    if (const auto found = r.shape.find(side); found != r.shape.end())
      matrix += std::string(side) + " " + found->second + ", ";
  }
  if (!matrix.empty()) kinds.push_back(matrix);
  for (const char* tokens : {"m", "batch"}) {
    if (const auto found = r.shape.find(tokens); found != r.shape.end())
      kinds.push_back(make + found->first + " " + found->second);
  }
  return kinds;
}

using Groups = std::map<PeerKey, std::vector<const Result*>>;

// Cases of a device of which a figure is wrong or impossible: its others say nothing of a peer.
std::set<std::pair<std::string, std::string>> void_cases(const HealthCase& machine) {
  std::set<std::pair<std::string, std::string>> cases;
  for (const Result& r : machine.record.results) {
    if (r.figure && !is_usable(r, machine)) cases.emplace(r.name, r.device);
  }
  return cases;
}

Groups groups_of(const HealthCase& machine) {
  Groups groups;
  const auto voids = void_cases(machine);
  for (const Result& r : machine.record.results) {
    const bool known = !kind_of(r.device, machine.record).empty() && r.unit != Unit::kWatts;  // more is no fault
    if (known && is_usable(r, machine) && !voids.contains({r.name, r.device}))
      groups[key_of(r, machine.record)].push_back(&r);
  }
  return groups;
}

struct Slower {
  HealthFinding finding;
  bool by_far = false;
  std::vector<std::string> kinds;
};

// The shapes of a case on a device.
struct Shapes {
  struct Count {
    int compared = 0, slower = 0;

    bool is_slow(int enough, double share) const { return compared >= enough && slower >= share * compared; }
  };
  Count all;
  std::map<std::string, Count> of_kind;
  std::vector<Slower> slower;

  bool is_finding(const Slower& one) const {
    if (all.compared < kManyShapes || all.is_slow(kManyShapes, kShareOfShapes) || one.by_far) return true;
    return std::any_of(one.kinds.begin(), one.kinds.end(),
                       [&](const std::string& kind) { return of_kind.at(kind).is_slow(kEnoughOfKind, kShareOfKind); });
  }
};

// The figures that one is held against, and how a finding about it reads.
struct Others {
  std::vector<double> figures;
  const char* rule;
  std::string source;
  const char* next;
};

void compare_with(const Others& others, const Result& one, Shapes& shapes) {
  if (others.figures.empty()) return;
  const std::vector<std::string> kinds = kinds_of(one);
  std::optional<HealthFinding> finding = compared(one, others.figures);
  const auto count = [&](Shapes::Count& c) { ++c.compared, c.slower += finding ? 1 : 0; };
  count(shapes.all);
  for (const std::string& kind : kinds) count(shapes.of_kind[kind]);
  if (!finding) return;
  const double median = median_of(others.figures);
  finding->rule = others.rule;
  finding->source = others.source;
  finding->share = goodness(one) / median;
  finding->next = others.next;
  const bool by_far = goodness(one) < lines_of(one).by_far() * median;
  shapes.slower.push_back({*std::move(finding), by_far, kinds});
}

using Cases = std::map<std::pair<std::string, std::string>, Shapes>;  // of a device

void add_findings(Cases cases, Findings& findings) {
  for (auto& [which, shapes] : cases) {
    for (Slower& slower : shapes.slower) {
      if (shapes.is_finding(slower)) findings.push_back(std::move(slower.finding));
    }
  }
}

}  // namespace

void judge_peers(const HealthCase& machine, Findings& findings) {
  Cases cases;
  for (const auto& [key, peers] : groups_of(machine)) {
    for (const Result* one : peers) {
      Others others{.figures = {},
                    .rule = "probe.slower-than-peers",
                    .source = "peers in this node",
                    .next = "swap it with a healthy one: the figure moves with the part or stays with the place"};
      for (const Result* r : peers) {
        if (r->device != one->device) others.figures.push_back(goodness(*r));
      }
      compare_with(others, *one, cases[{one->name, one->device}]);
    }
  }
  add_findings(std::move(cases), findings);
}

std::vector<HeldAgainst> held_against(const HealthCase& machine, const std::vector<MachineRecord>& nodes) {
  std::map<PeerKey, int> elsewhere;
  for (const MachineRecord& node : nodes) {
    for (const auto& [key, results] : groups_of({node, machine.catalog}))
      elsewhere[key] += static_cast<int>(results.size());
  }
  std::map<const Result*, int> peers_of;
  for (const auto& [key, peers] : groups_of(machine)) {
    const auto there = elsewhere.find(key);
    for (const Result* one : peers) {
      const auto here =
          std::count_if(peers.begin(), peers.end(), [&](const Result* r) { return r->device != one->device; });
      peers_of[one] = static_cast<int>(here) + (there == elsewhere.end() ? 0 : there->second);
    }
  }
  std::vector<HeldAgainst> held;
  for (const Result& r : machine.record.results) {
    HeldAgainst& one = held.emplace_back();
    if (!is_usable(r, machine)) continue;
    const auto peers = peers_of.find(&r);
    one.peers = peers == peers_of.end() ? 0 : peers->second;
    one.limit = peak_of(r, machine.record, machine.catalog).has_value();
    const auto reference = reference_of(r, machine.record, machine.catalog);
    if (!reference) continue;
    const double share = r.figure->median / reference->value;
    one.reference = more_is_better(r.unit) ? share : 1 / share;
  }
  return held;
}

namespace {

// Cases that both measured, each by kernels or a library of its own: "gpu.linear (fathom kernels 3a5bb8cb there)".
std::string told_by_others(const Groups& own, const Groups& there) {
  const auto who = [](const Groups& groups) {
    std::map<std::string, std::set<std::string>> engines;
    for (const auto& [key, results] : groups) engines[results.front()->name].insert(results.front()->protocol.engine);
    return engines;
  };
  const auto here = who(own);
  std::string text;
  for (const auto& [name, engines] : who(there)) {
    const auto found = here.find(name);
    const bool differ = found != here.end() && std::none_of(engines.begin(), engines.end(), [&](const std::string& e) {
                          return found->second.contains(e);
                        });
    if (differ) text += fmt::format("{}{} ({} there)", text.empty() ? "" : ", ", name, *engines.begin());
  }
  return text;
}

}  // namespace

std::vector<std::string> judge_fleet(const HealthCase& machine, const std::vector<MachineRecord>& nodes,
                                     Findings& findings) {
  struct Elsewhere {
    std::vector<double> figures;
    int nodes = 0;
  };
  const Groups own = groups_of(machine);
  std::map<PeerKey, Elsewhere> elsewhere;
  std::vector<std::string> notes;
  for (const MachineRecord& node : nodes) {
    bool is_comparable = false;
    const Groups of_node = groups_of({node, machine.catalog});
    for (const auto& [key, results] : of_node) {
      is_comparable |= own.contains(key);
      ++elsewhere[key].nodes;
      for (const Result* r : results) elsewhere[key].figures.push_back(goodness(*r));
    }
    if (!is_comparable)
      notes.push_back(fmt::format("no figure of {} is comparable: other devices, shapes or protocols", node.node));
    if (const std::string others = told_by_others(own, of_node); is_comparable && !others.empty()) {
      notes.push_back(fmt::format("{} was measured by other versions, and is not compared: {}", node.node, others));
    }
  }
  Cases cases;
  for (const auto& [key, results] : own) {
    const Elsewhere& there = elsewhere[key];
    const Others others{.figures = there.figures,
                        .rule = "probe.slower-than-fleet",
                        .source = fmt::format("{} other node{}", there.nodes, there.nodes == 1 ? "" : "s"),
                        .next = "compare clocks, settings and firmware with a node that is as fast as the others"};
    for (const Result* one : results) compare_with(others, *one, cases[{one->name, one->device}]);
  }
  add_findings(std::move(cases), findings);
  return notes;
}

}  // namespace fathom::probe
