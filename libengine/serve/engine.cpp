#include "serve/engine.h"

#include <fmt/format.h>

#include <mutex>

#include "executor/host_executor.h"
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

std::unique_ptr<Executor> make_host_executor(const ExecutorParts& parts) {
  return std::make_unique<HostExecutor>(parts);
}

namespace {

void check(const EngineModel& model, const std::vector<Request>& requests, const RunOptions& options) {
  if (options.chunk_tokens < 1 || options.max_sequences < 1) throw std::invalid_argument("a step without tokens");
  if (options.clock && mpi_ranks() > 0) {
    throw std::invalid_argument("requests that come by a clock need all ranks in one process: run it without mpirun");
  }
  for (const Request& r : requests) {
    if (r.prompt.empty() || r.output_tokens < 1) {
      throw std::invalid_argument(fmt::format("request {} has no prompt or asks for no answer", r.id));
    }
    if (options.cache_tokens > 0 && blocks_of(r) > KvCache::blocks_for(options.cache_tokens)) {
      throw std::invalid_argument(fmt::format("request {} can never fit the cache", r.id));
    }
    for (const std::vector<int>* tokens : {&r.prompt, &r.forced}) {
      for (int token : *tokens) {
        if (token >= 0 && token < model.architecture.vocab_size) continue;
        throw std::invalid_argument(
            fmt::format("token {} is not in 0 to {}", token, model.architecture.vocab_size - 1));
      }
    }
  }
}

}  // namespace

RunResult run_engine(const EngineModel& model, const WeightSource& source, const std::vector<Request>& requests,
                     const RunOptions& options) {
  check(model, requests, options);
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
