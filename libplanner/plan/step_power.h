// What a replica draws, for the simulation: idle, at the load of the plan, and against what its steps work on.
// docs/formulas/simulate.md#energy
#pragma once

#include "bom/cluster.h"
#include "catalog/catalog.h"
#include "plan/plan.h"
#include "power/node_power.h"
#include "search/search.h"
#include "simulate/serving_pool.h"

namespace fathom {

// Over sequences that decode at the mean context of the workload, and tokens of prompts beside them. At nothing: idle.
StepGrid step_watts(const Problem& problem, const Candidate& candidate, const ServingPool& pool, const NodeParts& node);

// Of each pool whose nodes' power is known; needs the power of the plan.
void add_watts(Plan& plan, const Problem& problem, const Solution& solution, const Cluster& cluster,
               const Catalog& catalog);

}  // namespace fathom
