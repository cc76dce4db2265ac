// Where a factor that a fit found holds.
#pragma once

#include <string>
#include <tuple>

namespace fathom {

// Empty words leave open what they name. `since`: from this version on; `device`: an architecture or the id of an accelerator.
struct FitLevel {
  std::string engine, since, device;

  friend bool operator<(const FitLevel& a, const FitLevel& b) {
    return std::tie(a.engine, a.since, a.device) < std::tie(b.engine, b.since, b.device);
  }
};

}  // namespace fathom
