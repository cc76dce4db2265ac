#include "power/site_power.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace fathom {
namespace {

constexpr Seconds kYear(8760.0 * 3600);
constexpr double kUpsMargin = 1.25;       // rule of thumb
constexpr double kPowerFactor = 0.95;     // 80 PLUS Platinum asks for at least that at half load
constexpr double kContinuousShare = 0.8;  // of a breaker's rating, for loads of three hours and more (NEC 210.20)

Estimate<Watts> times(const Estimate<Watts>& a, double n) {
  return {.min = a.min * n, .likely = a.likely * n, .max = a.max * n, .confidence = a.confidence};
}

void add(Estimate<Watts>& sum, const Estimate<Watts>& part) {
  sum.min += part.min;
  sum.likely += part.likely;
  sum.max += part.max;
  sum.confidence = weakest(sum.confidence, part.confidence);
}

Estimate<Watts> exactly(Watts watts, Confidence confidence) {
  return {.min = watts, .likely = watts, .max = watts, .confidence = confidence};
}

// Sums start from nothing known badly: the strongest confidence, weakened by every term.
Estimate<Watts> nothing() { return exactly(Watts{}, Confidence::kMeasured); }

GroupPower group_power(const GroupLoad& load) {
  GroupPower group{
      .id = load.id, .nodes = load.nodes + load.standby, .node = load.node, .mean = nothing(), .peak = nothing()};
  add(group.mean, times(mean_power(load.node, load.busy), load.nodes));
  if (load.standby > 0) add(group.mean, times(load.node.idle, load.standby));
  add(group.peak, times(load.node.peak, group.nodes));
  return group;
}

void add_group(SitePower& site, const GroupLoad& load) {
  GroupPower group = group_power(load);
  add(site.it_mean, group.mean);
  add(site.it_peak, group.peak);
  for (const std::string& part : load.node.unknown) site.unknown.push_back(load.id + ": " + part);
  if (site.rated && load.node.rated) {
    *site.rated += *load.node.rated * group.nodes;
  } else {
    site.rated = std::nullopt;
  }
  site.groups.push_back(std::move(group));
}

void add_network(SitePower& site, const NetworkLoad& load) {
  if (!load.each) {
    site.unknown.push_back(fmt::format("{}: power of {} switch{}", load.what, load.count, load.count == 1 ? "" : "es"));
    site.rated = std::nullopt;
    return;
  }
  const Watts watts = *load.each * load.count;
  add(site.it_mean, exactly(watts, Confidence::kDatasheet));
  add(site.it_peak, exactly(watts, Confidence::kDatasheet));
  if (site.rated) *site.rated += watts;
}

Estimate<Watts> at_meter(const Estimate<Watts>& it, const Fact<double>& pue) {
  return {.min = it.min * pue.low_or_value(),
          .likely = it.likely * pue.value,
          .max = it.max * pue.high_or_value(),
          .confidence = weakest(it.confidence, pue.origin.confidence)};
}

Estimate<Joules> over_a_year(const Estimate<Watts>& power) {
  return {.min = power.min * kYear,
          .likely = power.likely * kYear,
          .max = power.max * kYear,
          .confidence = power.confidence};
}

// Whole nodes only: a rack of 8 kW holds no node of 10.2 kW, and two racks of 15 kW hold two.
std::optional<double> racks_for(const SiteConditions& site, const GroupLoad& load) {
  if (!load.height_u) return std::nullopt;
  double per_rack = *load.height_u > 0 ? std::floor(site.rack_units / *load.height_u + 1e-9) : 1e9;
  const double watts = load.node.peak.likely.value;
  if (site.rack_power && watts > 0) per_rack = std::min(per_rack, std::floor(site.rack_power->value / watts + 1e-9));
  if (per_rack < 1) return std::nullopt;
  return (load.nodes + load.standby) / per_rack;
}

// Groups share racks, so fractions are summed before they are rounded up.
std::optional<int> racks(const SiteConditions& site, const std::vector<GroupLoad>& groups) {
  double sum = 0;
  for (const GroupLoad& load : groups) {
    const std::optional<double> part = racks_for(site, load);
    if (!part) return std::nullopt;
    sum += *part;
  }
  return static_cast<int>(std::ceil(sum - 1e-9));
}

// The worst of nameplate and peak, of the nodes of one place.
Watts load_of_one_place(const SiteConditions& site, const std::vector<GroupLoad>& groups) {
  Watts sum = site.other_it;
  for (const GroupLoad& load : groups) {
    const double nodes = std::ceil(static_cast<double>(load.nodes + load.standby) / site.places);
    sum += std::max(load.node.rated.value_or(Watts{}), load.node.peak.likely) * nodes;
  }
  return sum;
}

}  // namespace

