// An engine serves requests as they come, by the wall clock, under the limits that a plan states for a replica.
#pragma once

#include "compare/arrivals.h"
#include "plan/read_plan.h"
#include "serve/engine.h"
#include "validate/validation.h"

namespace fathom {

// The limits of `replica` as the engine takes them: chunk, sequences at once, cache.
RunOptions serving_options(const EngineModel& model, const SavedPool& pool, const ServingPool& replica,
                           const std::vector<Request>& requests, const ValidationOptions& options);

std::vector<Request> engine_requests(const RequestTrace& requests, int vocabulary);

// What a run says of its requests and steps.
ServedRun served(const EngineModel& model, const RunResult& run, const RequestTrace& requests);

// Serves `requests` (times in s from 0) to their end. Throws std::invalid_argument for what the engine cannot serve so: a pool
// that only prefills or decodes, drafts, a part of the layers, several processes, more memory than this machine has.
ServedRun serve_arrivals(const SavedPlan& plan, const SavedPool& pool, const ServingPool& replica,
                         const WeightSource& source, const RequestTrace& requests, const ValidationOptions& options);

}  // namespace fathom
