// What cluster.yaml and a layout say, in the words of the availability formulas.
#pragma once

#include <optional>

#include "availability/service.h"
#include "bom/cluster.h"
#include "units/quantity.h"

namespace fathom {

// One group's share of a layout.
struct PoolPlan {
  int replicas = 1;
  int nodes_per_replica = 1;
  int nodes_used = 1;                            // by all replicas together
  std::optional<int> replicas_needed = {};       // to carry the load; default: all
  Bytes weights_per_node{};                      // to be loaded when a spare takes over
  std::optional<BytesPerSecond> disk_read = {};  // towards one node; the file's weight_load wins
  std::optional<Seconds> engine_start = {};
};

// Nodes beyond replicas * nodes_per_replica are spares. The mains of a hall are shared by all its nodes; a home's are
// part of the node, unless the stated availability of the node holds them already.
// Replicas that share a node at their edge are each counted with the whole of it: a little too pessimistic.
ServiceCase service_case(const Group& group, const Site& site, const AvailabilityInput& input, const PoolPlan& plan);

}  // namespace fathom