Fact<double> typical_pue(Plant plant) {
  const Origin origin{.source = "default for the kind of site", .date = "2024", .confidence = Confidence::kAssumed};
  switch (plant) {
    case Plant::kAirCooled:
      return {.value = 1.5, .low = 1.3, .high = 1.58, .origin = origin};
    case Plant::kLiquidCooled:
      return {.value = 1.2, .low = 1.1, .high = 1.25, .origin = origin};
    case Plant::kHome:
      return {.value = 1.0, .low = 1.0, .high = 1.2, .origin = origin};
  }
  throw std::invalid_argument("unknown kind of plant");
}

SitePower site_power(const SiteConditions& conditions, const std::vector<GroupLoad>& groups,
                     const std::vector<NetworkLoad>& network) {
  if (conditions.places < 1) throw std::invalid_argument("a site stands for at least one place");
  SitePower site{.site = conditions.id,
                 .it_mean = nothing(),
                 .it_peak = nothing(),
                 .rated = Watts{},
                 .site_mean = {},
                 .per_year = {},
                 .pue = conditions.pue};
  for (const GroupLoad& load : groups) add_group(site, load);
  for (const NetworkLoad& load : network) add_network(site, load);
  const Estimate<Watts> other = exactly(conditions.other_it * conditions.places, Confidence::kStated);
  if (other.likely.value > 0) {
    add(site.it_mean, other);
    add(site.it_peak, other);
    if (site.rated) *site.rated += other.likely;
  }
  site.site_mean = at_meter(site.it_mean, conditions.pue);
  site.per_year = over_a_year(site.site_mean);
  site.racks = racks(conditions, groups);
  site.ups_va = kUpsMargin * site.it_peak.likely.value / kPowerFactor;
  if (conditions.circuit) {
    site.circuit = *conditions.circuit * kContinuousShare;
    site.circuit_holds = load_of_one_place(conditions, groups) <= *site.circuit;
  }
  return site;
}

namespace {

template <class T>
void add_or_lose(std::optional<T>& sum, const std::optional<T>& part) {
  if (sum && part) {
    *sum += *part;
  } else {
    sum = std::nullopt;
  }
}

}  // namespace

SitePower total_power(const std::vector<SitePower>& sites) {
  SitePower total{.site = "all",
                  .it_mean = nothing(),
                  .it_peak = nothing(),
                  .rated = Watts{},
                  .site_mean = nothing(),
                  .per_year = {},
                  .pue = {},
                  .racks = 0};
  for (const SitePower& site : sites) {
    add(total.it_mean, site.it_mean);
    add(total.it_peak, site.it_peak);
    add(total.site_mean, site.site_mean);
    add_or_lose(total.rated, site.rated);
    add_or_lose(total.racks, site.racks);
    total.ups_va += site.ups_va;
    total.groups.insert(total.groups.end(), site.groups.begin(), site.groups.end());
    total.unknown.insert(total.unknown.end(), site.unknown.begin(), site.unknown.end());
  }
  total.per_year = over_a_year(total.site_mean);
  total.pue.value = total.it_mean.likely.value > 0 ? total.site_mean.likely / total.it_mean.likely : 1;
  total.pue.origin = {.source = "ratio of the sums", .date = {}, .confidence = total.site_mean.confidence};
  return total;
}

}  // namespace fathom
