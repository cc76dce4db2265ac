#include "fleet/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string_view>

#include "harness/statistics.h"
#include "health/limits_of_parts.h"
#include "units/text.h"

namespace fathom::probe {

namespace {

// Of what is typical. Wider than between parts of a node: TCP between the same two nodes scatters by some per cent.
constexpr double kSuspectShare = 0.90, kDegradedShare = 0.80;
constexpr double kMostScore = 3.5, kLeastMad = 0.005;  // of the links' own shares, from six links on
constexpr std::size_t kEnoughForScores = 6;
constexpr std::size_t kMostPeers = 64;  // that a node is held against, evenly from all: a median needs no more

std::optional<Health> verdict(double share) {
  if (share < kDegradedShare) return Health::kDegraded;
  return share < kSuspectShare ? std::optional(Health::kSuspect) : std::nullopt;
}

// ---------------------------------------------------------------------------------------------------------------------
// Nodes

using Holders =
    std::map<std::string, std::set<std::size_t>>;  // nodes by an identity, of which each should have its own

Holders holders_of(const std::vector<Answer>& all) {
  Holders holders;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].record) continue;
    for (const std::string& identity : identities_of(*all[i].record)) holders[identity].insert(i);
  }
  return holders;
}

// And whoever has an identity of this node, however many there are.
std::vector<MachineRecord> peers_of(std::size_t node, const std::vector<Answer>& all, const Holders& holders) {
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i != node && all[i].record) others.push_back(i);
  }
  std::set<std::size_t> chosen;
  const std::size_t count = std::min(kMostPeers, others.size());
  for (std::size_t i = 0; i < count; ++i) chosen.insert(others[i * others.size() / count]);
  for (const std::string& identity : identities_of(*all[node].record)) {
    const std::set<std::size_t>& same = holders.at(identity);
    chosen.insert(same.begin(), same.end());
  }
  chosen.erase(node);
  std::vector<MachineRecord> peers;
  for (const std::size_t i : chosen) peers.push_back(*all[i].record);
  return peers;
}

const Host* host_of(const Fleet& fleet, const std::string& name) {
  const auto it = std::find_if(fleet.hosts.begin(), fleet.hosts.end(), [&](const Host& h) { return h.name == name; });
  return it == fleet.hosts.end() ? nullptr : &*it;
}

std::optional<RequiredGpus> required_of(const Fleet& fleet, const std::string& name) {
  const Host* host = host_of(fleet, name);
  const std::optional<int> gpus = host != nullptr && host->gpus ? host->gpus : fleet.gpus;
  if (!gpus) return std::nullopt;
  return RequiredGpus{.count = *gpus, .source = fleet.file};
}

HealthFinding no_record(const Answer& answer, const Fleet& fleet) {
  const Host* host = host_of(fleet, answer.host);
  return {.rule = "probe.no-record",
          .health = Health::kUnknown,
          .device = "host",
          .what = answer.trouble,
          .measured = "nothing",
          .expected = "a record",
          .source = fleet.file,
          .next = (host == nullptr ? "" : "see what it answers: " + first_look(fleet, *host) + "; ") +
                  std::string("then probe it again")};
}

FleetNode judged(std::size_t node, const std::vector<Answer>& all, const Holders& holders, const Fleet& fleet,
                 const Catalog& catalog) {
  FleetNode result{.name = all[node].host, .trouble = all[node].trouble, .health = {}};
  if (all[node].record) {
    result.health =
        judge_health(*all[node].record, catalog, peers_of(node, all, holders), required_of(fleet, all[node].host));
  } else {
    result.health.health = Health::kUnknown;
    result.health.findings = {no_record(all[node], fleet)};
  }
  return result;
}

// ---------------------------------------------------------------------------------------------------------------------
// The network

HealthFinding slow(std::string rule, Health health, std::string device, std::string what, double measured,
                   double expected, int links) {
  return {.rule = std::move(rule),
          .health = health,
          .device = std::move(device),
          .what = std::move(what),
          .measured = to_string(BytesPerSecond(measured)),
          .expected = to_string(BytesPerSecond(expected)),
          .source = fmt::format("median polish of {} links", links),
          .next = {}};
}

void judge_ends(FleetReport& report, const LinkParts& parts) {
  for (std::size_t i = 0; i < report.nodes.size(); ++i) {
    for (const bool sends : {true, false}) {
      const double share = sends ? parts.send[i] : parts.receive[i];
      const std::optional<Health> health = verdict(share);
      if (!health) continue;
      report.network.push_back(slow("probe.slow-to-all", *health, report.nodes[i].name,
                                    sends ? "host.network, sends to all" : "host.network, receives from all",
                                    share * parts.typical, parts.typical, report.links));
      report.network.back().next = "look at its card, its slot and its port: all of its links have it in common";
    }
  }
}

bool stands_out(double share, const std::vector<double>& logs) {
  if (logs.size() < kEnoughForScores) return true;
  const double median = median_of(logs);
  return 0.6745 * (std::log(share) - median) / std::max(mad_of(logs, median), kLeastMad) < -kMostScore;
}

