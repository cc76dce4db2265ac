// One measurement predicted in its own metric.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "score/setup.h"
#include "timing/engine_profile.h"

namespace fathom {

struct RowPrediction {
  double min = 0, likely = 0, max = 0;  // in the metric's unit
  std::string longest;                  // operator that takes most of the time behind it; empty: not one of operators
};

// The likely value alone, on an engine profile as it is on the row's device; nullopt when the metric has no prediction there.
// Pure: the same arguments give the same bits.
std::optional<double> predicted_value(const Setup& setup, const EngineProfile& engine);

// With its band and the operator that explains it. `engine` as catalogs/engines.yaml has it.
std::optional<RowPrediction> predict(const Setup& setup, const EngineProfile& engine);

// Why predicted_value() has no answer; empty when it has.
std::string unpredictable(const Setup& setup);

}  // namespace fathom
