// Rows that measure one kernel, one collective, one link, a memory or the power of a device.
#pragma once

#include <optional>
#include <string>

#include "score/setup.h"
#include "timing/engine_profile.h"

namespace fathom {

bool is_micro(const Setup& setup);

// In the unit of the row's metric; nullopt when there is no formula or a fact is missing. docs/formulas/micro.md
std::optional<double> micro_value(const Setup& setup, const EngineProfile& engine);

// Which fact is missing; may be empty although there is no value.
std::string micro_refusal(const Setup& setup);

}  // namespace fathom
