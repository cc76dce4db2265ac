// Links by name and rate, optics and fibre, ports, and the lanes that cards share.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/design_rules.h"
#include "units/text.h"

namespace fathom {

namespace {

std::string gigabits(BytesPerSecond rate) { return fmt::format("{:g} Gb/s", rate.value * 8 / 1e9); }

const LinkGeneration* generation(const Catalog& catalog, const std::string& family, const std::string& name) {
  for (const LinkGeneration& link : catalog.all<LinkGeneration>()) {
    if (words(LinkFamily{})[static_cast<std::size_t>(link.family)] == family && link.name == name) return &link;
  }
  return nullptr;
}

// A fabric that is called EDR carries 100 Gb/s, whatever its cards could do.
void names(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Node& node = d.cluster.groups[i].node;
    for (std::size_t k = 0; k < node.nics.size(); ++k) {
      const Nic& nic = node.nics[k];
      const Fabric* fabric = d.cluster.fabric(nic.fabric);
      if (fabric == nullptr || fabric->generation.empty()) continue;
      const LinkGeneration* link = generation(d.catalog, fabric->kind, fabric->generation);
      if (link == nullptr || nic.rate <= link->rate.value * 1.02) continue;
      out.add("link.rate", d.at({"groups", i, "node", "nics", k, "rate"}),
              {.message = fmt::format("{} is {}, the card is said to run at {}", link->name, gigabits(link->rate.value),
                                      gigabits(nic.rate)),
               .help = "the fabric's true generation, or the rate that it carries"});
    }
  }
}

template <class T>
const T* known(const Catalog& catalog, const std::string& name) {
  if (name.empty()) return nullptr;
  try {
    return &catalog.find<T>(name);
  } catch (const LookupError&) {
    return nullptr;  // the writer's own words: not every part is in the catalog
  }
}

void cards(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Node& node = d.cluster.groups[i].node;
    for (std::size_t k = 0; k < node.nics.size(); ++k) {
      const Nic& nic = node.nics[k];
      const NetworkCard* card = known<NetworkCard>(d.catalog, nic.part);
      if (card == nullptr || !card->rate || nic.rate <= card->rate->value * 1.02) continue;
      out.add("nic.rate", d.at({"groups", i, "node", "nics", k, "rate"}),
              {.message = fmt::format("{} runs at {} at most, not at {}", card->name, gigabits(card->rate->value),
                                      gigabits(nic.rate)),
               .help = "a faster card, or the rate that this one has"});
    }
  }
}

// OM1 to OM5 are multimode, OS1, OS2 and "SMF" single-mode.
std::string fibre_class(const std::string& grade) {
  if (grade.starts_with("OM") || grade == "MMF") return "MMF";
  if (grade.starts_with("OS") || grade == "SMF" || grade.starts_with("G.65")) return "SMF";
  return {};
}

void optics(const Design& d, Findings& out) {
  for (std::size_t f = 0; f < d.cluster.fabrics.size(); ++f) {
    for (std::size_t k = 0; k < d.cluster.fabrics[f].links.size(); ++k) {
      const Link& link = d.cluster.fabrics[f].links[k];
      const Optic* optic = known<Optic>(d.catalog, link.medium);
      if (optic == nullptr || optic->kind != OpticKind::kOptic) continue;
      const Spot spot = d.at({"fabrics", f, "links", k, "fibre"});
      const std::string fibre = fibre_class(link.fibre);
      if (!fibre.empty() && fibre != optic->fibre) {
        out.add("link.fibre", spot,
                {.message = fmt::format("{} does not link over {}: it takes {}", optic->id, link.fibre,
                                        optic->fibre == "SMF" ? "single-mode fibre" : "multimode fibre"),
                 .help = optic->fibre == "SMF" ? "OS2 fibre, or SR modules where the distance allows"
                                               : "OM4 fibre, or LR modules"});
        continue;
      }
      const auto reach = optic->reach.find(link.fibre);
      if (!link.length || reach == optic->reach.end() || *link.length <= reach->second.value) continue;
      out.add("link.reach", d.at({"fabrics", f, "links", k, "length"}),
              {.message = fmt::format("{} reaches {} on {}, the link is {}", optic->id, to_string(reach->second.value),
                                      link.fibre, to_string(*link.length))});
    }
  }
}

