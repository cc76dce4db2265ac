#include "network/fat_tree.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace fathom {
namespace {

int ceil_div(long long a, long long b) { return static_cast<int>((a + b - 1) / b); }

struct LeafPorts {
  int down = 0;
  int up = 0;
};

// down = floor(r*o/(o+1)): a fraction of a port goes to the spine side, so the tree is never worse than asked for.
LeafPorts leaf_ports(int radix, double oversubscription) {
  const double exact = radix * oversubscription / (oversubscription + 1);
  const int down = std::clamp(static_cast<int>(std::floor(exact + 1e-9)), 1, radix - 1);
  return {down, radix - down};
}

// The smallest s >= leaf*up/r that divides `up`: else some spines would get one link more than others.
int spines_for(int leaves, int up, int radix) {
  int spines = ceil_div(static_cast<long long>(leaves) * up, radix);
  while (up % spines != 0) ++spines;
  return spines;
}

void check(int hosts, int radix, double oversubscription) {
  if (hosts < 1) throw std::invalid_argument("a fat tree needs at least one host port");
  if (radix < 2) throw std::invalid_argument("a fat tree needs switches of at least two ports");
  if (!(oversubscription > 0)) throw std::invalid_argument("oversubscription must be positive");
}

FatTree two_tiers(int leaves, LeafPorts ports, int hosts, int radix) {
  return {.tiers = 2,
          .leaves = leaves,
          .spines = spines_for(leaves, ports.up, radix),
          .down_per_leaf = ports.down,
          .up_per_leaf = ports.up,
          .host_links = hosts,
          .fabric_links = leaves * ports.up};
}

// Aggregation switches split their ports evenly; cores have all ports down.
FatTree three_tiers(LeafPorts ports, int hosts, int radix) {
  const int leaves = ceil_div(hosts, ports.down);
  const int half = radix / 2;
  const int aggregation = ceil_div(static_cast<long long>(leaves) * ports.up, half);
  return {.tiers = 3,
          .leaves = leaves,
          .spines = aggregation,
          .cores = ceil_div(static_cast<long long>(aggregation) * half, radix),
          .down_per_leaf = ports.down,
          .up_per_leaf = ports.up,
          .host_links = hosts,
          .fabric_links = leaves * ports.up + aggregation * half,
          .lower_bound = true};
}

// Rails that meet in no switch: traffic between rails uses NVLink first (NCCL calls this PXN).
std::optional<FatTree> separate_rails(const RailTreeRequest& r) {
  if (r.nodes <= r.radix) {
    const int leaves = ceil_div(r.rails, std::min(r.rails, r.radix / r.nodes));
    const int rails = ceil_div(r.rails, leaves);
    return FatTree{.tiers = 1,
                   .leaves = leaves,
                   .down_per_leaf = rails * r.nodes,
                   .host_links = r.nodes * r.rails,
                   .rails_per_switch = rails};
  }
  std::optional<FatTree> one = fat_tree({.hosts = r.nodes, .radix = r.radix});
  if (!one || one->tiers > 2) return std::nullopt;
  one->leaves *= r.rails;
  one->spines *= r.rails;
  one->host_links *= r.rails;
  one->fabric_links *= r.rails;
  return one;
}

std::optional<FatTree> joined_rails(const RailTreeRequest& r) {
  const LeafPorts ports = leaf_ports(r.radix, r.oversubscription);
  const int fit = std::min(r.rails, ports.down / r.nodes);  // whole rails on one leaf
  const int leaves = fit > 0 ? ceil_div(r.rails, fit) : r.rails * ceil_div(r.nodes, ports.down);
  if (leaves > r.radix) return std::nullopt;
  FatTree tree = two_tiers(leaves, ports, r.nodes * r.rails, r.radix);
  tree.rails_per_switch = fit;
  return tree;
}

}  // namespace

double FatTree::oversubscription() const {
  return up_per_leaf == 0 ? 1 : static_cast<double>(down_per_leaf) / up_per_leaf;
}

// A spine has one port per leaf at least, so two tiers hold r leaves; of three tiers, r pods of r/2 leaves.
long long max_hosts(int tiers, int radix, double oversubscription) {
  const long long down = leaf_ports(radix, oversubscription).down;
  switch (tiers) {
    case 1:
      return radix;
    case 2:
      return radix * down;
    case 3:
      return static_cast<long long>(radix) * (radix / 2) * down;
  }
  throw std::invalid_argument("a fat tree has one, two or three tiers");
}

std::optional<FatTree> fat_tree(const FatTreeRequest& request) {
  const auto [hosts, radix, oversubscription] = request;
  check(hosts, radix, oversubscription);
  if (hosts <= radix) {
    return FatTree{.tiers = 1, .leaves = 1, .down_per_leaf = radix, .host_links = hosts};
  }
  const LeafPorts ports = leaf_ports(radix, oversubscription);
  if (hosts <= max_hosts(2, radix, oversubscription)) {
    return two_tiers(ceil_div(hosts, ports.down), ports, hosts, radix);
  }
  if (hosts <= max_hosts(3, radix, oversubscription)) return three_tiers(ports, hosts, radix);
  return std::nullopt;
}

std::optional<FatTree> rail_tree(const RailTreeRequest& request) {
  check(request.nodes, request.radix, request.oversubscription);
  if (request.rails < 1) throw std::invalid_argument("a rail-optimised network needs at least one rail");
  return request.joined ? joined_rails(request) : separate_rails(request);
}

int optics(const FatTree& tree, bool copper_to_hosts) {
  return 2 * (tree.fabric_links + (copper_to_hosts ? 0 : tree.host_links));
}

}  // namespace fathom
