// The processor of a node as the device that runs the model, in cluster files `accelerator: {part: host-cpu, count: RANKS}`:
// what the file says about the node replaces what the catalog assumes about some laptop.
#pragma once

#include "bom/cluster.h"
#include "network/topology.h"

namespace fathom {

bool runs_on_host(const Node& node);

// The share of one rank in memory, bandwidth and arithmetic of the pool's node. `pool` must be of such a node.
Accelerator host_device(const Pool& pool);

// For power: the processor is one part, whether it is stated as the node's `cpu` or only as what runs the model.
Node with_processor_once(Node node);

}  // namespace fathom