// Ends of links of each role against the ports of its switches at that rate or above.
void ports(const Design& d, Findings& out) {
  for (std::size_t f = 0; f < d.cluster.fabrics.size(); ++f) {
    const Fabric& fabric = d.cluster.fabrics[f];
    for (std::size_t t = 0; t < fabric.switches.size(); ++t) {
      const SwitchTier& tier = fabric.switches[t];
      const Switch* model = known<Switch>(d.catalog, tier.part);
      if (model == nullptr) continue;
      double ends = 0, there = 0;
      for (const SwitchPorts& p : model->ports) there += static_cast<double>(p.count) * tier.count;
      for (const Link& link : fabric.links) {
        ends += link.from == tier.role ? link.count : 0;
        ends += link.to == tier.role ? link.count : 0;
      }
      if (ends <= there) continue;
      out.add("fabric.ports", d.at({"fabrics", f, "switches", t}),
              {.message =
                   fmt::format("{}: {:g} links end at {} switches with {:g} ports", fabric.id, ends, tier.role, there),
               .terms = {fmt::format("{} x {} ports = {:g}", tier.count, there / std::max(1, tier.count), there)},
               .help = fmt::format("{:g} switches of this kind",
                                   std::ceil(ends / std::max(1.0, there / std::max(1, tier.count))))});
    }
  }
}

// Three machines and more do not meet without a switch.
void switches(const Design& d, Findings& out) {
  for (std::size_t f = 0; f < d.cluster.fabrics.size(); ++f) {
    const Fabric& fabric = d.cluster.fabrics[f];
    double plugs = 0;
    int nodes = 0;
    for (const Group& g : d.cluster.groups) {
      for (const Nic& nic : g.node.nics) {
        if (nic.fabric != fabric.id) continue;
        plugs += static_cast<double>(nic.count) * g.nodes;
        nodes += g.nodes;
      }
    }
    if (!fabric.switches.empty() || nodes < 3) continue;
    out.add("bill.switches", d.at({"fabrics", f}),
            {.message = fmt::format("{}: {:g} ports of {} machines and no switch in the bill", fabric.id, plugs, nodes),
             .help = "switches:, and links: with their optics or cables"});
  }
}

void lanes(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Node& node = d.cluster.groups[i].node;
    if (node.cpu == nullptr || node.accelerator == nullptr || node.accelerators >= 8)
      continue;  // boards bring switches
    const PcieSlot slot = node.accelerator->pcie.value_or(PcieSlot{.generation = 4, .lanes = 16});
    if (node.cpu->pcie.lanes) {
      int cards = node.accelerators;
      for (const Nic& nic : node.nics) cards += nic.rate >= BytesPerSecond(100e9 / 8) ? nic.count : 0;
      const int needed = cards * 16, there = *node.cpu->pcie.lanes * node.cpus;
      if (needed > there) {
        out.add("pcie.lanes", d.at({"groups", i, "node", "cpu"}),
                {.message = fmt::format("{}: {} cards of x16 take {} lanes, the processors have {}",
                                        d.cluster.groups[i].id, cards, needed, there),
                 .help = "a second socket, a PCIe switch, or cards at x8"});
      }
    }
    if (slot.generation <= node.cpu->pcie.generation) continue;
    out.add(
        "part.pcie_generation", Severity::kWarning, d.at({"groups", i, "node", "cpu"}),
        {.message = fmt::format("{} is PCIe {}.0, {} offers {}.0: half the rate to the host", node.accelerator->name,
                                slot.generation, node.cpu->name, node.cpu->pcie.generation)});
  }
}

}  // namespace

void check_network(const Design& design, Findings& findings) {
  names(design, findings);
  cards(design, findings);
  optics(design, findings);
  ports(design, findings);
  switches(design, findings);
  lanes(design, findings);
}

}  // namespace fathom
