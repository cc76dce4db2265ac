// Supplies, circuits, racks and air: what is drawn against what is there.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "check/design_rules.h"
#include "check/node_watts.h"
#include "power/from_cluster.h"
#include "units/text.h"

namespace fathom {

namespace {

// The design runs at its peak for as long as users ask; a supply is dimensioned for that, not for the mean.
constexpr double kFullSupply = 0.8;      // of the rating: what is left for ageing and inrush
constexpr double kContinuousLoad = 0.8;  // of a breaker: NEC 210.20, IEC practice

Watts peak_of(const Design& d, const Group& g) {
  return node_power(node_parts(g.node, d.cluster.site_of(g), d.catalog), {.busy = 1, .memory = 1, .compute = 1})
      .peak.likely;
}

// What is needed with the spare supplies gone. The rating is of direct current, the peak is at the wall.
void supplies(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Group& g = d.cluster.groups[i];
    if (!g.node.psu || !(g.node.psu->rated > Watts(0))) continue;
    const NodeParts parts = node_parts(g.node, d.cluster.site_of(g), d.catalog);
    const Watts peak = peak_of(d, g);
    const Watts there = g.node.psu->rated * g.node.psu->needed;
    const double eta = parts.psu ? psu_efficiency(parts.psu->curve, std::clamp(peak / there, 0.01, 1.0)) : 1.0;
    const Watts drawn = peak * eta;
    if (drawn <= there * kFullSupply) continue;
    const bool too_much = drawn > there;
    out.add("power.supply", too_much ? Severity::kError : Severity::kWarning, d.at({"groups", i, "node", "psu"}),
            {.message = fmt::format("{}: {} at peak, {} of {} without the spare supplies", g.id, to_string(drawn),
                                    percent(drawn / there), to_string(there)),
             .terms = {fmt::format("{} needed x {} = {}; {} at the wall x {} = {}", g.node.psu->needed,
                                   to_string(g.node.psu->rated), to_string(there), to_string(peak), percent(eta),
                                   to_string(drawn))},
             .help = fmt::format("supplies of {} each, or a power limit on the accelerators",
                                 to_string(drawn / kFullSupply / g.node.psu->needed))});
  }
}

// Homes and offices: one branch circuit for a node, and it is not the node's alone.
void circuits(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Group& g = d.cluster.groups[i];
    const Site& site = d.cluster.site_of(g);
    if (!site.circuit_volts || !site.circuit_amps || g.node.accelerators == 0) continue;
    const Watts limit(*site.circuit_volts * *site.circuit_amps * kContinuousLoad);
    const double nodes = std::max(1.0, static_cast<double>(g.nodes) / std::max(1, site.count));
    const Watts drawn = peak_of(d, g) * nodes;
    if (drawn <= limit) continue;
    out.add("power.circuit", d.at({"groups", i}),
            {.message =
                 fmt::format("{}: {} on a circuit that carries {} for hours", g.id, to_string(drawn), to_string(limit)),
             .terms = {fmt::format("{:g} V x {:g} A x {} = {}; {:g} node(s) x {} = {}", *site.circuit_volts,
                                   *site.circuit_amps, percent(kContinuousLoad), to_string(limit), nodes,
                                   to_string(peak_of(d, g)), to_string(drawn))},
             .help = "a circuit of its own, a lower power limit, or fewer cards per node"});
  }
}

// One node alone must be within what its rack is fed with.
void racks(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Group& g = d.cluster.groups[i];
    const Site& site = d.cluster.site_of(g);
    if (!site.rack_power || g.node.accelerators == 0) continue;
    const Watts each = peak_of(d, g);
    if (each > *site.rack_power) {
      out.add("power.rack", d.at({"groups", i, "node"}),
              {.message = fmt::format("{}: one node draws {} at peak, the rack is fed with {}", g.id, to_string(each),
                                      to_string(*site.rack_power)),
               .help = "a rack with more power, or smaller nodes"});
      continue;
    }
    if (!site.rack_units || !g.node.height_u) continue;
    const double by_height = std::floor(*site.rack_units / *g.node.height_u);
    const double by_power = std::floor(*site.rack_power / each);
    if (by_height <= by_power || g.nodes <= by_power) continue;
    out.add("power.rack", Severity::kNote, d.at({"groups", i, "node"}),
            {.message = fmt::format("{}: {:g} nodes fit a rack by height, {:g} by power", g.id, by_height, by_power),
             .terms = {fmt::format("{} / {} = {:g}", to_string(*site.rack_power), to_string(each), by_power)}});
  }
}

// Machines are as high as they are: one that no rack holds, and racks that are too few.
bool is_rack(const std::string& what) {
  static const std::vector<std::string> kParts = {"rail", "pdu",   "kit",  "switch", "door",  "unit",
                                                  "ups",  "panel", "tray", "mount",  "cable", "导轨"};
  std::string lower = what;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto has = [&](const std::string& word) { return lower.find(word) != std::string::npos; };
  return (has("rack") || has("cabinet") || has("机柜")) && std::none_of(kParts.begin(), kParts.end(), has);
}

// Racks that the nodes of one site take at least, by height and by power.
double racks_taken(const Design& d, const Site& site) {
  double racks = 0;
  for (const Group& g : d.cluster.groups) {
    if (g.site != site.id && d.cluster.sites.size() > 1) continue;
    double by_height = 0, by_power = 0;
    if (site.rack_units && g.node.height_u && *g.node.height_u > 0)
      by_height = g.nodes / std::floor(*site.rack_units / *g.node.height_u);
    if (site.rack_power && g.node.accelerators > 0) by_power = g.nodes / std::floor(*site.rack_power / peak_of(d, g));
    racks += std::max(by_height, by_power);
  }
  return racks;
}

