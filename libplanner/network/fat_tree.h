// How many switches, links and optics a Clos network of equal switches takes.
//
// Counts only: which part a switch is, what it costs and whether its cages take the cable live elsewhere. Formulas:
// docs/formulas/fat_tree.md (Al-Fares et al., SIGCOMM 2008, for the bounds r^2/2 and r^3/4).
#pragma once

#include <optional>

namespace fathom {

struct FatTreeRequest {
  int hosts = 0;                // host ports to connect, > 0
  int radix = 0;                // ports of one switch at the rate of a host port, >= 2
  double oversubscription = 1;  // leaf ports down : up, > 0; 1 is non-blocking
};

struct FatTree {
  int tiers = 0;  // 1: one layer of switches, 2: leaf and spine, 3: leaf, aggregation and core
  int leaves = 0;
  int spines = 0;  // of three tiers: the aggregation layer
  int cores = 0;
  int down_per_leaf = 0;  // ports towards hosts
  int up_per_leaf = 0;    // ports towards spines; 0 with one tier
  int host_links = 0;
  int fabric_links = 0;      // between switches
  int rails_per_switch = 0;  // rail-optimised only
  bool lower_bound = false;  // three tiers: whole pods are bought, so the real count may be higher

  int switches() const { return leaves + spines + cores; }
  double oversubscription() const;  // as built: never above what was asked for
};

// Largest number of host ports that `tiers` (1, 2 or 3) layers connect.
long long max_hosts(int tiers, int radix, double oversubscription = 1);

// The smallest tree in which every leaf reaches every spine over the same number of links; nullopt when even three
// tiers are too few. Throws std::invalid_argument for hosts < 1, radix < 2 or oversubscription <= 0.
std::optional<FatTree> fat_tree(const FatTreeRequest& request);

struct RailTreeRequest {
  int nodes = 0;  // each node has one port on every rail
  int rails = 8;
  int radix = 0;
  bool joined = false;          // true: spines join the rails; false: cross-rail traffic goes over the scale-up link
  double oversubscription = 1;  // joined only
};

// One leaf, or group of leaves, per rail; as many whole rails on one switch as fit. Same errors; nullopt when the rails
// need a third tier.
std::optional<FatTree> rail_tree(const RailTreeRequest& request);

// Two per optical link. Copper towards the hosts needs none there.
int optics(const FatTree& tree, bool copper_to_hosts = false);

}  // namespace fathom
