// What a fabric is made of: ports of switches, cables to the cards, and how much of it goes up.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "check/design_lookup.h"
#include "check/design_rules.h"
#include "check/part_figures.h"
#include "units/text.h"

namespace fathom {

namespace {

constexpr double kRounding = 1.02;

double ends_at(const Link& link, const std::string& name) {
  return static_cast<double>(link.count) * ((link.from == name ? 1 : 0) + (link.to == name ? 1 : 0));
}

// Ends of links against the ports of a tier: a cage takes a plug of its rate or a slower one.
void ports(const Design& d, std::size_t f, Findings& out) {
  const Fabric& fabric = d.cluster.fabrics[f];
  for (std::size_t t = 0; t < fabric.switches.size(); ++t) {
    const SwitchTier& tier = fabric.switches[t];
    const Switch* model = known<Switch>(d.catalog, tier.part);
    if (model == nullptr || model->ports.empty()) continue;
    std::set<double> rates;
    for (const Link& link : fabric.links) {
      if (ends_at(link, tier.role) > 0) rates.insert(link.rate.value);
    }
    for (const double rate : rates) {
      double ends = 0;
      for (const Link& link : fabric.links) ends += link.rate.value >= rate ? ends_at(link, tier.role) : 0;
      const double each = ports_at(*model, BytesPerSecond(rate / kRounding));
      if (ends <= each * tier.count) continue;
      const std::string fast = gigabits(BytesPerSecond(rate));
      out.add("fabric.ports", d.at({"fabrics", f, "switches", t}),
              {.message = fmt::format("{}: {:g} links of {} end at {} switches with {:g} such ports", fabric.id, ends,
                                      fast, tier.role, each * tier.count),
               .terms = {fmt::format("{} x {:g} ports = {:g}", tier.count, each, each * tier.count)},
               .help = each > 0 ? fmt::format("{:g} switches of this kind", std::ceil(ends / each))
                                : fmt::format("a switch with ports of {}", fast)});
      break;
    }
  }
}

// Far more switches than plugs: another figure was meant, or they are bought in vain. Each home may have its own.
void idle_switches(const Design& d, std::size_t f, Findings& out) {
  constexpr double kFarTooMany = 4;
  const Fabric& fabric = d.cluster.fabrics[f];
  int places = 0;
  for (const Site& site : d.cluster.sites) places += site.count;
  for (std::size_t t = 0; t < fabric.switches.size(); ++t) {
    const SwitchTier& tier = fabric.switches[t];
    const Switch* model = known<Switch>(d.catalog, tier.part);
    double ends = 0, each = 0;
    for (const Link& link : fabric.links) ends += ends_at(link, tier.role);
    if (model == nullptr || ends == 0) continue;
    for (const SwitchPorts& p : model->ports) each += p.count;
    const double needed = std::ceil(ends / std::max(1.0, each));
    if (tier.count < kFarTooMany * needed || tier.count <= places) continue;
    out.add("fabric.switch_count", Severity::kWarning, d.at({"fabrics", f, "switches", t, "count"}),
            {.message = fmt::format("{}: {} {} switches for {:g} plugs, {:g} would do", fabric.id, tier.count,
                                    tier.role, ends, needed),
             .terms = {fmt::format("{:g} / {:g} ports = {:g}", ends, each, needed)}});
  }
}

// Three machines and more do not meet without a switch.
void switches(const Design& d, std::size_t f, Findings& out) {
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
  if (!fabric.switches.empty() || nodes < 3) return;
  out.add("bill.switches", d.at({"fabrics", f}),
          {.message = fmt::format("{}: {:g} ports of {} machines and no switch in the bill", fabric.id, plugs, nodes),
           .help = "switches:, and links: with their optics or cables"});
}

// InfiniBand switches carry no Ethernet, and the other way round.
void protocols(const Design& d, std::size_t f, Findings& out) {
  const Fabric& fabric = d.cluster.fabrics[f];
  if (fabric.kind != "infiniband" && fabric.kind != "roce" && fabric.kind != "ethernet") return;
  const std::string spoken = fabric.kind == "infiniband" ? "infiniband" : "ethernet";
  for (std::size_t t = 0; t < fabric.switches.size(); ++t) {
    const Switch* model = known<Switch>(d.catalog, fabric.switches[t].part);
    if (model == nullptr || model->protocol == spoken) continue;
    out.add("fabric.protocol", d.at({"fabrics", f, "switches", t, "part"}),
            {.message = fmt::format("{}: {} switches {}, the fabric is {}", fabric.id, model->name, model->protocol,
                                    fabric.kind)});
  }
}

struct Plugs {
  double cards = 0, ports = 0;  // in use; all that the cards have
  BytesPerSecond fastest{};
};
Plugs plugs_of(const Design& d, const Group& g, const Fabric& fabric) {
  Plugs out;
  for (const Nic& nic : g.node.nics) {
    if (nic.fabric != fabric.id) continue;
    const NetworkCard* card = known<NetworkCard>(d.catalog, nic.part);
    const double count = static_cast<double>(nic.count) * g.nodes;
    out.cards += count;
    out.ports += count * (card == nullptr ? 2 : card->ports.value_or(2));
    out.fastest = std::max(out.fastest, nic.rate);
  }
  return out;
}

// Every card in use needs a cable with its two ends, and no more cables than sockets.
void cables(const Design& d, std::size_t f, Findings& out) {
  const Fabric& fabric = d.cluster.fabrics[f];
  for (const Group& g : d.cluster.groups) {
    const Plugs plugs = plugs_of(d, g, fabric);
    double ends = 0;
    std::size_t first = fabric.links.size();
    for (std::size_t k = 0; k < fabric.links.size(); ++k) {
      const double here = ends_at(fabric.links[k], g.id);
      ends += here;
      if (here > 0) first = std::min(first, k);
      if (here == 0 || fabric.links[k].rate * kRounding >= plugs.fastest) continue;
      out.add("link.slower", d.at({"fabrics", f, "links", k, "rate"}),
              {.message = fmt::format("{}: cards of {} on a link of {}", g.id, gigabits(plugs.fastest),
                                      gigabits(fabric.links[k].rate))});
    }
    if (plugs.cards == 0 || ends == 0 || (ends >= plugs.cards && ends <= plugs.ports)) continue;
    const bool few = ends < plugs.cards;
    out.add("fabric.cables", few ? Severity::kWarning : Severity::kError, d.at({"fabrics", f, "links", first, "count"}),
            {.message = few ? fmt::format("{}: {:g} cards plug into {} and {:g} links are in the bill", g.id,
                                          plugs.cards, fabric.id, ends)
                            : fmt::format("{}: {:g} links to cards with {:g} ports", g.id, ends, plugs.ports)});
  }
}

// Rates down to machines against rates up to other switches, of each tier that has both.
void oversubscription(const Design& d, std::size_t f, Findings& out) {
  const Fabric& fabric = d.cluster.fabrics[f];
  const auto is_switch = [&](const std::string& name) {
    return std::any_of(fabric.switches.begin(), fabric.switches.end(),
                       [&](const SwitchTier& tier) { return tier.role == name; });
  };
  for (std::size_t t = 0; t < fabric.switches.size(); ++t) {
    const std::string& role = fabric.switches[t].role;
    BytesPerSecond down{}, up{};
    for (const Link& link : fabric.links) {
      if (ends_at(link, role) == 0) continue;
      const std::string& other = link.from == role ? link.to : link.from;
      (is_switch(other) ? up : down) += link.rate * link.count;
    }
    if (down == BytesPerSecond(0) || up == BytesPerSecond(0) || down / up <= fabric.oversubscription * kRounding)
      continue;
    const bool stated = d.at({"fabrics", f, "oversubscription"}).at.line != d.at({"fabrics", f}).at.line;
    out.add("fabric.oversubscription", stated ? Severity::kError : Severity::kWarning,
            d.at({"fabrics", f, "oversubscription"}),
            {.message = fmt::format("{}: {} links carry {} down and {} up, {:.3g} : 1, not {:g} : 1", fabric.id, role,
                                    to_string(down), to_string(up), down / up, fabric.oversubscription),
             .help = fmt::format("oversubscription: {:.3g}, or more uplinks", down / up)});
  }
}

// Switches that are bought and joined to nothing.
void unlinked(const Design& d, std::size_t f, Findings& out) {
  const Fabric& fabric = d.cluster.fabrics[f];
  if (fabric.links.empty()) return;
  for (std::size_t t = 0; t < fabric.switches.size(); ++t) {
    const std::string& role = fabric.switches[t].role;
    if (std::any_of(fabric.links.begin(), fabric.links.end(),
                    [&](const Link& link) { return ends_at(link, role) > 0; }))
      continue;
    out.add("fabric.unlinked", d.at({"fabrics", f, "switches", t}),
            {.message = fmt::format("{}: no link of the bill ends at the {} {} switches", fabric.id,
                                    fabric.switches[t].count, role)});
  }
}

}  // namespace

void check_fabric(const Design& design, Findings& findings) {
  for (std::size_t f = 0; f < design.cluster.fabrics.size(); ++f) {
    ports(design, f, findings);
    idle_switches(design, f, findings);
    switches(design, f, findings);
    protocols(design, f, findings);
    cables(design, f, findings);
    oversubscription(design, f, findings);
    unlinked(design, f, findings);
  }
}

}  // namespace fathom