void rack_count(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Group& g = d.cluster.groups[i];
    const Site& site = d.cluster.site_of(g);
    if (!site.rack_units || !g.node.height_u || *g.node.height_u <= *site.rack_units) continue;
    out.add(
        "rack.units", d.at({"groups", i, "node", "height_u"}),
        {.message = fmt::format("{}: a node of {:g} units in racks of {}", g.id, *g.node.height_u, *site.rack_units)});
    return;
  }
  if (d.cluster.sites.size() != 1) return;
  double bought = 0;
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < d.cluster.items.size(); ++i) {
    if (!is_rack(d.cluster.items[i].what)) continue;
    bought += d.cluster.items[i].count;
    if (!first) first = i;
  }
  const double taken = racks_taken(d, d.cluster.sites.front());
  if (!first || !std::isfinite(taken) || taken <= 0) return;
  constexpr double kFarTooMany = 4;
  const double needed = std::ceil(taken - 1e-9);
  if (bought >= kFarTooMany * needed && bought > needed + 1) {
    out.add("rack.count", Severity::kWarning, d.at({"items", *first, "count"}),
            {.message = fmt::format("{:g} racks for machines that take {:g}", bought, needed)});
  }
  if (needed <= bought) return;
  out.add("rack.count", d.at({"items", *first, "count"}),
          {.message = fmt::format("{:g} racks for machines that take {:g}", bought, needed),
           .help = "more racks, or racks with more power"});
}

// What a node draws idle, on average, at worst, and what its plate says: in this order.
void order(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const NodePower& power = d.cluster.groups[i].node.power;
    const std::vector<std::pair<std::string_view, std::optional<Fact<Watts>>>> figures = {
        {"idle", power.idle}, {"mean", power.mean}, {"peak", power.peak}, {"rated", power.rated}};
    const std::pair<std::string_view, std::optional<Fact<Watts>>>* below = nullptr;
    for (const auto& figure : figures) {
      if (!figure.second) continue;
      if (below != nullptr && below->second->value > figure.second->value) {
        out.add(
            "power.order", d.at({"groups", i, "node", "power", figure.first}),
            {.message = fmt::format("{}: {} of {} and {} of {}", d.cluster.groups[i].id, below->first,
                                    to_string(below->second->value), figure.first, to_string(figure.second->value))});
        break;
      }
      below = &figure;
    }
  }
}

// Stated watts against those of the parts.
void stated_watts(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Group& g = d.cluster.groups[i];
    const NodePower& power = g.node.power;
    if (!power.peak && !power.mean) continue;
    const NodeRange range = node_range(g.node, d.cluster.site_of(g), d.catalog);
    if (!range.unknown.empty()) continue;
    const auto judge = [&](std::string_view key, const std::optional<Fact<Watts>>& stated) {
      if (!stated) return;
      const Verdict verdict = judge_watts(range, key == "peak", stated->value);
      if (verdict == Verdict::kHolds) return;
      out.add("power.node", verdict == Verdict::kContradicted ? Severity::kError : Severity::kWarning,
              d.at({"groups", i, "node", "power", key}),
              {.message = fmt::format("{}: a {} of {}; its parts draw {} idle and at most {} to {}", g.id, key,
                                      to_string(stated->value), to_string(range.idle), to_string(range.peak_least),
                                      to_string(range.peak_most))});
    };
    judge("mean", power.mean);
    judge("peak", power.peak);
  }
}

void rooms(const Design& d, Findings& out) {
  const InletClass& recommended = d.catalog.find<InletClass>("recommended");
  const InletClass& allowed = d.catalog.find<InletClass>("a2");
  for (std::size_t i = 0; i < d.cluster.sites.size(); ++i) {
    const Site& site = d.cluster.sites[i];
    if (site.inlet && *site.inlet > recommended.high.value) {
      const bool outside = *site.inlet > allowed.high.value;
      out.add("thermal.inlet", outside ? Severity::kError : Severity::kWarning, d.at({"sites", i, "inlet"}),
              {.message = fmt::format("{}: air of {} at the inlet; recommended are {} to {}, class A2 ends at {}",
                                      site.id, to_string(*site.inlet), to_string(recommended.low.value),
                                      to_string(recommended.high.value), to_string(allowed.high.value)),
               .help = fmt::format("at most {} for servers with accelerators", to_string(allowed.high.value))});
    }
    if (site.inlet && *site.inlet < allowed.low.value) {
      out.add("thermal.inlet", Severity::kWarning, d.at({"sites", i, "inlet"}),
              {.message = fmt::format("{}: air of {} at the inlet; class A2 begins at {}", site.id,
                                      to_string(*site.inlet), to_string(allowed.low.value))});
    }
    if (!site.pue || site.kind != SiteKind::kDatacentre) continue;  // homes and desks have no plant to account for
    const PueClass& cooling = d.catalog.find<PueClass>(site.liquid_cooling ? "cold-plate" : "air-cooled");
    const double least = cooling.value.low_or_value();
    if (site.pue->value >= least - 1e-9) continue;
    out.add("site.pue", Severity::kWarning, d.at({"sites", i, "pue"}),
            {.message =
                 fmt::format("{}: a PUE of {:g}; {} reach {:g} at best", site.id, site.pue->value, cooling.name, least),
             .help = "the PUE of the whole room, measured over a year"});
  }
}

}  // namespace

void check_power(const Design& design, Findings& findings) {
  supplies(design, findings);
  circuits(design, findings);
  racks(design, findings);
  rack_count(design, findings);
  order(design, findings);
  stated_watts(design, findings);
  rooms(design, findings);
}

}  // namespace fathom
