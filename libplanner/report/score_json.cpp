#include "report/score_json.h"

#include <nlohmann/json.hpp>

namespace fathom {

namespace {

using Json = nlohmann::ordered_json;

// Without a band nothing is covered, which is not a coverage of 0.
Json coverage(const ErrorStatistics& s) { return s.banded > 0 ? Json(s.coverage()) : Json(nullptr); }

// Without rows there is nothing to say, which is not an error of 0.
Json figures(const ErrorStatistics& s) {
  Json json = {{"rows", s.rows}, {"groups", s.groups}};
  if (s.rows == 0) {
    for (const char* key : {"median_abs_ln", "p90_abs_ln", "bias_ln", "within_20", "mape", "interval_coverage"})
      json[key] = nullptr;
    return json;
  }
  json["median_abs_ln"] = s.median_abs_ln;
  json["p90_abs_ln"] = s.p90_abs_ln;
  json["bias_ln"] = s.bias_ln;
  json["within_20"] = s.within_20;
  json["mape"] = s.mape;
  json["interval_coverage"] = coverage(s);
  if (s.spearman) json["spearman"] = *s.spearman;
  return json;
}

// The figures of a section are macro averages; those that count every row alike stand under "each".
Json list(const std::vector<ScoreSection>& sections) {
  Json out = Json::array();
  for (const ScoreSection& section : sections) {
    Json json = {{"name", section.name}};
    json.update(figures(section.macro));
    if (section.each.spearman) json["spearman"] = *section.each.spearman;
    json["each"] = figures(section.each);
    out.push_back(json);
  }
  return out;
}

Json not_scored(const RowCounts& rows) {
  Json json = Json::object();
  if (rows.full > 0) json["full"] = rows.full;
  if (rows.partial > 0) json["partial"] = rows.partial;
  if (rows.context > 0) json["context"] = rows.context;
  return json;
}

}  // namespace

std::string score_json(const Score& score, bool details) {
  Json json = {{"format_version", "1.0"},
               {"file", score.file},
               {"rows", score.rows},
               {"predicted", score.predicted},
               {"not_scored", not_scored(score.left_out)},
               {"overall", figures(score.overall)}};
  json["interval_coverage"] = coverage(score.overall);
  json["categories"] = list(score.categories);
  json["metrics"] = list(score.metrics);
  json["accelerators"] = list(score.accelerators);
  json["engines"] = list(score.engines);
  json["models"] = list(score.models);
  json["unpredicted"] = Json::array();
  for (const UnpredictedRows& missed : score.unpredicted) {
    Json ids = Json::array();
    for (const Measurement* row : missed.rows) ids.push_back(row->id);
    json["unpredicted"].push_back({{"reason", missed.reason}, {"count", missed.rows.size()}, {"ids", ids}});
  }
  const DecisionSummary& decided = score.decided;
  json["decision_summary"] = {{"sets", decided.sets},
                              {"right", decided.right},
                              {"right_by_regret", decided.right_by_regret},
                              {"mean_regret", decided.mean_regret}};
  json["decisions"] = Json::array();
  for (const Decision& d : score.decisions) {
    json["decisions"].push_back({{"what", d.what},
                                 {"layouts", d.layouts},
                                 {"measured_best", d.measured_best},
                                 {"predicted_best", d.predicted_best},
                                 {"regret", d.regret},
                                 {"right", d.right},
                                 {"right_by_regret", d.right_by_regret}});
  }
  json["notes"] = score.notes;
  if (details) {
    json["rows_detail"] = Json::array();
    for (const ScoredRow& row : score.details) {
      json["rows_detail"].push_back({{"id", row.row->id},
                                     {"metric", row.row->metric->name},
                                     {"measured", row.row->value},
                                     {"predicted", row.prediction.likely},
                                     {"min", row.prediction.min},
                                     {"max", row.prediction.max},
                                     {"ln_error", row.ln_error},
                                     {"longest", row.prediction.longest}});
    }
  }
  return json.dump(2) + "\n";
}

}  // namespace fathom
