#include "plan/economics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "availability/from_cluster.h"
#include "plan/measured_node.h"
#include "plan/predict.h"
#include "power/from_cluster.h"
#include "units/text.h"

namespace fathom {

namespace {

// What one group does in the chosen solution: on average, when its nodes are not in any replica they stand by.
struct GroupUse {
  DeviceActivity activity;
  int nodes = 0;  // with at least one device in a replica
};

GroupUse use_of(const Group& group, const Problem& problem, const Solution* solution) {
  GroupUse use;
  if (solution == nullptr) return use;
  for (const Candidate& c : solution->pools) {
    if (c.pool->group->id != group.id) continue;
    const DeviceActivity a = activity(problem, c);
    const int devices = c.layout.devices_per_replica() * c.layout.replicas;
    const int nodes = (devices + c.pool->per_node - 1) / c.pool->per_node;
    const double share = static_cast<double>(nodes) / (use.nodes + nodes);  // one group cut in two pools: mean by nodes
    use.activity.busy += (a.busy - use.activity.busy) * share;
    use.activity.memory += (a.memory - use.activity.memory) * share;
    use.activity.compute += (a.compute - use.activity.compute) * share;
    use.nodes += nodes;
  }
  return use;
}

GroupLoad load_of(const Group& group, const Cluster& cluster, const Catalog& catalog, const Problem& problem,
                  const Solution* solution, double utilisation) {
  const GroupUse use = use_of(group, problem, solution);
  const Activity activity{.busy = 1, .memory = use.activity.memory, .compute = use.activity.compute};
  const bool serves = use.nodes > 0;
  return {.id = group.id,
          .node = node_power(parts_of(group, cluster, catalog, problem.engine.measured.get()), activity),
          .nodes = serves ? use.nodes : 0,
          .standby = group.nodes - (serves ? use.nodes : 0),
          .busy = serves ? use.activity.busy * utilisation : 0,
          .height_u = group.node.height_u};
}

// Sites in the order of the file; switches count at the first site that has accelerators.
std::vector<SitePower> power_of_sites(const Cluster& cluster, const Catalog& catalog, const Problem& problem,
                                      const Solution* solution, double utilisation) {
  std::vector<SitePower> result;
  bool network_placed = false;
  for (const Site& site : cluster.sites) {
    std::vector<GroupLoad> groups;
    for (const Group& group : cluster.groups) {
      if (group.site == site.id) groups.push_back(load_of(group, cluster, catalog, problem, solution, utilisation));
    }
    std::vector<NetworkLoad> network;
    if (!network_placed && !groups.empty()) {
      network = network_loads(cluster, catalog);
      network_placed = true;
    }
    if (!groups.empty()) result.push_back(site_power(site_conditions(site), groups, network));
  }
  return result;
}

AvailabilityReport availability_of(const Cluster& cluster, const Candidate& c, const Profile* profile) {
  const Group& group = *c.pool->group;
  const int devices = c.layout.devices_per_replica(), per_node = c.pool->per_node;
  PoolPlan pool;
  // Replicas smaller than a node fail together with it: the node is the unit then.
  const int per_unit = std::max(1, per_node / devices);
  pool.replicas = (c.layout.replicas + per_unit - 1) / per_unit;
  pool.nodes_per_replica = (devices + per_node - 1) / per_node;
  pool.nodes_used = std::max(pool.nodes_per_replica, (devices * c.layout.replicas + per_node - 1) / per_node);
  pool.weights_per_node = c.memory.worst().weights() * std::min(per_node, devices * c.layout.replicas);
  pool.disk_read = weight_read(group.node, profile);
  // Enough replicas for the stated load; the load point tells how much of the capacity it takes.
  if (c.maximum && c.maximum->requests_per_s > 0) {
    const double needed = std::ceil(c.load.requests_per_s / c.maximum->requests_per_s * pool.replicas - 1e-9);
    pool.replicas_needed = std::clamp(static_cast<int>(needed), 1, pool.replicas);
  }
  return service_availability(service_case(group, cluster.site_of(group), cluster.availability, pool));
}

// A stated `weight_load` wins, and a warm spare loads nothing.
void say_what_loads_weights(Plan& plan, const Cluster& cluster, const Candidate& c, const Profile* profile) {
  const bool stated = cluster.availability.weight_load || cluster.availability.reroute;
  if (stated || !is_measured(c.pool->group->node, profile) || !profile->storage) return;
  plan.notes.push_back(fmt::format("{}: weights are loaded with {} after a failure: measured, {}", c.pool->group->id,
                                   to_string(*profile->storage), profile->file));
}

void add_availability(Plan& plan, const Cluster& cluster, const Solution& solution, const Profile* profile) {
  std::vector<Estimate<double>> parts;
  for (const Candidate& c : solution.pools) {
    AvailabilityReport report = availability_of(cluster, c, profile);
    say_what_loads_weights(plan, cluster, c, profile);
    parts.push_back(report.service);
    if (!plan.availability || report.service.likely < plan.availability->service.likely)
      plan.availability = std::move(report);
  }
  // Prefill and decode pools must both be there; the report details the weaker one.
  if (solution.pools.size() > 1 && solution.pools.front().role == PoolRole::kPrefill)
    plan.availability->service = in_series(parts);
}

void add_cost(Plan& plan, const Cluster& cluster, const std::vector<SitePower>& sites, const Workload& w) {
  std::vector<EnergyUse> energy;
  for (const SitePower& site : sites)
    energy.push_back({.site = site.site, .per_year = site.per_year, .complete = site.unknown.empty()});
  Delivery delivery;
  for (const PlanPool& pool : plan.pools) delivery.accelerators += pool.devices;
  // Energy is that of the stated load, so tokens are too.
  if (plan.fits) delivery.output_tok_per_s = plan.predictions.output_tok_per_s;
  delivery.output_per_request = w.output_tokens.mean;
  delivery.input_per_output = w.input_tokens.mean / std::max(1.0, w.output_tokens.mean);
  delivery.utilisation = utilisation_of(cluster.finance).value;
  delivery.availability = plan.availability ? plan.availability->service.likely : 1;
  try {
    plan.cost = total_cost(cluster, energy, delivery);
  } catch (const MoneyError& error) {  // prices and counts that are each possible, but not together
    plan.notes.push_back(fmt::format("no cost: {}", error.what()));
  }
}

// A stated mean is a claim: it is shown beside the model's figure and changes nothing.
void compare_stated_power(Plan& plan, const Cluster& cluster) {
  if (!plan.power) return;
  for (const Group& group : cluster.groups) {
    for (const GroupPower& row : plan.power->groups) {
      if (row.id != group.id || !group.node.power.mean || group.node.accelerators < 1) continue;
      plan.notes.push_back(fmt::format("{}: {} per node stated as mean; the model has {} idle, {} under load", group.id,
                                       to_string(group.node.power.mean->value), to_string(row.node.idle.likely),
                                       to_string(row.node.busy.likely)));
    }
  }
}

}  // namespace

void add_economics(Plan& plan, const Cluster& cluster, const Catalog& catalog, const Problem& problem,
                   const SearchResult& found) {
  const Solution* best = found.solutions.empty() ? nullptr : &found.solutions.front();
  const std::vector<SitePower> sites =
      power_of_sites(cluster, catalog, problem, best, utilisation_of(cluster.finance).value);
  if (!sites.empty()) plan.power = total_power(sites);
  compare_stated_power(plan, cluster);
  if (best != nullptr) add_availability(plan, cluster, *best, problem.engine.measured.get());
  add_cost(plan, cluster, sites, problem.workload);
}

}  // namespace fathom
