// Watts, what they compute, and where they go: nodes, supplies, rooms, air.
#include <fmt/format.h>

#include <algorithm>

#include "check/claims_terms.h"
#include "check/node_watts.h"
#include "power/from_cluster.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

// "3.2 TFLOPS/W"
double flops_per_watt(Terms& claim) {
  const std::string text = claim.word_value();
  const std::size_t slash = text.rfind('/');
  const std::string unit(trimmed(std::string_view(text).substr(slash == std::string::npos ? text.size() : slash + 1)));
  if (unit != "W") claim.fail_value("expected an efficiency, found " + in_quotes(text), "write it as 0.7 TFLOPS/W");
  try {
    return parse_compute_rate(text.substr(0, slash)).value;
  } catch (const UnitError& error) {
    claim.fail_value(error.what());
  }
}

std::string tera(double flops) { return fmt::format("{:.3g}", flops / 1e12); }

// The highest dense rate that the sheet lists for the format, and on GeForce cards the one with sums in FP32.
struct ListedRates {
  FlopsPerSecond most{}, with_fp32_sums{};
};
ListedRates listed_rates(Terms& claim, const Accelerator& a, const std::string& key) {
  constexpr auto names = words(PeakRate{});
  const std::vector<std::string> known(names.begin(), names.end());
  const auto rate = static_cast<PeakRate>(claim.choice(key, known));
  const auto listed = a.peak.find(rate);
  if (listed == a.peak.end()) claim.fail_term(key, fmt::format("{} has no rate in that format", a.name));
  ListedRates out{.most = listed->second.value, .with_fp32_sums = listed->second.value};
  const PeakRate full = rate == PeakRate::kFp8 ? PeakRate::kFp8Fp32Accumulate : PeakRate::kFp16Fp32Accumulate;
  const auto slower = a.peak.find(full);
  if ((rate == PeakRate::kFp16 || rate == PeakRate::kFp8) && slower != a.peak.end())
    out.with_fp32_sums = slower->second.value;
  return out;
}

Judgement efficiency(Terms& claim) {
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const ListedRates rates = listed_rates(claim, a, "format");
  const double count = claim.count("count", 1);
  const Watts power = claim.need<Watts>("power");
  const double stated = flops_per_watt(claim);
  if (!(power > Watts(0))) claim.fail_term("power", "nothing computes without power");
  const double node = count * rates.most.value / power.value;
  std::string text =
      fmt::format("{} x {} / {} = {} TFLOPS/W", number(count), to_string(rates.most), to_string(power), tera(node));
  if (rates.with_fp32_sums != rates.most)
    text += fmt::format(", {} with sums in FP32", tera(count * rates.with_fp32_sums.value / power.value));
  const double card = a.tdp ? rates.most.value / a.tdp->value.value : node;
  if (a.tdp)
    text += fmt::format("; the bare card {} / {} = {}", to_string(rates.most), to_string(a.tdp->value), tera(card));
  text += fmt::format(", not {}", tera(stated));
  if (stated <= node * 1.02) return holds(text);
  return stated <= std::max(card, node) * 1.02 ? misleading(text) : contradicted(text);
}

// Can this method make up for the difference between what the sheet gives and what is claimed?
Judgement efficiency_gain(Terms& claim) {
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const ListedRates rates = listed_rates(claim, a, "format");
  const Method& method = claim.entry<Method>("method");
  const double stated = flops_per_watt(claim);
  if (!a.tdp || !method.gain) return unchecked("no power of the card or no figure for the method in the catalog");
  const double sheet = rates.most.value / a.tdp->value.value;
  const std::string text =
      fmt::format("{} TFLOPS/W are {} the {} of the sheet; {} gives at most {}: {}", tera(stated),
                  times(stated / sheet), tera(sheet), method.name, times(method.gain->value), method.why);
  return stated <= sheet * method.gain->value ? holds(text) : misleading(text);
}

// ---------------------------------------------------------------------------------------------------------------------
// Nodes

