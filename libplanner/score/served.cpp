#include "score/served.h"

#include <algorithm>
#include <cmath>

namespace fathom {

namespace {

bool is_power_of_two(double n) { return std::exp2(std::round(std::log2(n))) == n; }

bool typed(double n) { return std::fmod(n, 10) == 0 || std::fmod(n, 128) == 0 || is_power_of_two(n); }

}  // namespace

// Nine tenths of a round decimal number say nothing: of 100 they are typed themselves, and of one ten or another every
// multiple of nine is.
LengthSpread length_spread(const Setup& s) {
  const double n = std::max(1.0, s.output);
  if (typed(n)) return {};
  constexpr double kDrawnFrom = 0.8, kMean = (kDrawnFrom + 1) / 2;
  const double nominal = std::round(n / kMean);
  if (is_power_of_two(nominal) && std::round(nominal * kMean) == n)
    return {.variation = (1 - kDrawnFrom) / std::sqrt(12.0) / kMean, .longest = 1 / kMean};
  return {.variation = 1, .longest = 5};
}

Served::Served(const Setup& s, std::size_t pool, const EngineProfile& engine)
    : setup_(s),
      engine_(engine),
      layout_(s.pools[pool].layout),
      pool_(s.pools[pool].pool),
      cut_(stages(s.model->architecture, s.model->tensors, layout_)),
      timer_(s.model->architecture, s.model->tensors, layout_, cut_, device_rates(pool_, engine), host_work(engine)) {}

double Served::fresh() const { return std::max(1.0, setup_.input - setup_.cached); }

double Served::accepted() const { return setup_.row->accept_len.value_or(1); }

ReplicaMemory Served::memory() const {
  const Accelerator& device = *pool_.accelerator;
  return replica_memory({.architecture = setup_.model->architecture,
                         .tensors = setup_.model->tensors,
                         .layout = layout_,
                         .device_capacity = device.usable_memory ? device.usable_memory->value : device.memory.value,
                         .reserves = engine_.reserves,
                         .chunk_tokens = std::min(engine_.chunk_tokens, std::max(1.0, setup_.input)),
                         .sequences = 1},
                        cut_);
}

double Served::places() const { return fathom::places(memory(), engine_, layout_, setup_.input, setup_.output); }

OfflineLoad Served::offline(double requests) const {
  return {.requests = requests,
          .input = setup_.input,
          .cached = setup_.cached,
          .output = setup_.output,
          .context = setup_.context,
          .tokens_per_step = accepted(),
          .ragged = length_spread(setup_).variation >= 1};
}

SteadyState Served::steady(PoolRole role) const {
  const auto fixed = [](double n) { return LengthDistribution{.mean = n, .p50 = n, .p99 = n, .second_moment = n * n}; };
  Workload workload;
  workload.model = setup_.row->model;
  workload.input_tokens = fixed(std::max(1.0, setup_.input));
  workload.output_tokens = fixed(std::max(1.0, setup_.output));
  workload.prefix_cache_hit = std::min(0.999, setup_.row->prefix_hit.value_or(0));
  if (layout_.mtp) workload.mtp_acceptance = accepted() - 1;
  return SteadyState(timer_, workload, engine_, layout_, role, places());
}

}  // namespace fathom
