// Will enough replicas be there, and what does each failover cost? One pool of equal nodes; pools in series multiply.
//
// Two losses are told apart: too few nodes alive (capacity), and the minutes in which a replica comes back although a
// spare is there (failover). Any node of the pool can take any place in any replica. Formulas and sources:
// docs/formulas/availability.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "availability/reliability.h"
#include "units/fact.h"
#include "units/quantity.h"

namespace fathom {

struct ServiceCase {
  int replicas = 1;
  int nodes_per_replica = 1;
  std::optional<int> replicas_needed = {};  // to carry the load; default: all
  int spare_nodes = 0;                      // beyond replicas * nodes_per_replica
  int nodes_per_failure_domain = 1;
  std::optional<Fact<double>> domain_availability =
      {};  // of what a domain shares; default 0.999 when domains have members
  std::optional<Fact<double>> mains_availability = {};  // of the one site below all nodes; homes count it in the node
  std::optional<int> repair_crews = {};                 // default: one per hundred nodes, none queues when A is stated
  NodeReliability node = {};
  Failover failover = {};
  std::optional<double> target = {};
};

struct AvailabilityReport {
  Estimate<double> service;               // share of the year with the needed replicas serving, failovers taken off
  double capacity = 0;                    // P(enough nodes are up)
  double capacity_share = 0;              // expected replicas that can run / replicas
  double per_replica = 0;                 // P(one replica's own nodes are all up), no spare
  double failures_per_year = 0;           // that hit a serving node
  double failover_loss = 0;               // share of the service lost to failovers
  int replicas = 0, replicas_needed = 0;  // needed: to carry the load
  int spare_nodes = 0;
  std::optional<int> spares_needed =
      {};  // fewest spares that meet the target; absent without target, or if none suffices
  Seconds failover{};
  Seconds downtime_per_year{};
  std::optional<bool> meets_target = {};
  std::optional<Seconds> budget_left = {};       // per year; negative: overdrawn
  std::optional<Seconds> failover_allowed = {};  // longest failover that the target leaves with perfect spares
  std::string limited_by = {};                   // the largest of the losses, in words
  std::vector<std::string> assumptions = {};     // what nobody stated
};

// Throws std::invalid_argument for counts below 1 or shares outside [0, 1].
AvailabilityReport service_availability(const ServiceCase& service);

// Pools that must all be there (prefill and decode): the product, bounds included.
Estimate<double> in_series(const std::vector<Estimate<double>>& parts);

}  // namespace fathom
