// An engine profile moved towards measurements: the parameters of catalogs/engines.yaml are fitted to the rows of one engine,
// held back by what the catalog knew before. docs/formulas/calibrate.md
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "score/score.h"

namespace fathom {

// ln of a factor on one parameter: everywhere, on one architecture or on one device.
struct CalibrationFactor {
  const EngineParameter* parameter = nullptr;
  std::string device;  // empty: everywhere
  double ln = 0;
};

struct CalibrationOptions {
  std::string engine;                             // id
  std::string since = {}, before = {};            // versions [since, before); empty: open
  bool by_device = true;                          // devices of one architecture may differ from the rest
  std::vector<CalibrationFactor> inherited = {};  // what the version before was found to do
  std::vector<std::string> fixed = {};            // names of parameters that stay as they are
};

struct CalibratedParameter {
  const EngineParameter* parameter = nullptr;
  std::string device;  // architecture or id of an accelerator; empty: everywhere
  double before = 0, after = 0;
};

struct Calibration {
  EngineProfile profile;                        // likely values moved; the corners moved along
  std::vector<CalibratedParameter> parameters;  // those that the rows moved by more than a hundredth
  ErrorStatistics before, after;                // macro over groups
  std::vector<CalibrationFactor> factors;       // the same, inherited ones included, as the fit has them
  int rows = 0, groups = 0;
  std::optional<ErrorStatistics> held_out;  // of groups that a fit did not see; filled by held_out_error()
};

// Throws std::invalid_argument when the engine is unknown or no row can be predicted.
Calibration calibrate(const std::vector<Measurement>& rows, const Catalog& catalog, EngineBook& engines,
                      const CalibrationOptions& options);

// Rows of engines predicted by profiles that were fitted to groups other than their own, `folds` times: a fifth of the groups
// is left out each time when it is five. `spans` in the order of versions; each starts from what the one before was found to do.
// Parameters that `like` holds fixed stay so, and devices differ only where it lets them.
std::vector<ScoredRow> predict_held_out(const std::vector<Measurement>& rows, const Catalog& catalog, EngineBook& book,
                                        const std::vector<EngineSpan>& spans, int folds,
                                        const CalibrationOptions& like = {});

// The error of such predictions for the rows of one calibration, macro over groups. Starts from the folder `priors` of the
// catalogs, because the shipped profiles have seen the public rows. nullopt when no row was predicted.
std::optional<ErrorStatistics> held_out_error(const std::vector<Measurement>& rows, const Catalog& catalog,
                                              const CalibrationOptions& options, int folds);

// Every row predicted by profiles that were fitted, from those in the folder `priors` of the catalogs, to groups other than
// its own. Rows that no engine profile moves (kernels, processors, slow networks) are predicted as score() does.
Score score_held_out(const std::vector<Measurement>& rows, const Catalog& catalog, int folds);

// What an entry says of where its values come from.
struct EntryOrigin {
  std::string source, date;
  EngineSpan span;  // the versions that it speaks of
};

// The entry for catalogs/engines.yaml, as text.
std::string as_yaml(const Calibration& calibration, const EntryOrigin& origin);

}  // namespace fathom
