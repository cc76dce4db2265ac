// One way to serve the model on one pool: its layout, what it needs, what it delivers, or why it was turned down.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "memory/ledger.h"
#include "network/topology.h"
#include "serving/steady_state.h"

namespace fathom {

struct Candidate {
  const Pool* pool = nullptr;
  PoolRole role = PoolRole::kServe;
  Layout layout;
  ReplicaMemory memory;
  ServingPoint load;                    // at the workload's load
  std::optional<ServingPoint> maximum;  // largest batch within the service level
  std::string rejected;                 // why not; empty: feasible
  double shortfall_bytes = 0;           // per device, when memory is the reason

  bool feasible() const { return rejected.empty(); }
};

// Everything that stays the same while layouts vary.
struct Problem {
  const Architecture& architecture;
  const std::vector<Tensor>& tensors;
  const Workload& workload;
  const EngineProfile& engine;
};

// Legal layouts of one pool, with their reasons where they are not: degrees that divide, ranks that do not straddle nodes,
// blocks that stay whole, formats that the device can hold. Memory is judged here too; time is not.
std::vector<Candidate> enumerate(const Problem& problem, const Pool& pool, PoolRole role,
                                 const std::vector<WeightScheme>& schemes, const PoolChoice* pinned);

ReplicaMemory memory_of(const Problem& problem, const Pool& pool, const Layout& layout);

// Fills in `load` and `maximum`, at one corner of the prediction band. The candidate must have been found to fit.
void evaluate(Candidate& candidate, const Problem& problem, Corner corner, std::optional<double> concurrency,
              std::optional<Hertz> arrival_rate, Seconds transfer = Seconds(0));

// Why an engine does not run on a device; empty when it does.
std::string engine_refused(const Accelerator& accelerator, const EngineProfile& engine);

// Why a device cannot hold weights in this scheme at all; empty when it can.
std::string format_refused(const Accelerator& accelerator, const WeightScheme& scheme);

}  // namespace fathom
