// Watts of a site: three powers that are never mixed.
//
//   rated  nameplate: breakers, supplies, generators, rack limits; never energy
//   peak   worst workload, measured or modelled: rack packing, UPS
//   mean   over time at the load in question: energy, money, carbon
//
//   P_site = PUE * (nodes + switches + other IT)        E = P_site_mean * 8,760 h
//
// Network and storage are IT load, so they stand inside the PUE product. Formulas: docs/formulas/power.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "power/node_power.h"
#include "units/fact.h"
#include "units/quantity.h"

namespace fathom {

struct GroupLoad {
  std::string id;
  NodeWatts node;   // of one node
  int nodes = 0;    // in service
  int standby = 0;  // powered and idle
  double busy = 0;  // share of the year in which a batch runs on the nodes in service: utilisation included
  std::optional<double> height_u = {};
};

struct NetworkLoad {
  std::string what;  // "leaf: QM9700"
  int count = 1;
  std::optional<Watts> each = {};  // absent: listed as unknown
};

// A site of one kind, `places` times; everything but the groups and the network is of one place.
struct SiteConditions {
  std::string id;
  int places = 1;
  Fact<double> pue;
  Watts other_it{};
  std::optional<Watts> rack_power = {};
  int rack_units = 42;
  std::optional<Watts> circuit = {};  // volts * amps of one branch circuit
};

struct GroupPower {
  std::string id;
  int nodes = 0;
  NodeWatts node;
  Estimate<Watts> mean, peak;
};

struct SitePower {
  std::string site;
  Estimate<Watts> it_mean, it_peak;
  std::optional<Watts> rated = {};  // of all IT; absent when one rating is unknown
  Estimate<Watts> site_mean;        // at the meter: PUE and its range included
  Estimate<Joules> per_year;
  Fact<double> pue;
  std::optional<int> racks = {};  // by peak power and height; absent when a height is unknown or a node fits no rack
  double ups_va = 0;              // 1.25 * IT peak / 0.95
  std::optional<Watts> circuit = {};       // what one branch circuit may carry for hours: 80 % of its rating
  std::optional<bool> circuit_holds = {};  // every place's share of the nodes stays within it
  std::vector<GroupPower> groups = {};
  std::vector<std::string> unknown = {};  // missing from the sums: they are lower bounds then
};

// PUE where the design states none, marked as assumed. Air: Uptime Institute's survey mean is 1.55 to 1.58, new large
// sites 1.3; liquid 1.1 to 1.25 from memory; a home has no cooling plant (summer air conditioning: up to 1.2).
enum class Plant { kAirCooled, kLiquidCooled, kHome };
Fact<double> typical_pue(Plant plant);

SitePower site_power(const SiteConditions& site, const std::vector<GroupLoad>& groups,
                     const std::vector<NetworkLoad>& network = {});

// All sites together. `pue` is the ratio of the sums; racks and ratings are absent when one of them is.
SitePower total_power(const std::vector<SitePower>& sites);

}  // namespace fathom
