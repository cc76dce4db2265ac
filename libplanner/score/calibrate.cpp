#include "score/calibrate.h"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

namespace fathom {

namespace {

// Errors beyond this are as likely a fault of the row as of the model: they pull with constant force (Huber).
constexpr double kUsualError = 0.08;
constexpr double kVanished = 1;  // a value with which a row can no longer be predicted is no way out
// How far devices of one architecture may lie from the rest of an engine's, as one standard deviation of ln.
constexpr double kShareSpread = 0.2, kTimeSpread = 0.6;

struct Row {
  Setup setup;
  const EngineProfile* engine;  // as the catalog has it for the row's version and device
  double weight;                // rows of one group count as one together
};

// ln of a factor on one parameter, everywhere, on one architecture or on one device.
struct Dial {
  const EngineParameter* parameter;
  std::string device;  // empty: everywhere
  double spread;
};

bool is(const Accelerator* device, const std::string& name) {
  return device != nullptr && (device->architecture == name || device->id == name);
}

EngineProfile turned(const EngineProfile& engine, const Accelerator* device,
                     const std::vector<CalibrationFactor>& factors) {
  EngineProfile out = engine;
  out.variants.clear();  // they have been applied already
  for (const CalibrationFactor& f : factors) {
    if (!f.device.empty() && !is(device, f.device)) continue;
    f.parameter->set(out, std::clamp(f.parameter->value(out) * std::exp(f.ln), f.parameter->least, f.parameter->most));
  }
  return out;
}

class Fit {
 public:
  Fit(std::vector<Row> rows, std::vector<Dial> dials) : rows_(std::move(rows)), dials_(std::move(dials)) {}

  const std::vector<Dial>& dials() const { return dials_; }
  const std::vector<Row>& rows() const { return rows_; }

  EngineProfile with(const EngineProfile& engine, const Accelerator* device, const Eigen::VectorXd& x) const {
    EngineProfile out = engine;
    for (std::size_t i = 0; i < dials_.size(); ++i) {
      const Dial& dial = dials_[i];
      if (!dial.device.empty() && !is(device, dial.device)) continue;
      const double moved = dial.parameter->value(out) * std::exp(x[static_cast<Eigen::Index>(i)]);
      dial.parameter->set(out, std::clamp(moved, dial.parameter->least, dial.parameter->most));
    }
    return out;
  }

  double error(const Row& row, const Eigen::VectorXd& x) const {
    const EngineProfile engine = with(*row.engine, &row.setup.device(), x);
    const std::optional<double> value = predicted_value(row.setup, engine);
    return value ? std::log(*value / row.setup.row->value) : kVanished;
  }

  Eigen::VectorXd errors(const Eigen::VectorXd& x, const std::vector<bool>& used) const {
    Eigen::VectorXd e = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(rows_.size()));
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (used[i]) e[static_cast<Eigen::Index>(i)] = error(rows_[i], x);
    }
    return e;
  }

