// Factors that a fit found, and where they hold.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "timing/engine_profile.h"

namespace fathom {

// Empty words leave open what they name. `since`: from this version on; `device`: an architecture or the id of an accelerator.
struct FitLevel {
  std::string engine, since, device;

  friend bool operator<(const FitLevel& a, const FitLevel& b) {
    return std::tie(a.engine, a.since, a.device) < std::tie(b.engine, b.since, b.device);
  }
};

using FittedFactor = std::pair<const EngineParameter*, double>;
using FittedFactors = std::map<FitLevel, std::vector<FittedFactor>>;

}  // namespace fathom
