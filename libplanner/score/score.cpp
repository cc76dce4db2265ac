#include "score/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom {

const EngineProfile* EngineBook::find(const std::string& id, const std::string& version) {
  if (ids_.empty()) ids_ = engine_ids(data_dir_);
  const auto key = std::pair(id, version);
  if (const auto known = known_.find(key); known != known_.end()) return &known->second;
  const bool listed = std::find(ids_.begin(), ids_.end(), id) != ids_.end();
  if (!listed) return nullptr;
  return &(known_[key] = read_engine_profile(data_dir_, id, version));
}

namespace {

ErrorPair pair_of(const ScoredRow& row) {
  const RowPrediction& p = row.prediction;
  ErrorPair pair{.measured = row.row->value, .predicted = p.likely, .inside = {}};
  if (p.max > p.min) pair.inside = row.row->value >= p.min && row.row->value <= p.max;
  return pair;
}

template <class Key>
std::vector<ScoreSection> sections(const std::vector<ScoredRow>& rows, Key key) {
  std::map<std::string, std::map<std::string, std::vector<ErrorPair>>> by;
  for (const ScoredRow& row : rows) by[key(*row.row)][row.row->group].push_back(pair_of(row));
  std::vector<ScoreSection> out;
  for (const auto& [name, groups] : by) {
    std::vector<ErrorPair> all;
    std::vector<ErrorStatistics> each;
    for (const auto& [group, pairs] : groups) {
      all.insert(all.end(), pairs.begin(), pairs.end());
      each.push_back(statistics(pairs));
    }
    out.push_back({.name = name, .each = statistics(all), .macro = mean_of(each)});
    out.back().each.groups = static_cast<int>(groups.size());
  }
  return out;
}

}  // namespace

RowCounts count_rows(const std::vector<Measurement>& rows) {
  RowCounts counts;
  for (const Measurement& row : rows) {
    counts.full += row.completeness == Completeness::kFull ? 1 : 0;
    counts.partial += row.completeness == Completeness::kPartial ? 1 : 0;
    counts.context += row.completeness == Completeness::kContext ? 1 : 0;
  }
  return counts;
}

Score summarise(std::vector<ScoredRow> details) {
  Score out;
  out.details = std::move(details);
  std::stable_sort(out.details.begin(), out.details.end(),
                   [](const ScoredRow& a, const ScoredRow& b) { return a.row->line < b.row->line; });
  for (std::size_t i = 0; i < out.details.size(); ++i) out.worst.push_back(i);
  std::stable_sort(out.worst.begin(), out.worst.end(), [&](std::size_t a, std::size_t b) {
    return std::abs(out.details[a].ln_error) > std::abs(out.details[b].ln_error);
  });
  out.predicted = static_cast<int>(out.details.size());
  out.categories = sections(out.details, [](const Measurement& m) { return m.category; });
  out.metrics = sections(out.details, [](const Measurement& m) { return to_string(m.metric->kind); });
  out.accelerators = sections(out.details, [](const Measurement& m) { return m.accelerator; });
  out.engines = sections(out.details, [](const Measurement& m) { return m.engine; });
  out.models = sections(out.details, [](const Measurement& m) { return m.model.empty() ? "(none)" : m.model; });
  std::vector<ErrorStatistics> each;
  for (const ScoreSection& category : out.categories) each.push_back(category.macro);
  out.overall = mean_of(each);
  out.decisions = decide(out.details);
  out.decided = summary_of(out.decisions);
  return out;
}

Score score(const std::vector<Measurement>& rows, const Catalog& catalog, EngineBook& engines,
            const ScoreOptions& options) {
  SetupBuilder builder(catalog);
  std::vector<ScoredRow> details;
  std::map<std::string, std::vector<const Measurement*>> reasons;
  int wanted = 0;
  for (const Measurement& row : rows) {
    if (row.completeness != (options.partial ? Completeness::kPartial : Completeness::kFull)) continue;
    ++wanted;
    const auto built = builder.build(row);
    if (const std::string* why = std::get_if<std::string>(&built)) {
      reasons[*why].push_back(&row);
      continue;
    }
    const Setup& setup = std::get<Setup>(built);
    if (const std::string why = unpredictable(setup); !why.empty()) {
      reasons[why].push_back(&row);
      continue;
    }
    const EngineProfile* engine = engines.find(setup.engine, row.engine_version);
    // A benchmark's kernels run as well as those of a well-made engine.
    if (engine == nullptr && row.role == MeasuredRole::kMicro) engine = engines.find("reference", "");
    if (engine == nullptr) {
      reasons[fmt::format("engine {} is not in the catalog", row.engine)].push_back(&row);
      continue;
    }
    const std::optional<RowPrediction> prediction = predict(setup, *engine);
    if (!prediction) {
      reasons[fmt::format("no {} for this load", row.metric->name)].push_back(&row);
      continue;
    }
    details.push_back({.row = &row, .prediction = *prediction, .ln_error = std::log(prediction->likely / row.value)});
  }
  Score out = summarise(std::move(details));
  out.rows = wanted;
  out.left_out = count_rows(rows);
  (options.partial ? out.left_out.partial : out.left_out.full) = 0;
  for (auto& [reason, missed] : reasons) out.unpredicted.push_back({.reason = reason, .rows = std::move(missed)});
  std::stable_sort(out.unpredicted.begin(), out.unpredicted.end(),
                   [](const auto& a, const auto& b) { return a.rows.size() > b.rows.size(); });
  return out;
}

}  // namespace fathom
