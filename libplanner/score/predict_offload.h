// Models on processors, whole or their routed experts only, and what they hold in memory. docs/formulas/offload.md
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "score/setup.h"
#include "timing/engine_profile.h"

namespace fathom {

// How long one replica takes, whatever a metric makes of it.
struct SlowTimes {
  std::function<Seconds(double tokens)> prefill;                  // one prompt alone
  std::function<Seconds(double sequences, double context)> step;  // one token of each
};

bool has_offloaded_experts(const Setup& setup);
SlowTimes offload_times(const Setup& setup, const EngineProfile& engine);
SlowTimes processor_times(const Setup& setup, const EngineProfile& engine);

// Some whole layers on the accelerator, the others on the processors, in turn.
SlowTimes split_layers_times(const Setup& setup, const EngineProfile& engine);

// Layers of one sequence pass card after card, and no second chunk follows before the first is through (ik_llama.cpp).
SlowTimes card_after_card_times(const Setup& setup, const EngineProfile& engine);

// memory_bytes, host_memory_bytes, weight_bytes …; nullopt for other metrics.
std::optional<double> memory_value(const Setup& setup, const EngineProfile& engine);

}  // namespace fathom
