// Layouts that were measured under the same conditions: would the predictions have chosen the best one?
// docs/measurements-csv.md#decisions
#pragma once

#include <string>
#include <vector>

namespace fathom {

struct ScoredRow;

struct Decision {
  std::string what;                           // "llama-3.1-70b on nvidia-l40s-48gb, tensorrt-llm, 128 in, 128 out"
  std::string measured_best, predicted_best;  // "TP4"
  int layouts = 0;
  double regret = 0;             // what the predicted best loses: measured best over what it measured, minus one
  bool right = false;            // the measured best is predicted first, or within 5 % of what is
  bool right_by_regret = false;  // the predicted best measured within 5 % of the measured best
};

std::vector<Decision> decide(const std::vector<ScoredRow>& rows);

struct DecisionSummary {
  int sets = 0, right = 0, right_by_regret = 0;
  double mean_regret = 0;
};
DecisionSummary summary_of(const std::vector<Decision>& decisions);

}  // namespace fathom
