// What a plan tells the simulation: the step times of a pool as a table, its cache, its limits.
#pragma once

#include "plan/plan.h"
#include "search/search.h"
#include "simulate/serving_pool.h"

namespace fathom {

// Micro-batches that travel through the stages in one step, and those of them that carry a chunk of prompts. Fractions are
// means over time.
struct MicroBatches {
  double all = 1, with_prompts = 0;
};
MicroBatches micro_batches(const Layout& layout, double chunk, const StepWork& work);

// One step of a replica as the engine runs it: with a pipeline, sequences and prompts travel in up to `pp`
// micro-batches, each with at most `chunk` tokens of prompts per attention group.
Seconds round_time(const ReplicaTimer& timer, const Layout& layout, double chunk, const StepWork& shape);

// Axes are as fine as it takes to be within a percent between their points.
StepTimes step_times(const Architecture& architecture, const std::vector<Tensor>& tensors, const Layout& layout,
                     const DeviceRates& rates, HostWork host, double chunk, double longest_context, PoolPart part);

ServingPool serving_pool(const Problem& problem, const Candidate& candidate, const Solution& solution);
ServingLoad serving_load(const Workload& workload);
ServingLimits serving_limits(const Workload& workload);

}  // namespace fathom
