#include "power/from_cluster.h"

#include "catalog/catalog.h"

namespace fathom {
namespace {

// The file may use its own words for a part; then nothing is known about it.
template <class Part>
const Part* known(const Catalog& catalog, const std::string& name) {
  if (name.empty()) return nullptr;
  try {
    return &catalog.find<Part>(name);
  } catch (const LookupError&) {
    return nullptr;
  }
}

std::optional<Watts> value_of(const std::optional<Fact<Watts>>& fact) {
  return fact ? std::optional(fact->value) : std::nullopt;
}

std::optional<AcceleratorPowerModel> accelerator_of(const Node& node) {
  if (node.accelerator == nullptr || !node.accelerator->tdp) return std::nullopt;
  return accelerator_power_model(node.accelerator->id, node.accelerator->tdp->value);
}

NicLoad nic_load(const Nic& nic, const Catalog& catalog) {
  const NetworkCard* card = known<NetworkCard>(catalog, nic.part);
  return {
      .count = nic.count, .rate = nic.rate, .typical = card == nullptr ? std::nullopt : value_of(card->power_typical)};
}

PsuCurve curve_of(const PsuEfficiency& psu) {
  PsuCurve curve;
  for (std::size_t i = 0; i < psu.loads.size(); ++i) {
    curve.push_back({.load = psu.loads[i], .efficiency = psu.efficiencies[i]});
  }
  return curve;
}

std::optional<PsuBank> psu_of(const Node& node, const Catalog& catalog) {
  if (!node.psu) return std::nullopt;
  const PsuEfficiency* psu = known<PsuEfficiency>(catalog, node.psu->grade.empty() ? "gold" : node.psu->grade);
  if (psu == nullptr) return std::nullopt;
  return PsuBank{.curve = curve_of(*psu), .count = node.psu->count, .rated = node.psu->rated};
}

Cooling cooling_of(const Site& site) {
  if (site.liquid_cooling) return Cooling::kLiquid;
  return site.kind == SiteKind::kHome ? Cooling::kDesktop : Cooling::kAir;
}

StatedPower stated_power(const NodePower& power) {
  return {.rated = power.rated, .peak = power.peak, .idle = power.idle, .mean = power.mean, .overhead = power.overhead};
}

Plant plant_of(const Site& site) {
  if (site.kind == SiteKind::kHome) return Plant::kHome;
  return site.liquid_cooling ? Plant::kLiquidCooled : Plant::kAirCooled;
}

}  // namespace

NodeParts node_parts(const Node& node, const Site& site, const Catalog& catalog) {
  NodeParts parts{.accelerator = accelerator_of(node),
                  .accelerators = node.accelerators,
                  .cpus = node.cpus,
                  .memory = node.memory,
                  .cooling = cooling_of(site),
                  .psu = psu_of(node, catalog),
                  .stated = stated_power(node.power)};
  if (node.cpu != nullptr) parts.cpu_tdp = value_of(node.cpu->tdp);
  for (const Disk& disk : node.disks) parts.disks += disk.count;
  for (const Nic& nic : node.nics) parts.nics.push_back(nic_load(nic, catalog));
  const bool switched = node.accelerator != nullptr && node.accelerator->scale_up.kind == ScaleUpKind::kSwitch;
  parts.scale_up_switches = node.scale_up.value_or(true) && switched && node.accelerators > 1;
  return parts;
}

SiteConditions site_conditions(const Site& site) {
  SiteConditions conditions{.id = site.id,
                            .places = site.count,
                            .pue = site.pue.value_or(typical_pue(plant_of(site))),
                            .other_it = site.other_it_load,
                            .rack_power = site.rack_power,
                            .rack_units = site.rack_units.value_or(42)};
  if (site.circuit_volts && site.circuit_amps) conditions.circuit = Watts(*site.circuit_volts * *site.circuit_amps);
  return conditions;
}

std::vector<NetworkLoad> network_loads(const Cluster& cluster, const Catalog& catalog) {
  std::vector<NetworkLoad> loads;
  for (const Fabric& fabric : cluster.fabrics) {
    for (const SwitchTier& tier : fabric.switches) {
      const Switch* part = known<Switch>(catalog, tier.part);
      NetworkLoad load{.what = fabric.id + "." + tier.role + (tier.part.empty() ? "" : ": " + tier.part),
                       .count = tier.count};
      if (part != nullptr) load.each = part->power_typical ? value_of(part->power_typical) : value_of(part->power_max);
      loads.push_back(load);
    }
  }
  return loads;
}

}  // namespace fathom
