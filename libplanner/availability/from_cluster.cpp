#include "availability/from_cluster.h"

#include <algorithm>

namespace fathom {
namespace {

Fact<double> product(const Fact<double>& a, const Fact<double>& b) {
  return {.value = a.value * b.value,
          .low = a.low_or_value() * b.low_or_value(),
          .high = a.high_or_value() * b.high_or_value(),
          .origin = {
              .source = "node * mains", .date = {}, .confidence = weakest(a.origin.confidence, b.origin.confidence)}};
}

NodeReliability node_of(const Group& group, const Site& site, const AvailabilityInput& input) {
  ReliabilityInput reliability{.availability = group.availability,
                               .failures_per_1000_node_days = input.failures_per_1000_node_days,
                               .mttr = input.mttr};
  const bool own_mains = site.kind == SiteKind::kHome && site.mains_availability && !group.availability;
  if (own_mains)
    reliability.availability = product(node_reliability(reliability).availability, *site.mains_availability);
  return node_reliability(reliability);
}

Failover failover_of(const AvailabilityInput& input, const PoolPlan& plan) {
  return failover({.detect = input.detect,
                   .reroute = input.reroute,
                   .weights_per_node = plan.weights_per_node,
                   .load = input.weight_load ? input.weight_load : plan.disk_read,
                   .start = plan.engine_start});
}

}  // namespace

ServiceCase service_case(const Group& group, const Site& site, const AvailabilityInput& input, const PoolPlan& plan) {
  ServiceCase service{.replicas = plan.replicas,
                      .nodes_per_replica = plan.nodes_per_replica,
                      .replicas_needed = plan.replicas_needed,
                      .spare_nodes = std::max(0, group.nodes - plan.nodes_used),
                      .nodes_per_failure_domain = group.nodes_per_failure_domain.value_or(1),
                      .node = node_of(group, site, input),
                      .failover = failover_of(input, plan)};
  if (site.kind != SiteKind::kHome) service.mains_availability = site.mains_availability;
  if (input.target) service.target = input.target->value;
  return service;
}

}  // namespace fathom
