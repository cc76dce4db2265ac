// What one rank does from loading to the last token.
#pragma once

#include "serve/engine.h"

namespace fathom {

// Every rank of `world` calls it with the same arguments. The result is complete on rank 0.
RunResult run_rank(Communicator& world, const EngineModel& model, const WeightSource& source,
                   const std::vector<Request>& requests, const RunOptions& options);

}  // namespace fathom