  double cost(const Eigen::VectorXd& e, const Eigen::VectorXd& x, const std::vector<bool>& used) const {
    double sum = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (!used[i]) continue;
      const double a = std::abs(e[static_cast<Eigen::Index>(i)]) / kUsualError;
      sum += rows_[i].weight * (a <= 1 ? a * a : 2 * a - 1);
    }
    for (std::size_t d = 0; d < dials_.size(); ++d) {
      const double z = x[static_cast<Eigen::Index>(d)] / dials_[d].spread;
      sum += z * z;
    }
    return sum;
  }

  // Levenberg-Marquardt on reweighted squares.
  Eigen::VectorXd solve(const std::vector<bool>& used, Eigen::VectorXd x, int rounds) const {
    const auto n = static_cast<Eigen::Index>(dials_.size());
    double damping = 0.01;
    Eigen::VectorXd e = errors(x, used);
    double now = cost(e, x, used);
    for (int round = 0; round < rounds; ++round) {
      Eigen::MatrixXd jacobian(e.size(), n);
      constexpr double kStep = 0.02;
      for (Eigen::Index d = 0; d < n; ++d) {
        Eigen::VectorXd there = x;
        there[d] += kStep;
        const std::vector<bool> touched = touched_by(dials_[static_cast<std::size_t>(d)], used);
        const Eigen::VectorXd moved = errors(there, touched);
        for (Eigen::Index i = 0; i < e.size(); ++i) {
          jacobian(i, d) = touched[static_cast<std::size_t>(i)] ? (moved[i] - e[i]) / kStep : 0;
        }
      }
      Eigen::MatrixXd normal = Eigen::MatrixXd::Zero(n, n);
      Eigen::VectorXd gradient = Eigen::VectorXd::Zero(n);
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        if (!used[i]) continue;
        const auto k = static_cast<Eigen::Index>(i);
        const double a = std::abs(e[k]) / kUsualError;
        const double w = rows_[i].weight / (kUsualError * kUsualError) / std::max(1.0, a);
        normal.noalias() += w * jacobian.row(k).transpose() * jacobian.row(k);
        gradient.noalias() += w * jacobian.row(k).transpose() * e[k];
      }
      for (Eigen::Index d = 0; d < n; ++d) {
        const double s = dials_[static_cast<std::size_t>(d)].spread;
        normal(d, d) += 1 / (s * s);
        gradient[d] += x[d] / (s * s);
      }
      bool better = false;
      for (int attempt = 0; attempt < 6 && !better; ++attempt) {
        Eigen::MatrixXd damped = normal;
        damped.diagonal() *= 1 + damping;
        Eigen::VectorXd step = -damped.ldlt().solve(gradient);
        step = step.cwiseMax(-0.7).cwiseMin(0.7);
        const Eigen::VectorXd candidate = x + step, candidate_errors = errors(candidate, used);
        const double then = cost(candidate_errors, candidate, used);
        if (then < now) {
          better = true;
          damping *= 0.3;
          const double gained = now - then;
          x = candidate;
          e = candidate_errors;
          now = then;
          if (gained < 1e-4 * now) return x;
        } else {
          damping *= 5;
        }
      }
      if (!better) break;
    }
    return x;
  }

 private:
  std::vector<bool> touched_by(const Dial& dial, const std::vector<bool>& used) const {
    if (dial.device.empty()) return used;
    std::vector<bool> out = used;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (!is(&rows_[i].setup.device(), dial.device)) out[i] = false;
    }
    return out;
  }

  std::vector<Row> rows_;
  std::vector<Dial> dials_;
};

// What the catalog's range says about a parameter, as a standard deviation of ln: low to high holds nine tenths.
double spread_of(const EngineParameter& p, const EngineProfile& engine) {
  EngineProfile fast = at_corner(engine, Corner::kFast), slow = at_corner(engine, Corner::kSlow);
  const double a = p.value(fast), b = p.value(slow);
  const double spread = a > 0 && b > 0 ? std::abs(std::log(a / b)) / 3.3 : 0;
  return std::clamp(spread, 0.1, 1.0);
}

ErrorStatistics macro(const std::vector<ScoredRow>& rows) { return summarise(rows).engines.front().macro; }

std::vector<ScoredRow> scored(const Fit& fit, const Eigen::VectorXd& errors, const std::vector<bool>& used) {
  std::vector<ScoredRow> out;
  for (std::size_t i = 0; i < fit.rows().size(); ++i) {
    if (!used[i]) continue;
    const Measurement& m = *fit.rows()[i].setup.row;
    const double e = errors[static_cast<Eigen::Index>(i)];
    out.push_back(
        {.row = &m, .prediction = {.min = 0, .likely = m.value * std::exp(e), .max = 0, .longest = {}}, .ln_error = e});
  }
  return out;
}

}  // namespace

