#include "plan/economics.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "plan/predict.h"

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

std::optional<PsuBank> psu_bank(const Node& node, const Catalog& catalog) {
  if (!node.psu || node.psu->grade.empty()) return std::nullopt;
  for (const PsuEfficiency& curve : catalog.all<PsuEfficiency>()) {
    if (curve.grade != node.psu->grade || curve.standard != "internal-redundant-230v") continue;
    PsuBank bank{.count = node.psu->count, .rated = node.psu->rated};
    for (std::size_t i = 0; i < curve.loads.size(); ++i) bank.curve.push_back({curve.loads[i], curve.efficiencies[i]});
    return bank;
  }
  return std::nullopt;
}

NodeParts parts_of(const Node& node, const Site& site, const Catalog& catalog) {
  NodeParts parts;
  if (node.accelerator != nullptr && node.accelerator->tdp) {
    parts.accelerator = accelerator_power_model(node.accelerator->id, node.accelerator->tdp->value);
  }
  parts.accelerators = node.accelerators;
  if (node.cpu != nullptr && node.cpu->tdp) parts.cpu_tdp = node.cpu->tdp->value;
  parts.cpus = node.cpus;
  parts.memory = node.memory;
  for (const Disk& disk : node.disks) parts.disks += disk.count;
  for (const Nic& nic : node.nics) parts.nics.push_back({.count = nic.count, .rate = nic.rate});
  parts.scale_up_switches = node.accelerator != nullptr && node.accelerator->scale_up.kind == ScaleUpKind::kSwitch && node.accelerators >= 4;
  parts.cooling = site.kind == SiteKind::kHome ? Cooling::kDesktop : site.liquid_cooling ? Cooling::kLiquid : Cooling::kAir;
  parts.psu = psu_bank(node, catalog);
  parts.stated = {.rated = node.power.rated, .peak = node.power.peak, .idle = node.power.idle, .mean = node.power.mean, .overhead = node.power.overhead};
  return parts;
}

GroupLoad load_of(const Group& group, const Cluster& cluster, const Catalog& catalog, const Problem& problem, const Solution* solution,
                  double utilisation) {
  const GroupUse use = use_of(group, problem, solution);
  const Activity activity{.busy = 1, .memory = use.activity.memory, .compute = use.activity.compute};
  const bool serves = use.nodes > 0;
  return {.id = group.id,
          .node = node_power(parts_of(group.node, cluster.site_of(group), catalog), activity),
          .nodes = serves ? use.nodes : 0,
          .standby = group.nodes - (serves ? use.nodes : 0),
          .busy = serves ? use.activity.busy * utilisation : 0,
          .height_u = group.node.height_u};
}

std::vector<NetworkLoad> switches_of(const Cluster& cluster, const Catalog& catalog) {
  std::vector<NetworkLoad> loads;
  for (const Fabric& fabric : cluster.fabrics) {
    for (const SwitchTier& tier : fabric.switches) {
      NetworkLoad load{.what = fmt::format("{}: {}", tier.role, tier.part), .count = tier.count};
      try {
        const Switch& part = catalog.find<Switch>(tier.part);
        if (part.power_typical) load.each = part.power_typical->value;
      } catch (const LookupError&) {  // a part the catalog does not know has unknown power
      }
      loads.push_back(std::move(load));
    }
  }
  return loads;
}

SiteConditions conditions_of(const Site& site) {
  const Plant plant = site.kind == SiteKind::kHome ? Plant::kHome : site.liquid_cooling ? Plant::kLiquidCooled : Plant::kAirCooled;
  SiteConditions c{.id = site.id, .places = site.count, .pue = site.pue.value_or(typical_pue(plant)), .other_it = site.other_it_load,
                   .rack_power = site.rack_power};
  if (site.rack_units) c.rack_units = *site.rack_units;
  if (site.circuit_volts && site.circuit_amps) c.circuit = Watts(*site.circuit_volts * *site.circuit_amps);
  return c;
}

// Sites in the order of the file; switches count at the first site that has accelerators.
std::vector<SitePower> power_of_sites(const Cluster& cluster, const Catalog& catalog, const Problem& problem, const Solution* solution,
                                      double utilisation) {
  std::vector<SitePower> result;
  bool network_placed = false;
  for (const Site& site : cluster.sites) {
    std::vector<GroupLoad> groups;
    for (const Group& group : cluster.groups) {
      if (group.site == site.id) groups.push_back(load_of(group, cluster, catalog, problem, solution, utilisation));
    }
    std::vector<NetworkLoad> network;
    if (!network_placed && !groups.empty()) {
      network = switches_of(cluster, catalog);
      network_placed = true;
    }
    if (!groups.empty()) result.push_back(site_power(conditions_of(site), groups, network));
  }
  return result;
}

