// How often a node fails, how long it stays away, how long a replica takes to come back elsewhere: what the design
// states, else published figures, marked as assumed. Names follow `availability` in cluster.yaml.
#pragma once

#include <optional>

#include "units/fact.h"
#include "units/quantity.h"

namespace fathom {

// Defaults. Failures and detection: "Revisiting Reliability in Large-Scale ML Research Clusters" (Meta RSC), 2.34 and
// 6.50 failures per 1,000 node-days on two clusters, health checks every 5 minutes. Repair: Delta (arXiv 2503.11901),
// 2.2 h by software, 3 to 5 days by a swapped part; a day between them is a judgement.
Fact<double> published_failures_per_1000_node_days();  // 4.0 in 2.34 … 6.5
Fact<Seconds> published_time_to_repair();              // 24 h in 2.2 h … 120 h

struct ReliabilityInput {
  std::optional<Fact<double>> availability = {};  // of one node, mains and owner included
  std::optional<Fact<double>> failures_per_1000_node_days = {};
  std::optional<Fact<Seconds>> mttr = {};
};

struct NodeReliability {
  Fact<double> failures_per_1000_node_days = {};
  Fact<Seconds> mttr = {};
  Fact<double> availability = {};
  bool availability_stated = false;  // then repairs are nobody's queue: each owner sees to his own
};

// A stated availability wins; the failure rate then follows from it and the time to repair, unless it is stated too.
NodeReliability node_reliability(const ReliabilityInput& input);

double failures_per_node_year(double failures_per_1000_node_days);  // 365 days

struct FailoverInput {
  std::optional<Seconds> detect = {};
  std::optional<Seconds> reroute = {};  // stated: a warm spare holds the weights already
  Bytes weights_per_node{};
  std::optional<BytesPerSecond> load = {};  // slowest of disks, network and loader, towards one node
  std::optional<Seconds> start = {};        // engine start and warm-up after the weights are there
};

struct Failover {
  Seconds detect{};
  Seconds load{};   // weights / bandwidth; 0 for a warm spare
  Seconds start{};  // or the re-routing to a warm spare
  bool warm = false;
  Confidence confidence = Confidence::kAssumed;

  Seconds total() const { return detect + load + start; }
};

Failover failover(const FailoverInput& input);

}  // namespace fathom
