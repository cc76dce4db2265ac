#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "memory/ledger.h"
#include "units/text.h"
#include "validate/step_shape.h"

namespace fathom {

namespace {

// Room for the largest matrix that is not stored in bf16 or more.
Bytes widened(const EngineModel& model) {
  constexpr double kBf16Bits = 16;
  double most = 0;
  for (const Tensor& t : model.tensors) {
    if (!t.vector && bits_per_weight(format_of(t, model.layout.weights)) < kBf16Bits) {
      const Shard part = shard(t, model.architecture, model.layout, 0);
      most = std::max(most, part.rows * part.cols);
    }
  }
  return Bytes(most * kBf16Bits / 8);
}

}  // namespace

RankMemory predicted_memory(const EngineModel& model, const Stage& stage, const StepShape& shape, int steps,
                            const Backend& backend) {
  const Layout& l = model.layout;
  const double sequences = !shape.decodes() ? l.pp : std::ceil(static_cast<double>(shape.sequences) / l.attention_dp);
  const double cached = static_cast<double>(l.pp) * static_cast<double>(cache_tokens(model, shape, steps));
  const double rows = !shape.decodes() ? shape.prompt : std::ceil(sequences / l.pp);
  const Ledger ledger = stage_ledger({.architecture = model.architecture,
                                      .tensors = model.tensors,
                                      .layout = l,
                                      .device_capacity = Bytes(0),
                                      .reserves = {},
                                      .chunk_tokens = rows,
                                      .sequences = !shape.decodes() ? 1 : rows},
                                     stage);
  RankMemory memory{.weights = ledger.weights(), .cache = ledger.kv_per_token * cached, .activations = {}};
  for (const LedgerRow& row : ledger.rows) {
    constexpr double kLedgerBytes = 2;  // of a value
    if (row.name == "activations") memory.activations = row.bytes * (backend.activation_bytes / kLedgerBytes);
  }
  if (backend.widens_weights) memory.activations += widened(model);
  return memory;
}

void check_memory(const EngineModel& model, const StepShape& shape, int steps, const Backend& backend, Bytes besides) {
  Bytes all{}, largest{};
  for (const Stage& stage : model.stages) {
    const Bytes one = predicted_memory(model, stage, shape, steps, backend).all();
    all += one * model.layout.stage_width();
    largest = std::max(largest, one);
  }
  const Bytes needed = (backend.memory_per_rank ? largest
                        : mpi_ranks() > 0       ? largest * ranks_here(model)
                                                : all) +
                       besides;
  constexpr double kLeftAlone = 0.05;  // for the program itself and whatever else grows meanwhile
  const Bytes free(static_cast<double>(backend.free_memory()) * (1 - kLeftAlone));
  if (needed <= free) return;
  const std::string who =
      backend.memory_per_rank ? "a rank needs" : fmt::format("the {} ranks here need", ranks_here(model));
  throw std::invalid_argument(
      fmt::format("{} {} for weights, cache and results; {} has {} free\n   = help: "
                  "--layers N runs so many layers only and reckons the rest",
                  who, to_string_binary(needed), backend.memory, to_string_binary(free)));
}

}  // namespace fathom
