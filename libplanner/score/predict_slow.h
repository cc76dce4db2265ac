// Measurements that the general serving predictor does not cover: experts or whole models on processors, networks that are
// slow against what crosses them, and memory. docs/formulas/offload.md, docs/formulas/slow_networks.md
#pragma once

#include <optional>

#include "score/setup.h"
#include "timing/engine_profile.h"

namespace fathom {

bool is_slow(const Setup& setup);

// In the metric's unit; nullopt when nothing here says it. Pure: the same arguments give the same bits.
std::optional<double> slow_value(const Setup& setup, const EngineProfile& engine);

// distributed-llama: what crosses all links for one token.
double distributed_llama_bytes(const Architecture& architecture, int nodes, double bytes_per_value, bool slices);

}  // namespace fathom