Calibration calibrate(const std::vector<Measurement>& rows, const Catalog& catalog, EngineBook& engines,
                      const CalibrationOptions& options) {
  SetupBuilder builder(catalog);
  std::vector<Row> usable;
  std::map<std::string, int> groups;
  std::map<std::string, std::map<std::string, Accelerator>> architectures;  // and the devices of each
  std::map<std::pair<std::string, std::string>, EngineProfile> here;
  for (const Measurement& m : rows) {
    if (m.completeness != Completeness::kFull || m.role == MeasuredRole::kMicro) continue;
    if (!version_in(m.engine_version, options.since, options.before)) continue;
    auto built = builder.build(m);
    Setup* setup = std::get_if<Setup>(&built);
    if (setup == nullptr || setup->engine != options.engine || setup->pools.empty() || !unpredictable(*setup).empty())
      continue;
    const EngineProfile* engine = engines.find(setup->engine, m.engine_version);
    if (engine == nullptr) throw std::invalid_argument("unknown engine " + options.engine);
    const auto key = std::pair(m.engine_version, setup->device().id);
    if (!here.contains(key)) {
      here[key] = turned(on_device(*engine, setup->device()), &setup->device(), options.inherited);
    }
    if (!predicted_value(*setup, here[key])) continue;
    usable.push_back({.setup = std::move(*setup), .engine = &here[key], .weight = 1});
    ++groups[m.group];
    const Accelerator& device = usable.back().setup.device();
    architectures[device.architecture].emplace(device.id, device);
  }
  if (usable.empty()) throw std::invalid_argument("no row of engine " + options.engine + " can be predicted");
  for (Row& row : usable) row.weight = 1.0 / groups[row.setup.row->group];

  std::vector<Dial> dials;
  const EngineProfile& prior = *engines.find(options.engine, usable.back().setup.row->engine_version);
  for (const EngineParameter& p : engine_parameters()) {
    if (std::find(options.fixed.begin(), options.fixed.end(), p.name) != options.fixed.end()) continue;
    dials.push_back({.parameter = &p, .device = {}, .spread = spread_of(p, prior)});
  }
  const auto add_dials = [&](const std::string& device) {
    for (const EngineParameter& p : engine_parameters()) {
      if (std::find(options.fixed.begin(), options.fixed.end(), p.name) != options.fixed.end()) continue;
      dials.push_back({.parameter = &p, .device = device, .spread = p.share != nullptr ? kShareSpread : kTimeSpread});
    }
  };
  for (const auto& [architecture, devices] : architectures) {
    if (!options.by_device) break;
    if (architectures.size() > 1) add_dials(architecture);
    for (const auto& [id, device] : devices) {
      if (devices.size() > 1) add_dials(id);
    }
  }
  const Fit fit(std::move(usable), std::move(dials));
  const std::vector<bool> all(fit.rows().size(), true);
  const Eigen::VectorXd zero = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(fit.dials().size()));
  const Eigen::VectorXd x = fit.solve(all, zero, 60);

  Calibration out;
  out.rows = static_cast<int>(fit.rows().size());
  out.groups = static_cast<int>(groups.size());
  out.before = macro(scored(fit, fit.errors(zero, all), all));
  out.after = macro(scored(fit, fit.errors(x, all), all));
  out.profile = fit.with(prior, nullptr, x);
  const auto moved = [&](const std::string& name, const EngineProfile& from, const EngineProfile& base,
                         const EngineProfile& to) {
    for (const EngineParameter& p : engine_parameters()) {
      if (std::abs(std::log(p.value(to) / p.value(base))) < 0.01) continue;
      out.parameters.push_back({.parameter = &p, .device = name, .before = p.value(from), .after = p.value(to)});
    }
  };
  moved("", prior, prior, out.profile);
  for (const auto& [architecture, devices] : architectures) {
    Accelerator any = devices.begin()->second;
    any.id.clear();
    const EngineProfile there = fit.with(on_device(prior, any), &any, x);
    moved(architecture, on_device(prior, any), out.profile, there);
    for (const auto& [id, device] : devices) {
      moved(id, on_device(prior, device), there, fit.with(on_device(prior, device), &device, x));
    }
  }
  out.factors = options.inherited;
  for (std::size_t d = 0; d < fit.dials().size(); ++d) {
    const double ln = x[static_cast<Eigen::Index>(d)];
    if (ln != 0)
      out.factors.push_back({.parameter = fit.dials()[d].parameter, .device = fit.dials()[d].device, .ln = ln});
  }
  return out;
}

namespace {

// Every n-th group in order of name, so that related groups part.
std::map<std::string, int> folds_of(const std::vector<Measurement>& rows, int folds) {
  std::map<std::string, int> fold;
  for (const Measurement& row : rows) fold[row.group] = 0;
  int next = 0;
  for (auto& [group, number] : fold) number = next++ % folds;
  return fold;
}

// Rows of one fold that an engine of the book predicts, each with what its span was found to do.
void predict_fold(std::vector<ScoredRow>& out, const std::vector<Measurement>& rows,
                  const std::map<std::string, int>& fold_of, int fold, const EngineSpan& span,
                  const std::vector<CalibrationFactor>& factors, SetupBuilder& builder, EngineBook& book) {
  for (const Measurement& row : rows) {
    if (fold_of.at(row.group) != fold || row.completeness != Completeness::kFull || row.role == MeasuredRole::kMicro ||
        !version_in(row.engine_version, span.since, span.before)) {
      continue;
    }
    const auto built = builder.build(row);
    const Setup* setup = std::get_if<Setup>(&built);
    if (setup == nullptr || setup->engine != span.id || setup->pools.empty() || !unpredictable(*setup).empty())
      continue;
    const EngineProfile* engine = book.find(setup->engine, row.engine_version);
    if (engine == nullptr) continue;
    const EngineProfile here = turned(on_device(*engine, setup->device()), &setup->device(), factors);
    if (const std::optional<RowPrediction> found = predict(*setup, here)) {
      out.push_back({.row = &row, .prediction = *found, .ln_error = std::log(found->likely / row.value)});
    }
  }
}

}  // namespace

