// How far predictions are from measurements: every row of a table, by kind, and the decisions that follow from them.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "score/measurement.h"
#include "score/predict.h"
#include "score/statistics.h"

namespace fathom {

struct ScoredRow {
  const Measurement* row = nullptr;
  RowPrediction prediction;
  double ln_error = 0;
};

// Rows of one kind. `each`: they count alike. `macro`: the mean over their groups.
struct ScoreSection {
  std::string name;
  ErrorStatistics each, macro;
};

// Layouts that were measured under the same conditions.
struct Decision {
  std::string what;                           // "llama-3.1-70b on nvidia-l40s-48gb, tensorrt-llm, 128 in, 128 out"
  std::string measured_best, predicted_best;  // "TP4"
  int layouts = 0;
  double regret = 0;   // of the predicted best: measured, over the measured best, minus one
  bool right = false;  // the measured best is predicted first, or within 5 % of what is
};

struct Score {
  std::string file;
  int rows = 0;  // of the completeness asked for
  int predicted = 0;
  ErrorStatistics overall;       // macro: groups, then categories
  double interval_coverage = 0;  // of all rows whose prediction has a band
  std::vector<ScoreSection> categories, metrics, accelerators, engines, models;
  std::vector<std::pair<std::string, int>> unpredicted;  // reason, rows; most frequent first
  std::vector<ScoredRow> details;                        // as in the file
  std::vector<std::size_t> worst;                        // of those, the largest error first
  std::vector<Decision> decisions;
  std::vector<std::string> notes;  // assumptions made
};

struct ScoreOptions {
  bool partial = false;  // rows of completeness partial instead of full
};

// Engine profiles by id and version, read once.
class EngineBook {
 public:
  explicit EngineBook(std::filesystem::path data_dir) : data_dir_(std::move(data_dir)) {}
  // nullptr when there is no such engine.
  const EngineProfile* find(const std::string& id, const std::string& version);
  void replace(const std::string& id, const std::string& version, const EngineProfile& profile);

 private:
  std::filesystem::path data_dir_;
  std::map<std::pair<std::string, std::string>, EngineProfile> known_;
  std::vector<std::string> ids_;
};

// `rows` and the catalog must outlive the result.
Score score(const std::vector<Measurement>& rows, const Catalog& catalog, EngineBook& engines,
            const ScoreOptions& options);

// The same statistics over rows that were predicted elsewhere.
Score summarise(std::vector<ScoredRow> details);

}  // namespace fathom
