// How far predictions are from measurements: every row of a table, by kind, and the decisions that follow from them.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "score/decisions.h"
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

// Rows that this program cannot predict, and why.
struct UnpredictedRows {
  std::string reason;
  std::vector<const Measurement*> rows;
};

// Rows of a table by completeness.
struct RowCounts {
  int full = 0, partial = 0, context = 0;
};
RowCounts count_rows(const std::vector<Measurement>& rows);

struct Score {
  std::string file;
  int rows = 0;  // of the completeness asked for
  int predicted = 0;
  RowCounts left_out;       // rows of another completeness, not scored
  ErrorStatistics overall;  // macro: groups, then categories
  std::vector<ScoreSection> categories, metrics, accelerators, engines, models;
  std::vector<UnpredictedRows> unpredicted;  // most frequent reason first
  std::vector<ScoredRow> details;            // as in the file
  std::vector<std::size_t> worst;            // of those, the largest error first
  std::vector<Decision> decisions;
  DecisionSummary decided;
  std::vector<std::string> notes;  // assumptions made
};

struct ScoreOptions {
  bool partial = false;  // rows of completeness partial instead of full
};

// Engine profiles by id and version, read once.
class EngineBook {
 public:
  explicit EngineBook(std::filesystem::path data_dir) : data_dir_(std::move(data_dir)) {}
  // nullptr when there is no such engine: a benchmark is none.
  const EngineProfile* find(const std::string& id, const std::string& version);

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
