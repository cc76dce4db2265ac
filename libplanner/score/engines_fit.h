// One fit of the profiles of all engines to measurements. What holds for an engine, from one of its versions on, for a device
// whatever runs on it, and for an engine on a device are separate factors on the same parameters, each held back by a spread of
// its own. So an engine takes over what others were found to do on a device where it was never measured.
// docs/formulas/calibrate.md
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "score/fit_level.h"
#include "score/predict.h"

namespace fathom {

// What runs where. Without an engine a fit is of one engine only, without a device of all alike.
struct FitContext {
  std::string engine;
  std::vector<std::string> since;  // first versions of the spans up to the one that runs, the first span left out
  std::string architecture, device;
};

struct FitRow {
  Setup setup;
  FitContext context;
  EngineProfile engine;  // where the fit starts, as it is on the row's device
};

class EnginesFit {
 public:
  // Parameters named in `fixed` stay as they are.
  explicit EnginesFit(std::vector<FitRow> rows, const std::vector<std::string>& fixed = {});
  ~EnginesFit();

  void solve();

  const std::vector<FitRow>& rows() const;
  std::vector<double> errors() const;  // ln(predicted / measured) of the rows, with the factors as they are now

  // `prior` with the factors that hold in `context`.
  EngineProfile at(const EngineProfile& prior, const FitContext& context) const;

  // ln of the factor on each of engine_parameters(), at every level.
  std::map<FitLevel, std::vector<double>> factors() const;

 private:
  class Solver;
  std::unique_ptr<Solver> solver_;
};

}  // namespace fathom
