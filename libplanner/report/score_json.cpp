#include "report/score_json.h"

#include <nlohmann/json.hpp>

namespace fathom {

namespace {

using Json = nlohmann::ordered_json;

Json figures(const ErrorStatistics& s) {
  Json json = {{"rows", s.rows},
               {"groups", s.groups},
               {"median_abs_ln", s.median_abs_ln},
               {"p90_abs_ln", s.p90_abs_ln},
               {"bias_ln", s.bias_ln},
               {"within_20", s.within_20},
               {"mape", s.mape},
               {"interval_coverage", s.coverage}};
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

}  // namespace

std::string score_json(const Score& score, bool details) {
  Json json = {{"format_version", "1.0"},
               {"file", score.file},
               {"rows", score.rows},
               {"predicted", score.predicted},
               {"overall", figures(score.overall)},
               {"interval_coverage", score.interval_coverage},
               {"categories", list(score.categories)},
               {"metrics", list(score.metrics)},
               {"accelerators", list(score.accelerators)},
               {"engines", list(score.engines)},
               {"models", list(score.models)}};
  json["unpredicted"] = Json::array();
  for (const auto& [reason, count] : score.unpredicted)
    json["unpredicted"].push_back({{"reason", reason}, {"count", count}});
  json["decisions"] = Json::array();
  for (const Decision& d : score.decisions) {
    json["decisions"].push_back({{"what", d.what},
                                 {"layouts", d.layouts},
                                 {"measured_best", d.measured_best},
                                 {"predicted_best", d.predicted_best},
                                 {"regret", d.regret},
                                 {"right", d.right}});
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