void judge_links(FleetReport& report, const LinkParts& parts, const LinkMatrix& measured) {
  std::vector<double> logs;
  for (const auto& row : parts.own) {
    for (const auto& share : row) {
      if (share) logs.push_back(std::log(*share));
    }
  }
  for (std::size_t i = 0; i < parts.own.size(); ++i) {
    for (std::size_t j = 0; j < parts.own.size(); ++j) {
      if (!parts.own[i][j]) continue;
      const double share = *parts.own[i][j];
      const std::optional<Health> health = verdict(share);
      if (!health || !stands_out(share, logs)) continue;
      report.network.push_back(slow("probe.slow-link", *health, report.nodes[i].name + ">" + report.nodes[j].name,
                                    "host.network", *measured[i][j], *measured[i][j] / share, report.links));
      report.network.back().next = "look at cable, port and route between these two: both are as fast to others";
    }
  }
}

void judge_network(FleetReport& report, const std::vector<Answer>& pairs) {
  const LinkMatrix measured = links_of(report.nodes.size(), pairs);
  for (const auto& row : measured)
    report.links +=
        static_cast<int>(std::count_if(row.begin(), row.end(), [](const auto& link) { return link.has_value(); }));
  if (report.links == 0) return;
  const LinkParts parts = parts_of(measured);
  report.typical = parts.typical;
  judge_ends(report, parts);
  judge_links(report, parts, measured);
}

void name_missing_pairs(FleetReport& report, const std::vector<Answer>& pairs) {
  for (const Answer& pair : pairs) {
    if (!pair.record) {
      report.not_measured.push_back(pair.host + ": " + pair.trouble);
      continue;
    }
    int ways = 0;
    std::string why = "no figure";
    for (const Result& r : pair.record->results) {
      if (r.name != "host.network") continue;
      ways += is_usable(r, gross_limit(r));
      if (!r.why.empty()) why = r.why;
    }
    if (ways < 2) report.not_measured.push_back(fmt::format("{}: {}", pair.host, why));
  }
}

}  // namespace

Health FleetReport::health() const {
  Health worst = Health::kHealthy;
  for (const FleetNode& node : nodes) worst = std::max(worst, node.health.health);
  for (const HealthFinding& finding : network) worst = std::max(worst, finding.health);
  return worst;
}

// Findings come the gravest first. A rule that found two figures of one case has two complaints.
std::vector<Complaint> complaints_of(const HealthReport& health) {
  constexpr std::string_view kOfSpeed[] = {"probe.slower-than-peers", "probe.slower-than-fleet",
                                           "probe.below-reference"};
  const auto is_of_speed = [&](const HealthFinding& f) {
    return std::find(std::begin(kOfSpeed), std::end(kOfSpeed), f.rule) != std::end(kOfSpeed);
  };
  std::vector<Complaint> complaints;
  for (const HealthFinding& f : health.findings) {
    const auto same = std::find_if(complaints.begin(), complaints.end(), [&](const Complaint& c) {
      return is_of_speed(c.gravest) && c.gravest.device == f.device && c.gravest.subject == f.subject;
    });
    if (!is_of_speed(f) || same == complaints.end() || same->gravest.rule == f.rule) {
      complaints.push_back({.gravest = f, .others = {}});
    } else if (std::find(same->others.begin(), same->others.end(), f.rule) == same->others.end()) {
      same->others.push_back(f.rule);
    }
  }
  return complaints;
}

std::vector<std::pair<Health, int>> FleetReport::counts() const {
  std::map<Health, int, std::greater<>> counts;
  for (const FleetNode& node : nodes) ++counts[node.health.health];
  return {counts.begin(), counts.end()};
}

std::vector<FleetNode> FleetReport::worst_first() const {
  std::vector<FleetNode> sorted = nodes;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const FleetNode& a, const FleetNode& b) { return a.health.health > b.health.health; });
  return sorted;
}

LinkMatrix links_of(std::size_t nodes, const std::vector<Answer>& pairs) {
  LinkMatrix links(nodes, std::vector<std::optional<double>>(nodes));
  for (const Answer& pair : pairs) {
    if (!pair.record || pair.from < 0 || pair.to < 0) continue;
    const auto from = static_cast<std::size_t>(pair.from), to = static_cast<std::size_t>(pair.to);
    for (const Result& r : pair.record->results) {
      const auto direction = r.shape.find("direction");
      const bool network = r.name == "host.network" && r.unit == Unit::kBytesPerSecond && direction != r.shape.end();
      if (!network || !is_usable(r, gross_limit(r))) continue;
      if (direction->second == "send") links[from][to] = r.figure->median;
      if (direction->second == "receive") links[to][from] = r.figure->median;
    }
  }
  return links;
}

FleetReport judge_nodes(const Fleet& fleet, FleetAnswers answers, const Catalog& catalog) {
  FleetReport report;
  report.file = fleet.file;
  for (Answer& node : answers.nodes) {
    if (!node.record) continue;
    for (Result& r : node.record->results) hold_against(r, peak_of(r, *node.record, catalog));
  }
  const Holders holders = holders_of(answers.nodes);
  for (std::size_t i = 0; i < answers.nodes.size(); ++i)
    report.nodes.push_back(judged(i, answers.nodes, holders, fleet, catalog));
  judge_network(report, answers.pairs);
  name_missing_pairs(report, answers.pairs);
  return report;
}

}  // namespace fathom::probe
