#include "report/score_csv.h"

#include <fmt/format.h>

#include "input/csv.h"

namespace fathom {

std::string score_csv(const Score& score) {
  std::string out = "id,category,group,metric,measured,predicted,min,max,ln_error,longest,reason\n";
  for (const ScoredRow& row : score.details) {
    const Measurement& m = *row.row;
    const RowPrediction& p = row.prediction;
    out += fmt::format("{},{},{},{},{},{:.6g},{:.6g},{:.6g},{:.4f},{},\n", csv_cell(m.id), csv_cell(m.category),
                       csv_cell(m.group), m.metric->name, m.value, p.likely, p.min, p.max, row.ln_error,
                       csv_cell(p.longest));
  }
  for (const UnpredictedRows& missed : score.unpredicted) {
    for (const Measurement* m : missed.rows) {
      out += fmt::format("{},{},{},{},{},,,,,,{}\n", csv_cell(m->id), csv_cell(m->category), csv_cell(m->group),
                         m->metric->name, m->value, csv_cell(missed.reason));
    }
  }
  return out;
}

}  // namespace fathom