Judgement node_power_claim(Terms& claim) {
  const bool peak = claim.choice("kind", {"mean", "peak"}) == 1;
  const Group& group = claim.group("group");
  const Watts stated = claim.value<Watts>();
  const NodeRange range = node_range(group.node, claim.cluster().site_of(group), claim.catalog());
  if (!range.unknown.empty()) return unchecked("not known: " + listed(range.unknown, " and "));
  const std::string text = fmt::format("{}; its parts draw {} idle and at most {} to {}", to_string(stated),
                                       to_string(range.idle), to_string(range.peak_least), to_string(range.peak_most));
  return {judge_watts(range, peak, stated), text};
}

// A processor and an accelerator together: between both idle and both at full power.
Judgement sum_of_two(Terms& claim) {
  const Cpu& cpu = claim.entry<Cpu>("cpu");
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const Watts stated = claim.value<Watts>();
  if (!cpu.tdp || !a.tdp) return unchecked("the catalog has no power of one of them");
  const Watts most = cpu.tdp->high_or_value() + a.tdp->high_or_value();
  const Watts idle = accelerator_power_model(a.id, a.tdp->value).idle + cpu_power(cpu.tdp->value, 0);
  const std::string text =
      fmt::format("{} of {} and {} of {} are {}, idle about {}, not {}", to_string(cpu.tdp->value), cpu.name,
                  to_string(a.tdp->value), a.name, to_string(most), to_string(idle), to_string(stated));
  if (stated < idle) return contradicted(text);
  return stated > most * 1.5 ? misleading(text) : holds(text);
}

// A supply's rating is what it gives, not what it takes from the wall.
Judgement supply(Terms& claim) {
  const Group& group = claim.group("group");
  const Watts each = claim.value<Watts>();
  const int needed = group.node.psu ? group.node.psu->needed : 1;
  if (!(each > Watts(0))) claim.fail_value("a supply has a rating");
  NodeParts parts = bare_parts(group.node, claim.cluster().site_of(group), claim.catalog(), true);
  parts.psu = PsuBank{.curve = {{.load = 1, .efficiency = 1}}, .rated = each};
  const NodeWatts node = node_power(parts, Activity{});
  if (!node.unknown.empty()) return unchecked("not known: " + listed(node.unknown, " and "));
  const Watts rated = each * needed, load = node.peak.max;
  const std::string text = fmt::format("{} x {} for a load of {} at most", needed, to_string(each), to_string(load));
  if (load > rated) return contradicted(text);
  return load > rated * 0.95 ? misleading(text + ": less than a twentieth is left") : holds(text);
}

Judgement connectors(Terms& claim) {
  const Watts slot = claim.need<Watts>("slot"), each = claim.need<Watts>("each");
  const double count = claim.count("connectors");
  const Watts needed = claim.value<Watts>();
  const Watts there = slot + each * count;
  const std::string text = fmt::format("{} + {} x {} = {} for {}", to_string(slot), number(count), to_string(each),
                                       to_string(there), to_string(needed));
  return needed > there ? holds(text) : contradicted(text + ": no further supply is needed");
}

// P0 is the state of the highest clocks and watts; a higher number saves.
Judgement power_states(Terms& claim) {
  const auto state = [&claim](const std::string& key) {
    const std::string text = claim.need<std::string>(key);
    const std::optional<ScannedNumber> n = scan_number(text.starts_with('P') ? text.substr(1) : text);
    if (!n || !n->rest.empty() || n->value < 0 || n->value > 15)
      claim.fail_term(key, "expected a performance state P0 to P15, found " + in_quotes(text));
    return static_cast<int>(n->value);
  };
  const int low = state("low_load"), high = state("high_load");
  claim.value<std::string>();
  const std::string text = fmt::format("P{} at low load, P{} at high load: P0 is the highest performance", low, high);
  return low < high ? contradicted(text + ", so the machine is fastest when idle") : holds(text);
}

// ---------------------------------------------------------------------------------------------------------------------
// Rooms

