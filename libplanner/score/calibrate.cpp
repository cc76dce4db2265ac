#include "score/calibrate.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "score/engines_fit.h"

namespace fathom {

namespace {

ErrorStatistics macro(const std::vector<ScoredRow>& rows) {
  std::vector<ErrorStatistics> each;
  std::map<std::string, std::vector<ErrorPair>> groups;
  for (const ScoredRow& row : rows)
    groups[row.row->group].push_back({.measured = row.row->value, .predicted = row.prediction.likely, .inside = {}});
  each.reserve(groups.size());
  for (const auto& [group, pairs] : groups) each.push_back(statistics(pairs));
  return mean_of(each);
}

// With the factors as the fit has them now.
ErrorStatistics macro(const EnginesFit& fit) {
  const std::vector<double> errors = fit.errors();
  std::vector<ScoredRow> rows;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const Measurement& m = *fit.rows()[i].setup.row;
    rows.push_back({.row = &m,
                    .prediction = {.min = 0, .likely = m.value * std::exp(errors[i]), .max = 0, .longest = {}},
                    .ln_error = errors[i]});
  }
  return macro(rows);
}

int groups_of(const std::vector<FitRow>& rows) {
  std::set<std::string> groups;
  for (const FitRow& row : rows) groups.insert(row.setup.row->group);
  return static_cast<int>(groups.size());
}

// The rows that a profile of the book predicts, each in the context of all engines.
std::vector<FitRow> fit_rows(const std::vector<Measurement>& rows, const Catalog& catalog, EngineBook& book,
                             const std::vector<EngineSpan>& spans) {
  SetupBuilder builder(catalog);
  std::vector<FitRow> out;
  for (const Measurement& m : rows) {
    if (m.completeness != Completeness::kFull || m.role == MeasuredRole::kMicro) continue;
    auto built = builder.build(m);
    Setup* setup = std::get_if<Setup>(&built);
    if (setup == nullptr || setup->pools.empty() || !unpredictable(*setup).empty()) continue;
    const EngineProfile* engine = book.find(setup->engine, m.engine_version);
    if (engine == nullptr) continue;
    const Accelerator& device = setup->device();
    FitContext context{.engine = setup->engine, .since = {}, .architecture = device.architecture, .device = device.id};
    for (const EngineSpan& span : spans) {
      if (span.id == setup->engine && !span.since.empty() && version_in(m.engine_version, span.since, {}))
        context.since.push_back(span.since);
    }
    if (predicted_value(*setup, on_device(*engine, device)))
      out.push_back({.setup = std::move(*setup), .context = std::move(context), .engine = facts_on(*engine, device)});
  }
  return out;
}

// What was found of all engines does not hold for one that is unfitted, so what was found of it must not move the others.
std::vector<FitRow> rows_of_all(const std::vector<Measurement>& rows, const Catalog& catalog, EngineBook& book,
                                const std::filesystem::path& priors) {
  std::vector<FitRow> out = fit_rows(rows, catalog, book, engine_spans(priors));
  std::erase_if(out, [](const FitRow& row) { return row.engine.unfitted; });
  return out;
}

using Devices = std::map<std::string, std::map<std::string, Accelerator>>;  // by architecture and id

Devices devices_of(const std::vector<FitRow>& rows) {
  Devices out;
  for (const FitRow& row : rows) {
    const Accelerator& device = row.setup.device();
    out[device.architecture].emplace(device.id, device);
  }
  return out;
}

// A level is there only where it can tell something apart: an architecture when there are several, a device when its
// architecture has several. Rows of one architecture say nothing about another.
FitContext context_of(const Accelerator& device, const Devices& devices, const CalibrationOptions& options) {
  FitContext out;
  if (!options.by_device) return out;
  (devices.size() > 1 ? out.architecture : out.only) = device.architecture;
  const auto architecture = devices.find(device.architecture);
  if (architecture != devices.end() && architecture->second.size() > 1 && !device.id.empty()) out.device = device.id;
  return out;
}

// An empty version counts as the newest, as everywhere.
std::string newest_version(const std::vector<FitRow>& rows) {
  const auto is_older = [](const FitRow& a, const FitRow& b) {
    const std::string &left = a.setup.row->engine_version, &right = b.setup.row->engine_version;
    return !left.empty() && (right.empty() || version_in(left, {}, right));
  };
  return std::max_element(rows.begin(), rows.end(), is_older)->setup.row->engine_version;
}

// Of one engine and its versions, with contexts of one engine only.
std::vector<FitRow> rows_of(const CalibrationOptions& options, std::vector<FitRow> rows) {
  std::erase_if(rows, [&](const FitRow& row) {
    return row.context.engine != options.engine ||
           !version_in(row.setup.row->engine_version, options.since, options.before);
  });
  const Devices devices = devices_of(rows);
  for (FitRow& row : rows) row.context = context_of(row.setup.device(), devices, options);
  return rows;
}

// Each level beside those above it: everywhere, architectures, devices.
std::vector<CalibratedParameter> moved_by(const EnginesFit& fit, const EngineProfile& engine,
                                          const CalibrationOptions& options) {
  std::vector<CalibratedParameter> out;
  const Devices devices = devices_of(fit.rows());
  const auto add = [&](const Accelerator& on) {
    const EngineProfile before = on_device(engine, on);
    const EngineProfile after = on_device(fit.at(engine, context_of(on, devices, options)), on);
    for (const auto& [level, factors] : fit.factors()) {
      if (level.device != (on.id.empty() ? on.architecture : on.id)) continue;
      for (const auto& [p, factor] : factors)
        out.push_back({.parameter = p, .device = level.device, .before = p->value(before), .after = p->value(after)});
    }
  };
  add({});
  for (const auto& [architecture, parts] : devices) {
    Accelerator any = parts.begin()->second;
    any.id.clear();
    if (!architecture.empty()) add(any);
    for (const auto& [id, device] : parts) add(device);
  }
  return out;
}

}  // namespace