std::vector<ScoredRow> predict_held_out(const std::vector<Measurement>& rows, const Catalog& catalog, EngineBook& book,
                                        const std::vector<EngineSpan>& spans, int folds,
                                        const CalibrationOptions& like) {
  const std::map<std::string, int> fold_of = folds_of(rows, folds);
  SetupBuilder builder(catalog);
  std::vector<ScoredRow> out;
  for (int fold = 0; fold < folds; ++fold) {
    std::vector<Measurement> others;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(others),
                 [&](const Measurement& row) { return fold_of.at(row.group) != fold; });
    std::map<std::string, std::vector<CalibrationFactor>> known;  // by engine, as far as its versions went
    for (const EngineSpan& span : spans) {
      CalibrationOptions options = like;
      options.engine = span.id;
      options.since = span.since;
      options.before = span.before;
      options.inherited = known[span.id];
      try {
        known[span.id] = calibrate(others, catalog, book, options).factors;
      } catch (const std::invalid_argument&) {
        // no rows of this engine and version: what was known before holds
      }
      predict_fold(out, rows, fold_of, fold, span, known[span.id], builder, book);
    }
  }
  return out;
}

std::optional<ErrorStatistics> held_out_error(const std::vector<Measurement>& rows, const Catalog& catalog,
                                              const CalibrationOptions& options, int folds) {
  const std::filesystem::path priors = catalog.data_dir() / "priors";
  EngineBook book(priors);
  SetupBuilder builder(catalog);
  std::set<std::string> groups;  // only those of the engine, or most folds would leave nothing out
  for (const Measurement& row : rows) {
    const auto built = builder.build(row);
    const Setup* setup = std::get_if<Setup>(&built);
    if (setup != nullptr && setup->engine == options.engine &&
        version_in(row.engine_version, options.since, options.before)) {
      groups.insert(row.group);
    }
  }
  std::vector<Measurement> own;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(own),
               [&](const Measurement& row) { return groups.contains(row.group); });
  const std::vector<ScoredRow> found =
      predict_held_out(own, catalog, book, {{options.engine, options.since, options.before}}, folds, options);
  if (found.empty()) return std::nullopt;
  return macro(found);
}

Score score_held_out(const std::vector<Measurement>& rows, const Catalog& catalog, int folds) {
  const std::filesystem::path priors = catalog.data_dir() / "priors";
  EngineBook book(priors), fitted(catalog.data_dir());
  std::vector<ScoredRow> details = predict_held_out(rows, catalog, book, engine_spans(priors), folds);
  std::set<std::string> seen;
  for (const ScoredRow& row : details) seen.insert(row.row->id);
  const Score plain = score(rows, catalog, fitted, {});
  for (const ScoredRow& row : plain.details) {
    if (!seen.contains(row.row->id)) details.push_back(row);
  }
  Score out = summarise(std::move(details));
  out.rows = plain.rows;
  out.unpredicted = plain.unpredicted;
  out.left_out = plain.left_out;
  return out;
}

namespace {

std::string fact_text(const EngineParameter& p, double value) {
  return p.share != nullptr ? fmt::format("{:.3g}", value) : fmt::format("{:.3g} us", value * 1e6);
}

// Between double quotes, whatever is in it.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

}  // namespace

std::string as_yaml(const Calibration& c, const EntryOrigin& origin) {
  std::string out = fmt::format("  - id: {}\n    name: {}\n", c.profile.id, quoted(c.profile.name));
  if (!origin.span.since.empty()) out += fmt::format("    since: {}\n", quoted(origin.span.since));
  if (!origin.span.released.empty()) out += fmt::format("    released: {}\n", quoted(origin.span.released));
  const auto fact = [&](const CalibratedParameter& p) {
    EngineProfile engine = c.profile;
    p.parameter->set(engine, p.after);
    const double a = p.parameter->value(at_corner(engine, Corner::kFast)),
                 b = p.parameter->value(at_corner(engine, Corner::kSlow));
    return fmt::format("{}: {{value: {}, low: {}, high: {}, source: {}, date: {}, confidence: derived}}\n",
                       p.parameter->name, fact_text(*p.parameter, p.after),
                       fact_text(*p.parameter, std::min({a, b, p.after})),
                       fact_text(*p.parameter, std::max({a, b, p.after})), quoted(origin.source), origin.date);
  };
  std::string last;
  for (const CalibratedParameter& p : c.parameters) {
    if (p.device.empty()) {
      out += "    " + fact(p);
      continue;
    }
    if (last.empty()) out += "    variants:\n";
    if (p.device != last) out += fmt::format("      - devices: [{}]\n", p.device);
    last = p.device;
    out += "        " + fact(p);
  }
  return out;
}

}  // namespace fathom
