// Like devices in one node do alike: whoever is slower than the others has a reason.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "harness/statistics.h"
#include "health/limits_of_parts.h"
#include "health/rules.h"

namespace fathom::probe {

namespace {

constexpr double kSuspectRatio = 0.95, kDegradedRatio = 0.90;
constexpr double kMostScore = 3.5, kLeastEffect = 0.03;  // from six on; both, because tight groups flag half a per cent
constexpr double kLeastMad = 0.005;                      // of the median: quantised clocks have a MAD of 0
constexpr std::size_t kEnoughForScores = 6;

// Results that differ in nothing but their device, of devices of one kind.
using PeerKey = std::tuple<std::string, std::string, std::string, std::string, std::string, std::string, int>;

std::string kind_of(const std::string& device, const MachineRecord& record) {
  const std::vector<std::string> parts = devices_of(device);
  std::string kind;
  for (const std::string& part : parts) {
    const Gpu* gpu = record.gpu(part);
    kind += (gpu == nullptr ? "?" : gpu->name) + "/";
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
          static_cast<int>(r.unit)};
}

double goodness(const Result& r) { return more_is_better(r.unit) ? r.figure->median : 1 / r.figure->median; }

// The median of all but one, so that with two the slower one is seen, too.
double median_of_others(const std::vector<const Result*>& peers, const Result* one) {
  std::vector<double> others;
  for (const Result* r : peers) {
    if (r != one) others.push_back(goodness(*r));
  }
  return median_of(others);
}

std::optional<Health> verdict(const std::vector<const Result*>& peers, const Result* one, double others) {
  const double ratio = goodness(*one) / others;
  if (ratio < kDegradedRatio) return Health::kDegraded;
  if (ratio < kSuspectRatio) return Health::kSuspect;
  if (peers.size() < kEnoughForScores) return std::nullopt;
  std::vector<double> all;
  for (const Result* r : peers) all.push_back(goodness(*r));
  const double median = median_of(all);
  const double score = 0.6745 * (goodness(*one) - median) / std::max(mad_of(all, median), kLeastMad * median);
  return score < -kMostScore && ratio < 1 - kLeastEffect ? std::optional(Health::kSuspect) : std::nullopt;
}

void judge_group(const std::vector<const Result*>& peers, Findings& findings) {
  if (peers.size() < 2) return;
  for (const Result* one : peers) {
    const double others = median_of_others(peers, one);
    const std::optional<Health> health = verdict(peers, one, others);
    if (!health) continue;
    const double expected = more_is_better(one->unit) ? others : 1 / others;
    findings.push_back(
        {.rule = "probe.slower-than-peers",
         .health = *health,
         .device = one->device,
         .what = what_of(*one),
         .measured = text_of(one->unit, one->figure->median),
         .expected = fmt::format("{}, the median of {} like it", text_of(one->unit, expected), peers.size() - 1),
         .source = "peers in this node",
         .next = "swap it with a healthy one: the figure moves with the part or stays with the place"});
  }
}

}  // namespace

void judge_peers(const HealthCase& machine, Findings& findings) {
  std::map<PeerKey, std::vector<const Result*>> groups;
  for (const Result& r : machine.record.results) {
    const bool of_gpu = machine.record.gpu(devices_of(r.device).front()) != nullptr;
    if (of_gpu && is_usable(r, machine)) groups[key_of(r, machine.record)].push_back(&r);
  }
  for (const auto& [key, peers] : groups) judge_group(peers, findings);
}

}  // namespace fathom::probe