Judgement pue(Terms& claim) {
  const PueClass& cooling = claim.entry<PueClass>("cooling");
  const double stated = claim.value<double>();
  const double low = cooling.value.low_or_value(), high = cooling.value.high_or_value();
  const std::string text = fmt::format("{:g}; {} reach {:g} to {:g}", stated, cooling.name, low, high);
  if (stated < 1) return contradicted(fmt::format("{:g}: a site takes at least what its machines take", stated));
  if (stated >= low - 1e-9) return holds(text);
  return stated >= low - 0.05 ? misleading(text) : contradicted(text);
}

Judgement pue_saving(Terms& claim) {
  const PueClass& from = claim.entry<PueClass>("from");
  const PueClass& to = claim.entry<PueClass>("to");
  const double stated = claim.value<double>();
  const double most = from.value.high_or_value() - to.value.low_or_value();
  const double least = from.value.low_or_value() - to.value.high_or_value();
  const std::string text = fmt::format("{:g}; from {:g} to {:g} ({}) to {:g} to {:g} ({}) are {:.2g} to {:.2g}", stated,
                                       from.value.low_or_value(), from.value.high_or_value(), from.name,
                                       to.value.low_or_value(), to.value.high_or_value(), to.name, least, most);
  return stated <= most + 1e-9 ? holds(text) : contradicted(text);
}

Judgement pue_scope(Terms& claim) {
  static const std::vector<std::string> kRooms = {"site", "room", "hall", "data centre", "datacentre", "building"};
  const std::string of = claim.word_value();
  const bool room = std::find(kRooms.begin(), kRooms.end(), of) != kRooms.end();
  return room ? holds("of a " + of)
              : misleading(fmt::format("PUE is energy of a site over energy of its machines: a {} has none", of));
}

// Servers with accelerators are certified to class A2 or tighter (Dell R7625 manual: GPUs not in A3 and A4).
Judgement inlet(Terms& claim) {
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const Celsius stated = claim.value<Celsius>();
  const InletClass& allowed = claim.catalog().find<InletClass>("a2");
  const InletClass& recommended = claim.catalog().find<InletClass>("recommended");
  const std::string text = fmt::format("{}; recommended {} to {}, servers with {} are class A2, up to {}",
                                       to_string(stated), to_string(recommended.low.value),
                                       to_string(recommended.high.value), a.name, to_string(allowed.high.value));
  if (stated > allowed.high.value || stated < allowed.low.value) return contradicted(text);
  return stated > recommended.high.value ? misleading(text) : holds(text);
}

Judgement humidity(Terms& claim) {
  const double stated = claim.share_value();
  const Fact<double> allowed = claim.constant("humidity-allowed");
  const double low = allowed.low_or_value(), high = allowed.high_or_value();
  const std::string text = fmt::format("{}; class A1 allows {} to {}", percent(stated), percent(low), percent(high));
  return stated >= low && stated <= high ? holds(text) : contradicted(text);
}

Judgement fans(Terms& claim) {
  const Watts power = claim.need<Watts>("power");
  const double in_air = claim.share("air_share");
  const Metres stated = claim.value<Metres>();
  const Fact<double> usual = claim.constant("server-fan-diameter");
  const double low = usual.low_or_value(), high = usual.high_or_value();
  const std::string text = fmt::format(
      "{} x {} = {} of heat in the air behind a dense board; servers move it with fans of "
      "{:g} to {:g} mm at high pressure, not {:g} mm",
      to_string(power), percent(in_air), to_string(power * in_air), low * 1000, high * 1000, stated.value * 1000);
  return stated.value <= high + 1e-9 ? holds(text) : misleading(text);
}

}  // namespace

std::vector<Subject> power_claims() {
  return {{"efficiency.flops_per_watt", efficiency},
          {"efficiency.gain", efficiency_gain},
          {"power.node", node_power_claim},
          {"power.parts", sum_of_two},
          {"power.supply", supply},
          {"power.connectors", connectors},
          {"power.states", power_states},
          {"site.pue", pue},
          {"site.pue_saving", pue_saving},
          {"site.pue_scope", pue_scope},
          {"thermal.inlet", inlet},
          {"thermal.humidity", humidity},
          {"thermal.fans", fans}};
}

}  // namespace fathom::claims
