#include "serve/engine.h"

#include <fmt/format.h>

#include <mutex>

#include "serve/rank_loop.h"

namespace fathom {

EngineModel::EngineModel(Architecture a, Layout l)
    : architecture(std::move(a)), tensors(fathom::tensors(architecture)), layout(std::move(l)) {
  if (std::string why = illegal(architecture, tensors, layout); !why.empty()) throw std::invalid_argument(why);
  if (std::string why = unsupported(architecture, layout); !why.empty()) {
    throw std::invalid_argument("the engine cannot run this model: " + why);
  }
  stages = fathom::stages(architecture, tensors, layout);
  if (architecture.moe) experts = contiguous(architecture.moe->routed_experts, layout.ep);
}

int kind_of(const StepRecord& step) { return step.prompt_rows == 0 ? 0 : step.decode_rows == 0 ? 1 : 2; }

RunResult run_engine(const EngineModel& model, const WeightSource& source, const std::vector<Request>& requests,
                     const RunOptions& options) {
  RunResult result;
  std::mutex guard;
  const auto body = [&](Communicator& world) {
    std::unique_ptr<Communicator> faulty;
    if (options.fault) faulty = std::make_unique<FaultyCommunicator>(world, *options.fault);
    RunResult mine = run_rank(faulty ? *faulty : world, model, source, requests, options);
    const std::lock_guard lock(guard);
    if (world.rank() == 0) result = std::move(mine);
  };
  if (const int processes = mpi_ranks(); processes > 0) {
    if (processes != model.ranks()) {
      throw std::invalid_argument(
          fmt::format("mpirun started {} processes, the layout has {} ranks", processes, model.ranks()));
    }
    run_on_mpi(options.communicator, body);
  } else {
    run_on_threads(model.ranks(), options.communicator, body);
  }
  return result;
}

}  // namespace fathom
