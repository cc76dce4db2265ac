#include "power/node_power.h"

#include <algorithm>
#include <array>
#include <utility>

namespace fathom {
namespace {

enum class Regime { kIdle, kBusy, kPeak };

struct Share {
  double low, likely, high;
};

constexpr double kMemoryWattsPerGb = 0.284;   // Boavizta, consumption_profile.py
constexpr Watts kDiskIdle(8), kDiskBusy(14);  // Micron 9200 idle, Micron 7600 under load (data sheets)
// NVIDIA publishes no figure: a judgement, about 1 % of an 8-GPU node.
constexpr Watts kScaleUpSwitches(100);
// 35 to 50 % on top of the accelerators: 8 x H100 takes 8.48 kW at 5.6 kW of GPUs (arXiv 2412.08602), 8 x H200 about
// 5.8 kW capped (MLPerf Inference 4.1 power). Nearly constant: the same node idles 2.2 kW above its GPUs.
constexpr Share kOverheadOfTdp = {0.35, 0.40, 0.50};
constexpr double kUnknownSupply = 0.92;  // between 80 PLUS Gold and Platinum

// Share of everything else inside the node. Air: reviews of 8-GPU servers add 10 to 20 %; the others are judgements.
Share fan_share(Cooling cooling) {
  switch (cooling) {
    case Cooling::kAir:
      return {0.10, 0.15, 0.20};
    case Cooling::kLiquid:
      return {0.03, 0.04, 0.05};
    case Cooling::kDesktop:
      return {0.05, 0.07, 0.10};
  }
  return {};
}

// ConnectX-5 user manual (12.95 W typical); 20 W is what LLMServingSim assumes; 400 Gb/s from memory.
Watts nic_power(const NicLoad& nic) {
  const double gigabits = nic.rate.value * 8 / 1e9;
  return nic.typical.value_or(Watts(gigabits <= 100 ? 13 : gigabits <= 200 ? 20 : 25)) * nic.count;
}

Estimate<Watts> accelerators(const NodeParts& parts, Regime regime, const Activity& activity) {
  if (!parts.accelerator) return {.confidence = Confidence::kMeasured};
  const AcceleratorPowerModel& model = *parts.accelerator;
  Estimate<Watts> one{.min = model.idle, .likely = model.idle, .max = model.idle, .confidence = model.confidence};
  if (regime == Regime::kBusy) one = busy_power(model, activity);
  if (regime == Regime::kPeak) one.min = one.likely = one.max = model.cap;
  const double n = parts.accelerators;
  return {.min = one.min * n, .likely = one.likely * n, .max = one.max * n, .confidence = one.confidence};
}

double cpu_load(const NodeParts& parts, Regime regime) {
  switch (regime) {
    case Regime::kIdle:
      return 0;
    case Regime::kBusy:
      return parts.cpu_load;
    case Regime::kPeak:
      return 1;
  }
  return 1;
}

// Direct current of all parts but accelerators and fans.
std::vector<PowerTerm> other_parts(const NodeParts& parts, Regime regime) {
  Watts nics{};
  for (const NicLoad& nic : parts.nics) nics += nic_power(nic);
  const Watts disk = regime == Regime::kIdle ? kDiskIdle : kDiskBusy;
  return {{"processors", cpu_power(parts.cpu_tdp.value_or(Watts{}), cpu_load(parts, regime)) * parts.cpus},
          {"memory", Watts(parts.memory.value / 1e9 * kMemoryWattsPerGb)},
          {"disks", disk * parts.disks},
          {"network cards", nics},
          {"scale-up switches", parts.scale_up_switches ? kScaleUpSwitches : Watts{}}};
}

Watts at_wall(const NodeParts& parts, Watts dc) { return parts.psu ? wall_power(dc, *parts.psu) : dc / kUnknownSupply; }

struct Sum {
  Estimate<Watts> wall;
  std::vector<PowerTerm> terms;
};

Sum sum_of_parts(const NodeParts& parts, Regime regime, const Activity& activity) {
  const Estimate<Watts> cards = accelerators(parts, regime, activity);
  const Share fans = fan_share(parts.cooling);
  Sum sum{.wall = {}, .terms = other_parts(parts, regime)};
  Watts others{};
  for (const PowerTerm& term : sum.terms) others += term.watts;
  const auto wall = [&](Watts card, double fan) { return at_wall(parts, (card + others) * (1 + fan)); };
  sum.wall = {.min = wall(cards.min, fans.low),
              .likely = wall(cards.likely, fans.likely),
              .max = wall(cards.max, fans.high),
              .confidence = weakest(cards.confidence, Confidence::kAssumed)};  // fan share and CPU load are judgements
  const Watts inside = cards.likely + others;
  sum.terms.insert(sum.terms.begin(), {"accelerators", cards.likely});
  sum.terms.push_back({"fans", inside * fans.likely});
  sum.terms.push_back({"supply losses", sum.wall.likely - inside * (1 + fans.likely)});
  return sum;
}

// Stated at the wall: nothing more to convert.
Sum cards_plus(const NodeParts& parts, Regime regime, const Activity& activity, const Estimate<Watts>& overhead) {
  const Estimate<Watts> cards = accelerators(parts, regime, activity);
  return {.wall = {.min = cards.min + overhead.min,
                   .likely = cards.likely + overhead.likely,
                   .max = cards.max + overhead.max,
                   .confidence = weakest(cards.confidence, overhead.confidence)},
          .terms = {{"accelerators", cards.likely}, {"everything else", overhead.likely}}};
}

Estimate<Watts> as_estimate(const Fact<Watts>& fact) {
  return {.min = fact.low_or_value(),
          .likely = fact.value,
          .max = fact.high_or_value(),
          .confidence = fact.origin.confidence};
}

Estimate<Watts> overhead_of_tdp(const NodeParts& parts) {
  const Watts tdp = parts.accelerator->cap * parts.accelerators;
  return {.min = tdp * kOverheadOfTdp.low,
          .likely = tdp * kOverheadOfTdp.likely,
          .max = tdp * kOverheadOfTdp.high,
          .confidence = Confidence::kAssumed};
}

bool parts_known(const NodeParts& parts) { return parts.cpu_tdp && parts.cpus > 0 && parts.memory.value > 0; }

// A management server of which the design says "0.6 kW" and no more.
bool mean_stands_in(const NodeParts& parts) { return parts.stated.mean && !parts.accelerator && !parts_known(parts); }

Sum regime_power(const NodeParts& parts, Regime regime, const Activity& activity) {
  if (parts.stated.overhead) return cards_plus(parts, regime, activity, as_estimate(*parts.stated.overhead));
  if (parts.accelerator && !parts_known(parts)) return cards_plus(parts, regime, activity, overhead_of_tdp(parts));
  if (mean_stands_in(parts))
    return {.wall = as_estimate(*parts.stated.mean), .terms = {{"as stated", parts.stated.mean->value}}};
  return sum_of_parts(parts, regime, activity);
}

std::vector<std::string> unknown_parts(const NodeParts& parts) {
  std::vector<std::string> list;
  if (parts.accelerators > 0 && !parts.accelerator) list.push_back("TDP of the accelerators");
  if (parts.stated.overhead || parts.accelerator || mean_stands_in(parts)) return list;  // something stands in
  if (!parts.cpu_tdp) list.push_back("TDP of the processors");
  if (parts.memory.value == 0) list.push_back("size of the memory");
  return list;
}

// Stated limits also bound the sums: a node never draws more than its stated peak, nor less than its stated idle.
void bound(Estimate<Watts>& value, const Estimate<Watts>& low, const Estimate<Watts>& high) {
  for (Watts* watts : {&value.min, &value.likely, &value.max})
    *watts = std::clamp(*watts, low.min, std::max(low.min, high.max));
}

// Keeps sum(terms) == busy.likely when a stated limit cut it.
void settle_terms(NodeWatts& node) {
  Watts sum{};
  for (const PowerTerm& term : node.terms) sum += term.watts;
  const Watts rest = node.busy.likely - sum;
  if (rest.value != 0) node.terms.push_back({"to the stated limit", rest});
}

std::optional<AcceleratorDraw> draw_of_one(const NodeParts& parts, const Activity& activity) {
  if (!parts.accelerator || parts.accelerators < 1) return std::nullopt;
  const Estimate<Watts> busy = busy_power(*parts.accelerator, activity);
  return AcceleratorDraw{.idle = parts.accelerator->idle,
                         .busy = busy.likely,
                         .confidence = busy.confidence,
                         .source = parts.accelerator->source,
                         .measured = parts.accelerator->measured};
}

}  // namespace

Watts cpu_power(Watts tdp, double load) {
  constexpr std::array<std::pair<double, double>, 4> kCurve = {{{0, 0.12}, {0.1, 0.32}, {0.5, 0.75}, {1, 1.02}}};
  for (std::size_t i = 1; i < kCurve.size(); ++i) {
    const auto [x0, y0] = kCurve[i - 1];
    const auto [x1, y1] = kCurve[i];
    if (load <= x1) return tdp * (y0 + (y1 - y0) * (std::max(load, x0) - x0) / (x1 - x0));
  }
  return tdp * kCurve.back().second;
}

NodeWatts node_power(const NodeParts& parts, const Activity& activity) {
  const Sum busy = regime_power(parts, Regime::kBusy, activity);
  NodeWatts node{.idle = regime_power(parts, Regime::kIdle, activity).wall,
                 .busy = busy.wall,
                 .peak = regime_power(parts, Regime::kPeak, activity).wall,
                 .terms = busy.terms,
                 .unknown = unknown_parts(parts),
                 .accelerator = draw_of_one(parts, activity)};
  if (parts.stated.idle) node.idle = as_estimate(*parts.stated.idle);
  if (parts.stated.peak) node.peak = as_estimate(*parts.stated.peak);
  if (parts.stated.rated) node.rated = parts.stated.rated->value;
  bound(node.busy, node.idle, node.peak);
  settle_terms(node);
  return node;
}

Estimate<Watts> mean_power(const NodeWatts& node, double busy) {
  const auto over_time = [&](Watts running, Watts idle) { return running * busy + idle * (1 - busy); };
  return {.min = over_time(node.busy.min, node.idle.min),
          .likely = over_time(node.busy.likely, node.idle.likely),
          .max = over_time(node.busy.max, node.idle.max),
          .confidence = weakest(node.busy.confidence, node.idle.confidence)};
}

}  // namespace fathom
