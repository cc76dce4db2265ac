// Cards and links by name and rate, optics and fibre, and the slots and lanes that cards share.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/design_lookup.h"
#include "check/design_rules.h"
#include "check/part_figures.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom {

namespace {

constexpr double kRounding = 1.02;

const LinkGeneration* generation(const Catalog& catalog, const std::string& kind, const std::string& name) {
  const std::string family = kind == "roce" ? "ethernet" : kind;
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
      if (link == nullptr || nic.rate <= link->rate.value * kRounding) continue;
      out.add("link.rate", d.at({"groups", i, "node", "nics", k, "rate"}),
              {.message = fmt::format("{} is {}, the card is said to run at {}", link->name, gigabits(link->rate.value),
                                      gigabits(nic.rate)),
               .help = "the fabric's true generation, or the rate that it carries"});
    }
  }
}

// One card against its own sheet: rates that its ports take, and what it speaks.
void card(const Design& d, std::size_t i, std::size_t k, Findings& out) {
  const Nic& nic = d.cluster.groups[i].node.nics[k];
  const NetworkCard* part = known<NetworkCard>(d.catalog, nic.part);
  if (part == nullptr) return;
  const Spot spot = d.at({"groups", i, "node", "nics", k, "rate"});
  if (part->rate && nic.rate > part->rate->value * kRounding) {
    out.add("nic.rate", spot,
            {.message = fmt::format("{} runs at {} at most, not at {}", part->name, gigabits(part->rate->value),
                                    gigabits(nic.rate)),
             .help = "a faster card, or the rate that this one has"});
  } else if (std::none_of(part->port_rates.begin(), part->port_rates.end(),
                          [&](BytesPerSecond rate) { return std::abs(rate / nic.rate - 1) < kRounding - 1; })) {
    out.add("part.port_rate", Severity::kWarning, spot,
            {.message = fmt::format("{} is not known to run at {}", part->name, gigabits(nic.rate))});
  }
  const Fabric* fabric = d.cluster.fabric(nic.fabric);
  const std::vector<std::string>& spoken = part->protocols;
  if (fabric == nullptr || spoken.empty() || fabric->kind == "hccs" || fabric->kind == "nvlink") return;
  if (std::find(spoken.begin(), spoken.end(), fabric->kind) != spoken.end()) return;
  out.add("nic.protocol", d.at({"groups", i, "node", "nics", k, "fabric"}),
          {.message =
               fmt::format("{} speaks {}, {} is {}", part->name, listed(spoken, " and "), fabric->id, fabric->kind)});
}

// A port that is faster than the slot behind it. Boards of eight devices bring PCIe switches: their slots are not the host's.
void slot(const Design& d, std::size_t i, std::size_t k, Findings& out) {
  const Node& node = d.cluster.groups[i].node;
  const Nic& nic = node.nics[k];
  const NetworkCard* part = known<NetworkCard>(d.catalog, nic.part);
  const bool own_switches = node.accelerators >= 8;
  if (node.cpu == nullptr || own_switches) return;
  const PcieSlot fits = part != nullptr && part->pcie ? *part->pcie : node.cpu->pcie;
  const int generation = std::min(fits.generation, node.cpu->pcie.generation);
  for (const LinkGeneration& link : d.catalog.all<LinkGeneration>()) {
    if (link.family != LinkFamily::kPcie || link.generation != generation) continue;
    const BytesPerSecond rate = link.rate.value * (std::min(16, fits.lanes.value_or(16)) / 16.0);
    if (nic.rate <= rate) return;
    out.add("nic.slot", d.at({"groups", i, "node", "nics", k, "rate"}),
            {.message = fmt::format("a port of {} in a slot of PCIe {}.0, which gives {}", gigabits(nic.rate),
                                    generation, gigabits(rate)),
             .help = "a processor with a newer PCIe, or a slower card"});
  }
}

void cards(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    for (std::size_t k = 0; k < d.cluster.groups[i].node.nics.size(); ++k) {
      card(d, i, k, out);
      slot(d, i, k, out);
    }
  }
}

// OM1 to OM5 are multimode, OS1, OS2 and "SMF" single-mode.
std::string fibre_class(const std::string& grade) {
  if (grade.starts_with("OM") || grade == "MMF") return "MMF";
  if (grade.starts_with("OS") || grade == "SMF" || grade.starts_with("G.65")) return "SMF";
  return {};
}

// How far it goes on that fibre; on a fibre that is only called single-mode or multimode, on the best of its grades.
std::optional<Metres> reach_on(const Optic& optic, const std::string& fibre) {
  if (const auto exact = optic.reach.find(fibre); exact != optic.reach.end()) return exact->second.high_or_value();
  const bool any = optic.kind != OpticKind::kOptic || fibre_class(fibre) == optic.fibre;
  std::optional<Metres> most;
  for (const auto& [grade, reach] : optic.reach) {
    if (any) most = std::max(most.value_or(Metres(0)), reach.high_or_value());
  }
  return most;
}

void medium(const Design& d, std::size_t f, std::size_t k, Findings& out) {
  const Link& link = d.cluster.fabrics[f].links[k];
  const Optic* optic = known<Optic>(d.catalog, link.medium);
  if (optic == nullptr) return;
  if (optic->rate && link.rate > optic->rate->high_or_value() * kRounding) {
    out.add("link.optic", d.at({"fabrics", f, "links", k, "medium"}),
            {.message = fmt::format("{} carries {}, the link is {}", optic->id, gigabits(optic->rate->value),
                                    gigabits(link.rate))});
  }
  const std::string fibre = fibre_class(link.fibre);
  if (optic->kind == OpticKind::kOptic && !fibre.empty() && fibre != optic->fibre) {
    out.add("link.fibre", d.at({"fabrics", f, "links", k, "fibre"}),
            {.message = fmt::format("{} does not link over {}: it takes {}", optic->id, link.fibre,
                                    optic->fibre == "SMF" ? "single-mode fibre" : "multimode fibre"),
             .help = optic->fibre == "SMF" ? "OS2 fibre, or SR modules where the distance allows"
                                           : "OM4 fibre, or LR modules"});
    return;
  }
  // The reach of copper is that of 100 Gb/s and more; slower signals go farther, and the sheets do not say how far.
  constexpr BytesPerSecond kFast(100e9 / 8);
  if (optic->kind == OpticKind::kDac && link.rate < kFast) return;
  const std::optional<Metres> reach = reach_on(*optic, link.fibre);
  if (!link.length || !reach || *link.length <= *reach) return;
  const std::string on = link.fibre.empty() ? std::string() : " on " + link.fibre;
  out.add("link.reach", d.at({"fabrics", f, "links", k, "length"}),
          {.message = fmt::format("{} reaches {}{}, the link is {}", optic->id, to_string(*reach), on,
                                  to_string(*link.length))});
}

void media(const Design& d, Findings& out) {
  for (std::size_t f = 0; f < d.cluster.fabrics.size(); ++f) {
    for (std::size_t k = 0; k < d.cluster.fabrics[f].links.size(); ++k) medium(d, f, k, out);
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
  media(design, findings);
  lanes(design, findings);
}

}  // namespace fathom
