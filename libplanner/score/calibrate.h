// An engine profile moved towards measurements: the parameters of catalogs/engines.yaml are fitted to the rows of one engine,
// held back by what the catalog knew before. docs/formulas/calibrate.md
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "score/fit_level.h"
#include "score/score.h"

namespace fathom {

struct CalibrationOptions {
  std::string engine;                   // id
  std::string since = {}, before = {};  // versions [since, before); empty: open
  bool by_device = true;                // devices of one architecture may differ from the rest
  std::vector<std::string> fixed = {};  // names of parameters that stay as they are
};

struct CalibratedParameter {
  const EngineParameter* parameter = nullptr;
  std::string device;  // architecture or id of an accelerator; empty: everywhere
  double before = 0, after = 0;
};

struct Calibration {
  EngineProfile engine;                         // where the fit started, as it was read
  FittedFactors factors;                        // what was found, on top of the engine's own
  std::vector<CalibratedParameter> parameters;  // what they make of the engine's newest version among the rows
  ErrorStatistics before, after;                // macro over groups
  int rows = 0, groups = 0;
  std::optional<ErrorStatistics> held_out;  // of groups that a fit did not see; filled by held_out_error()
};

// What a fit found holds on the architectures of its rows: everywhere only when there are several, or with by_device off.
// Throws std::invalid_argument when the engine is unknown or no row can be predicted.
Calibration calibrate(const std::vector<Measurement>& rows, const Catalog& catalog, EngineBook& engines,
                      const CalibrationOptions& options);

// The error for rows of one calibration that are predicted by profiles fitted to groups other than their own, `folds` times: a fifth
// of the groups is left out each time when it is five; macro over groups. Starts from the folder `priors` of the catalogs, because
// the shipped profiles have seen the public rows. nullopt when no row was predicted.
std::optional<ErrorStatistics> held_out_error(const std::vector<Measurement>& rows, const Catalog& catalog,
                                              const CalibrationOptions& options, int folds);

// All engines of a table in one fit, from the folder `priors` of the catalogs. Rows of unfitted engines take no part.
struct EnginesCalibration {
  FittedFactors factors;
  ErrorStatistics before, after;  // macro over groups
  int rows = 0, groups = 0;
};
EnginesCalibration calibrate_all(const std::vector<Measurement>& rows, const Catalog& catalog);

// Every row predicted by profiles that were fitted in this way, from those in the folder `priors` of the catalogs, to groups other than
// its own. Rows that no engine profile moves (kernels, collectives, power) are predicted as score() does.
Score score_held_out(const std::vector<Measurement>& rows, const Catalog& catalog, int folds);

// What an entry says of where its values come from.
struct EntryOrigin {
  std::string source, date;
  EngineSpan span;  // the versions that it speaks of
};

// The entry for catalogs/engines.yaml, as text.
std::string as_yaml(const Calibration& calibration, const EntryOrigin& origin);

// The whole of catalogs/engines.yaml: `priors`, the text of priors/engines.yaml, with the factors behind each entry. `source` is a
// code of its sources.
std::string as_yaml(const EnginesCalibration& calibration, const std::string& priors, const std::string& source,
                    const std::string& date);

}  // namespace fathom