Calibration calibrate(const std::vector<Measurement>& rows, const Catalog& catalog, EngineBook& engines,
                      const CalibrationOptions& options) {
  if (engines.find(options.engine, {}) == nullptr) throw std::invalid_argument("unknown engine " + options.engine);
  EnginesFit fit(rows_of(options, fit_rows(rows, catalog, engines, {})), options.fixed);
  if (fit.rows().empty()) throw std::invalid_argument("no row of engine " + options.engine + " can be predicted");
  Calibration out;
  out.rows = static_cast<int>(fit.rows().size());
  out.groups = groups_of(fit.rows());
  out.before = macro(fit);
  fit.solve();
  out.after = macro(fit);
  out.engine = *engines.find(options.engine, newest_version(fit.rows()));
  out.factors = fit.factors();
  out.parameters = moved_by(fit, out.engine, options);
  return out;
}

EnginesCalibration calibrate_all(const std::vector<Measurement>& rows, const Catalog& catalog) {
  const std::filesystem::path priors = catalog.data_dir() / "priors";
  EngineBook book(priors);
  EnginesFit fit(rows_of_all(rows, catalog, book, priors));
  if (fit.rows().empty()) throw std::invalid_argument("no row can be predicted by an engine");
  EnginesCalibration out{.factors = {},
                         .before = macro(fit),
                         .after = {},
                         .rows = static_cast<int>(fit.rows().size()),
                         .groups = groups_of(fit.rows())};
  fit.solve();
  out.after = macro(fit);
  out.factors = fit.factors();
  return out;
}

namespace {

// Every n-th group in order of name, so that related groups part.
template <class Groups>
std::map<std::string, int> folds_of(const Groups& groups, int folds) {
  std::map<std::string, int> fold;
  for (const auto& group : groups) fold[group] = 0;
  int next = 0;
  for (auto& [group, number] : fold) number = next++ % folds;
  return fold;
}

// Rows predicted by a fit to the rows of the other folds.
std::vector<ScoredRow> held_out(const std::vector<FitRow>& rows, const std::map<std::string, int>& fold_of, int folds,
                                const std::vector<std::string>& fixed) {
  std::vector<ScoredRow> out;
  for (int fold = 0; fold < folds; ++fold) {
    std::vector<FitRow> others;
    const auto is_out = [&](const FitRow& row) { return fold_of.at(row.setup.row->group) == fold; };
    std::remove_copy_if(rows.begin(), rows.end(), std::back_inserter(others), is_out);
    EnginesFit fit(std::move(others), fixed);
    fit.solve();
    for (const FitRow& row : rows) {
      if (!is_out(row)) continue;
      const Measurement& m = *row.setup.row;
      if (const std::optional<RowPrediction> found = predict(row.setup, fit.at(row.engine, row.context)))
        out.push_back({.row = &m, .prediction = *found, .ln_error = std::log(found->likely / m.value)});
    }
  }
  return out;
}

}  // namespace

std::optional<ErrorStatistics> held_out_error(const std::vector<Measurement>& rows, const Catalog& catalog,
                                              const CalibrationOptions& options, int folds) {
  EngineBook book(catalog.data_dir() / "priors");
  const std::vector<FitRow> own = rows_of(options, fit_rows(rows, catalog, book, {}));
  std::set<std::string> groups;  // only those of the engine, or most folds would leave nothing out
  for (const FitRow& row : own) groups.insert(row.setup.row->group);
  const std::vector<ScoredRow> found = held_out(own, folds_of(groups, folds), folds, options.fixed);
  if (found.empty()) return std::nullopt;
  return macro(found);
}

Score score_held_out(const std::vector<Measurement>& rows, const Catalog& catalog, int folds) {
  const std::filesystem::path priors = catalog.data_dir() / "priors";
  EngineBook book(priors);
  std::set<std::string> groups;
  for (const Measurement& row : rows) groups.insert(row.group);
  std::vector<ScoredRow> details =
      held_out(rows_of_all(rows, catalog, book, priors), folds_of(groups, folds), folds, {});
  std::set<std::string> seen;
  for (const ScoredRow& row : details) seen.insert(row.row->id);
  const Score plain = score(rows, catalog, book, {});  // what no fit moves; never profiles that have seen the row
  for (const ScoredRow& row : plain.details) {
    if (!seen.contains(row.row->id)) details.push_back(row);
  }
  Score out = summarise(std::move(details));
  out.rows = plain.rows;
  out.unpredicted = plain.unpredicted;
  out.left_out = plain.left_out;
  return out;
}

}  // namespace fathom
