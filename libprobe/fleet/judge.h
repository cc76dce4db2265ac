// A fleet's records to a verdict: each node on its own and against the others, and the network between them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fleet/gather.h"
#include "fleet/link_matrix.h"
#include "health/health.h"

namespace fathom::probe {

struct FleetNode {
  std::string name;
  std::string trouble;  // why there is no record; then its health is unknown, by probe.no-record
  HealthReport health;
};

// Of one case of one device, peers here, other nodes and a reference may each have a finding: the gravest, and the rules of the others.
struct Complaint {
  HealthFinding gravest;
  std::vector<std::string> others;
};
std::vector<Complaint> complaints_of(const HealthReport& health);  // in the order of the findings

struct FleetReport {
  std::string file;     // hosts.yaml
  std::string version;  // of the program
  std::vector<FleetNode> nodes;
  std::vector<HealthFinding> network;     // slow nodes and links
  std::vector<std::string> not_measured;  // pairs, with the reason
  int links = 0;                          // measured, one direction each
  double typical = 0;                     // bandwidth of a link, B/s; 0: none was measured

  Health health() const;                               // the worst of all
  std::vector<std::pair<Health, int>> counts() const;  // nodes, the gravest first; what no node is is left out
  std::vector<FleetNode> worst_first() const;          // alike ones as they stand in the file
  bool passed() const { return health() == Health::kHealthy && not_measured.empty(); }
};

FleetReport judge_nodes(const Fleet& fleet, FleetAnswers answers, const Catalog& catalog);

// What the pairs measured; numbers of hosts as in the fleet.
LinkMatrix links_of(std::size_t nodes, const std::vector<Answer>& pairs);

}  // namespace fathom::probe
