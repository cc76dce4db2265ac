// What stays when a node fails: spares, what its nodes can give at best, and what fails together.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "availability/from_cluster.h"
#include "check/claims_sizing.h"
#include "check/design_lookup.h"
#include "check/design_rules.h"
#include "units/text.h"

namespace fathom {

namespace {

void spares(const Design& design, Findings& findings) {
  constexpr double kNoSpareNeeded = 0.99;  // a node that fails three days in a year is met without a spare
  const double target = design.cluster.availability.target->value;
  if (target <= kNoSpareNeeded) return;
  for (const Group& g : design.cluster.groups) {
    if (g.node.accelerators > 0 && g.spares > 0) return;
  }
  findings.add("availability.spares", design.at({"availability", "target"}),
               {.message = fmt::format("{} are asked for and no node is held back", percent(target)),
                .help = "spares: in the group, or a target that a repair of some days meets"});
}

// One copy is enough for the load, and every node that it does not take belongs to another.
PoolPlan best_case(const Design& d, const Group& g, const Architecture& model) {
  double devices = 0;
  for (const WeightScheme& scheme : allowed_schemes(d.cluster, g, model)) {
    const double needed = claims::devices_per_copy(model, scheme, claims::device_memory(*g.node.accelerator));
    devices = devices == 0 ? needed : std::min(devices, needed);
  }
  const int per_copy = static_cast<int>(std::min<double>(g.nodes, std::ceil(devices / g.node.accelerators)));
  const int copies = g.nodes / per_copy;
  return {.replicas = copies, .nodes_per_replica = per_copy, .nodes_used = copies * per_copy, .replicas_needed = 1};
}

void out_of_reach(const Design& d, Findings& out) {
  const double target = d.cluster.availability.target->value;
  const Group* only = nullptr;
  for (const Group& g : d.cluster.groups) {
    if (!serves(g)) continue;
    if (only != nullptr) return;  // groups stand in for each other
    only = &g;
  }
  constexpr int kMostNodes = 100'000;  // more states than a check has time for
  if (only == nullptr || only->nodes > kMostNodes || d.cluster.workload.offload_experts) return;
  const PoolPlan plan = best_case(d, *only, model_of(d));
  const AvailabilityReport best =
      service_availability(service_case(*only, d.cluster.site_of(*only), d.cluster.availability, plan));
  if (best.service.max >= target) return;
  out.add(
      "availability.service", d.at({"availability", "target"}),
      {.message = fmt::format("{} are asked for, {} are reached at best: {} of {} nodes for one copy, all others in "
                              "reserve",
                              percent(target), percent(best.service.max), plan.nodes_per_replica, only->nodes),
       .terms = {best.limited_by},
       .help = "more nodes, nodes that fail less, or a lower target"});
}

// Everything in one place that fails as a whole.
void common_cause(const Design& d, Findings& out) {
  constexpr double kOneFeed = 0.999;  // what a rack with its switch and feed gives: docs/formulas/availability.md
  const double target = d.cluster.availability.target->value;
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Group& g = d.cluster.groups[i];
    if (!serves(g) || g.nodes < 2 || g.nodes_per_failure_domain.value_or(1) < g.nodes || target < kOneFeed) continue;
    out.add(
        "availability.common_cause", d.at({"groups", i, "nodes_per_failure_domain"}),
        {.message = fmt::format("{}: all {} nodes fail together, and {} are asked for", g.id, g.nodes, percent(target)),
         .help = "nodes in several racks or buildings, each with its own feed and switch"});
  }
}

}  // namespace

void check_availability(const Design& design, Findings& findings) {
  if (!design.cluster.availability.target) return;
  spares(design, findings);
  out_of_reach(design, findings);
  common_cause(design, findings);
}

}  // namespace fathom