std::optional<BytesPerSecond> load_bandwidth(const Cluster& cluster, const Group& group) {
  if (cluster.availability.weight_load) return cluster.availability.weight_load;
  std::optional<BytesPerSecond> fastest;
  for (const Disk& disk : group.node.disks) {
    if (disk.read && (!fastest || *disk.read * disk.count > *fastest)) fastest = *disk.read * disk.count;
  }
  return fastest;
}

AvailabilityReport availability_of(const Cluster& cluster, const Candidate& c) {
  const Group& group = *c.pool->group;
  const int per_node = c.pool->per_node;
  const int nodes_per_replica = std::max(1, (c.layout.devices_per_replica() + per_node - 1) / per_node);
  const int used = (c.layout.devices_per_replica() * c.layout.replicas + per_node - 1) / per_node;
  const AvailabilityInput& a = cluster.availability;
  ServiceCase service;
  service.replicas = c.layout.replicas;
  service.nodes_per_replica = nodes_per_replica;
  service.spare_nodes = std::max(0, group.nodes - std::max(used, nodes_per_replica * c.layout.replicas));
  if (c.layout.devices_per_replica() < per_node) {  // several replicas on one node: the node is the unit that fails
    service.replicas = used;
    service.nodes_per_replica = 1;
  }
  // Enough replicas for the stated load; the load point tells how much of the capacity it takes.
  if (c.maximum && c.maximum->requests_per_s > 0) {
    const double needed = std::ceil(c.load.requests_per_s / c.maximum->requests_per_s * service.replicas - 1e-9);
    service.replicas_needed = std::clamp(static_cast<int>(needed), 1, service.replicas);
  }
  service.nodes_per_failure_domain = c.pool->failure_domain;
  if (const Site& site = cluster.site_of(group); site.kind != SiteKind::kHome) service.mains_availability = site.mains_availability;
  service.node = node_reliability({.availability = group.availability, .failures_per_1000_node_days = a.failures_per_1000_node_days, .mttr = a.mttr});
  service.failover = failover({.detect = a.detect, .reroute = a.reroute, .weights_per_node = c.memory.worst().weights() * std::min(per_node, c.layout.devices_per_replica()),
                               .load = load_bandwidth(cluster, group)});
  if (a.target) service.target = a.target->value;
  return service_availability(service);
}

void add_availability(Plan& plan, const Cluster& cluster, const Solution& solution) {
  std::vector<Estimate<double>> parts;
  for (const Candidate& c : solution.pools) {
    AvailabilityReport report = availability_of(cluster, c);
    parts.push_back(report.service);
    if (!plan.availability || report.service.likely < plan.availability->service.likely) plan.availability = std::move(report);
  }
  // Prefill and decode pools must both be there; the report details the weaker one.
  if (solution.pools.size() > 1 && solution.pools.front().role == PoolRole::kPrefill) plan.availability->service = in_series(parts);
}

void add_cost(Plan& plan, const Cluster& cluster, const std::vector<SitePower>& sites, const Workload& w) {
  std::vector<EnergyUse> energy;
  for (const SitePower& site : sites) energy.push_back({.site = site.site, .per_year = site.per_year, .complete = site.unknown.empty()});
  Delivery delivery;
  for (const PlanPool& pool : plan.pools) delivery.accelerators += pool.devices;
  if (plan.fits) delivery.output_tok_per_s = plan.maximum ? plan.maximum->output_tok_per_s : plan.predictions.output_tok_per_s;
  delivery.output_per_request = w.output_tokens.mean;
  delivery.input_per_output = w.input_tokens.mean / std::max(1.0, w.output_tokens.mean);
  delivery.utilisation = utilisation_of(cluster.finance).value;
  delivery.availability = plan.availability ? plan.availability->service.likely : 1;
  plan.cost = total_cost(cluster, energy, delivery);
}

}  // namespace

void add_economics(Plan& plan, const Cluster& cluster, const Catalog& catalog, const Problem& problem, const SearchResult& found) {
  const Solution* best = found.solutions.empty() ? nullptr : &found.solutions.front();
  const std::vector<SitePower> sites =
      power_of_sites(cluster, catalog, problem, best, utilisation_of(cluster.finance).value);
  if (!sites.empty()) plan.power = total_power(sites);
  if (best != nullptr) add_availability(plan, cluster, *best);
  add_cost(plan, cluster, sites, problem.workload);
}

}  // namespace fathom
