// One fit of the profiles of all engines to measurements. What holds for an engine, from one of its versions on, for a device
// whatever runs on it, and for an engine on a device are separate factors on the same parameters, each held back by a spread of
// its own. So an engine takes over what others were found to do on a device where it was never measured.
// docs/formulas/calibrate.md
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "score/fit_level.h"
#include "score/predict.h"

namespace fathom {

// What runs where. Without an engine a fit is of one engine only, without a device of all alike.
struct FitContext {
  std::string engine;
  std::string only = {};  // the one architecture of all rows: what is found of the engine is said of no other
  std::vector<std::string> since = {};  // first versions of the spans up to the one that runs, the first span left out
  std::string architecture = {}, device = {};
};

struct FitRow {
  Setup setup;
  FitContext context;
  EngineProfile engine;  // where the fit starts: facts_on() the row's device
};

class EnginesFit {
 public:
  // Parameters named in `fixed` stay as they are.
  explicit EnginesFit(std::vector<FitRow> rows, const std::vector<std::string>& fixed = {});
  ~EnginesFit();

  void solve();

  const std::vector<FitRow>& rows() const;
  std::vector<double> errors() const;  // ln(predicted / measured) of the rows, with the factors as they are now

  // `engine` with the factors that hold in `context` behind its own, as if they had been read from a file.
  EngineProfile at(const EngineProfile& engine, const FitContext& context) const;

  // Of every level, those that are off 1 by a hundredth, to three digits.
  FittedFactors factors() const;

 private:
  class Solver;
  std::unique_ptr<Solver> solver_;
};

}  // namespace fathom
