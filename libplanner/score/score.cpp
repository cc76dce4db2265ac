#include "score/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom {

const EngineProfile* EngineBook::find(const std::string& id, const std::string& version) {
  if (ids_.empty()) ids_ = engine_ids(data_dir_);
  const auto key = std::pair(id, version);
  if (const auto known = known_.find(key); known != known_.end()) return &known->second;
  // A benchmark is no engine: its kernels run as well as those of a well-made one.
  const bool listed = std::find(ids_.begin(), ids_.end(), id) != ids_.end();
  if (!listed) return nullptr;
  return &(known_[key] = read_engine_profile(data_dir_, id, version));
}

void EngineBook::replace(const std::string& id, const std::string& version, const EngineProfile& profile) {
  known_[std::pair(id, version)] = profile;
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

// ---- Decisions

std::string layout_name(const Measurement& m) {
  std::string name;
  const auto add = [&](const char* what, const std::optional<double>& n) {
    if (n && *n > 1) name += fmt::format("{}{}{:.0f}", name.empty() ? "" : " ", what, *n);
  };
  add("TP", m.tp);
  add("PP", m.pp);
  add("EP", m.ep);
  add("DP", m.attention_dp);
  add("x", m.replicas);
  return name.empty() ? fmt::format("{:.0f} device", m.accelerators.value_or(1)) : name;
}

std::string conditions(const Measurement& m) {
  std::string text = fmt::format("{} {} on {}, {} {}", m.model, m.weight_format, m.accelerator, m.engine,
                                 m.engine_version.empty() ? "of unknown version" : m.engine_version);
  const auto add = [&](const std::optional<double>& n, const char* format) {
    if (n) text += fmt::format(fmt::runtime(format), *n);
  };
  add(m.input_len, ", {:g} in");
  add(m.output_len, ", {:g} out");
  add(m.context_len, ", context {:g}");
  if (m.load_kind == LoadKind::kMax) {
    text += ", load max";
  } else {
    add(m.load, ", load {:g}");
  }
  if (!m.kv_format.empty()) text += ", cache " + m.kv_format;
  if (!m.scale_out.empty() && !m.word("buffer").empty()) text += ", wire " + m.word("buffer");
  return text + ", " + m.metric->name;
}

bool more_is_better(const Metric& metric) { return std::string(metric.unit) == "tok/s"; }

// What a buyer of this layout gets: rates of a whole deployment are shared among its devices.
double merit(const Measurement& m, double value) {
  const std::string name = m.metric->name;
  const bool whole = m.metric->kind == MetricClass::kThroughput && name.find("_per_gpu") == std::string::npos &&
                     name.find("_per_node") == std::string::npos;
  const double shared = whole ? value / m.accelerators.value_or(1) : value;
  return more_is_better(*m.metric) ? shared : 1 / shared;
}

std::vector<Decision> decide(const std::vector<ScoredRow>& rows) {
  std::map<std::string, std::map<std::string, const ScoredRow*>> sets;
  for (const ScoredRow& row : rows) {
    const Measurement& m = *row.row;
    if (m.role != MeasuredRole::kAggregated || !m.tp || m.metric->kind == MetricClass::kMemory) continue;
    sets[conditions(m)].emplace(layout_name(m), &row);
  }
  std::vector<Decision> out;
  for (const auto& [what, layouts] : sets) {
    if (layouts.size() < 2) continue;
    const auto measured = [](const auto& a) { return merit(*a.second->row, a.second->row->value); };
    const auto predicted = [](const auto& a) { return merit(*a.second->row, a.second->prediction.likely); };
    const auto best = std::max_element(layouts.begin(), layouts.end(),
                                       [&](const auto& a, const auto& b) { return measured(a) < measured(b); });
    const auto chosen = std::max_element(layouts.begin(), layouts.end(),
                                         [&](const auto& a, const auto& b) { return predicted(a) < predicted(b); });
    out.push_back({.what = what,
                   .measured_best = best->first,
                   .predicted_best = chosen->first,
                   .layouts = static_cast<int>(layouts.size()),
                   .regret = measured(*best) / measured(*chosen) - 1,
                   .right = predicted(*best) >= 0.95 * predicted(*chosen)});
  }
  return out;
}

}  // namespace

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
  double inside = 0;
  for (const ScoreSection& category : out.categories) {
    each.push_back(category.macro);
    inside += category.each.coverage * category.each.banded;
  }
  out.overall = mean_of(each);
  out.interval_coverage = out.overall.banded > 0 ? inside / out.overall.banded : 0;
  out.decisions = decide(out.details);
  return out;
}

Score score(const std::vector<Measurement>& rows, const Catalog& catalog, EngineBook& engines,
            const ScoreOptions& options) {
  SetupBuilder builder(catalog);
  std::vector<ScoredRow> details;
  std::map<std::string, int> reasons;
  int wanted = 0;
  for (const Measurement& row : rows) {
    if (row.completeness != (options.partial ? Completeness::kPartial : Completeness::kFull)) continue;
    ++wanted;
    const auto built = builder.build(row);
    if (const std::string* why = std::get_if<std::string>(&built)) {
      ++reasons[*why];
      continue;
    }
    const Setup& setup = std::get<Setup>(built);
    if (const std::string why = unpredictable(setup); !why.empty()) {
      ++reasons[why];
      continue;
    }
    const EngineProfile* engine = engines.find(setup.engine, row.engine_version);
    if (engine == nullptr && row.role == MeasuredRole::kMicro) engine = engines.find("reference", "");
    if (engine == nullptr) {
      ++reasons[fmt::format("engine {} is not in the catalog", row.engine)];
      continue;
    }
    const std::optional<RowPrediction> prediction = predict(setup, *engine);
    if (!prediction) {
      ++reasons[fmt::format("no {} for this load", row.metric->name)];
      continue;
    }
    details.push_back({.row = &row, .prediction = *prediction, .ln_error = std::log(prediction->likely / row.value)});
  }
  Score out = summarise(std::move(details));
  out.rows = wanted;
  out.unpredicted.assign(reasons.begin(), reasons.end());
  std::stable_sort(out.unpredicted.begin(), out.unpredicted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return out;
}

}  // namespace fathom
