#include "score/engines_fit.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>

namespace fathom {

namespace {

// Errors beyond this are as likely a fault of the row as of the model: they pull with constant force (Huber).
constexpr double kUsualError = 0.05;
constexpr double kVanished = 1;  // a value with which a row can no longer be predicted is no way out

// Standard deviations of ln, of shares, of times, and of what is the host's work.
struct Spread {
  double share, time, host;
};
constexpr Spread kArchitecture = {0.2, 0.4, 0.1}, kDevice = {0.1, 0.2, 0.1}, kVersion = {0.2, 0.4, 0.3},
                 kEngineOnDevice = {0.1, 0.2, 0.3};
constexpr double kOfRange = 0.7;  // an engine everywhere, of what its own range says

struct Level {
  FitLevel where;
  const Spread* spread;  // nullptr: the parameter's own range
};

std::vector<Level> levels_of(const FitContext& c) {
  std::vector<Level> out = {{.where = {c.engine, {}, c.only}, .spread = nullptr}};
  const auto on_devices = [&](const std::string& engine, const std::string& since, const Spread& architecture,
                              const Spread* device) {
    if (!c.architecture.empty()) out.push_back({.where = {engine, since, c.architecture}, .spread = &architecture});
    if (!c.device.empty() && device != nullptr) out.push_back({.where = {engine, since, c.device}, .spread = device});
  };
  on_devices({}, {}, kArchitecture, &kDevice);
  if (!c.engine.empty()) on_devices(c.engine, {}, kEngineOnDevice, &kEngineOnDevice);
  for (const std::string& since : c.since) {
    out.push_back({.where = {c.engine, since, {}}, .spread = &kVersion});
    on_devices(c.engine, since, kEngineOnDevice, nullptr);
  }
  return out;
}

// What the catalog's range on a device says about a parameter: low to high holds nine tenths.
double spread_of_range(const EngineParameter& p, const EngineProfile& engine) {
  const double a = p.value(at_corner(engine, Corner::kFast)), b = p.value(at_corner(engine, Corner::kSlow));
  const double spread = a > 0 && b > 0 ? std::abs(std::log(a / b)) / 3.3 : 0;
  return std::clamp(spread, 0.1, 1.0);
}

// Of each parameter, as a row sees it: ranges differ by version and device.
Eigen::VectorXd spreads_at(const Level& level, const FitRow& row) {
  const std::vector<EngineParameter>& all = engine_parameters();
  Eigen::VectorXd out(static_cast<Eigen::Index>(all.size()));
  const EngineProfile here = level.spread == nullptr ? on_device(row.engine, row.setup.device()) : EngineProfile{};
  Eigen::Index i = 0;
  for (const EngineParameter& p : all) {
    out[i++] = level.spread == nullptr ? kOfRange * spread_of_range(p, here)
               : p.of_host             ? level.spread->host
               : p.share != nullptr    ? level.spread->share
                                       : level.spread->time;
  }
  return out;
}

// ln of what is known already of each parameter.
Eigen::VectorXd ln_of(const std::vector<EngineFactors>& known) {
  const std::vector<EngineParameter>& all = engine_parameters();
  Eigen::VectorXd out = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(all.size()));
  for (const EngineFactors& f : known) {
    for (const auto& [p, factor] : f.factors) out[p - all.data()] += std::log(factor);
  }
  return out;
}

// To three digits: what is held out is what the file would say.
double as_written(double factor) {
  const double unit = std::pow(10, std::floor(std::log10(factor)) - 2);
  return std::round(factor / unit) * unit;
}

EngineProfile turned(const EngineProfile& facts, const Eigen::VectorXd& ln) {
  EngineProfile out = facts;
  Eigen::Index i = 0;
  for (const EngineParameter& p : engine_parameters()) {
    const double factor = std::exp(ln[i++]);
    if (factor != 1) p.multiply(out, factor);
  }
  return out;
}

}  // namespace

class EnginesFit::Solver {
 public:
  Solver(std::vector<FitRow> rows, const std::vector<std::string>& fixed);

  void solve();
  const std::vector<FitRow>& rows() const { return rows_; }
  Eigen::VectorXd errors() const { return errors(x_); }
  EngineProfile at(EngineProfile engine, const FitContext& context) const;
  FittedFactors factors() const;

 private:
  std::vector<FittedFactor> factors(int level) const;
  Eigen::VectorXd sum(const Eigen::MatrixXd& x, const std::vector<int>& levels) const;
  double error(std::size_t row, const Eigen::VectorXd& ln) const;
  Eigen::VectorXd errors(const Eigen::MatrixXd& x) const;
  double cost(const Eigen::VectorXd& e, const Eigen::MatrixXd& x) const;
  Eigen::MatrixXd slopes(const Eigen::VectorXd& e, const Eigen::MatrixXd& x) const;
  Eigen::MatrixXd covariance(const Eigen::MatrixXd& slopes) const;

  std::vector<FitRow> rows_;
  std::vector<EngineProfile> facts_;    // of each row, without factors
  std::vector<Eigen::VectorXd> known_;  // ln of the factors that it starts from
  Eigen::VectorXd weight_;              // of each row
  std::map<FitLevel, int> level_of_;
  std::vector<std::vector<int>> levels_;  // of each row
  Eigen::MatrixXd spread_;                // level x parameter: standard deviation of ln, 0: fixed
  Eigen::MatrixXd x_;                     // level x parameter: ln of the factor
};

EnginesFit::Solver::Solver(std::vector<FitRow> rows, const std::vector<std::string>& fixed) : rows_(std::move(rows)) {
  const std::vector<EngineParameter>& all = engine_parameters();
  const auto parameters = static_cast<Eigen::Index>(all.size());
  std::map<std::string, double> of_group;
  std::vector<Eigen::VectorXd> spreads;  // of each level, summed over its rows
  std::vector<double> rows_at;
  for (const FitRow& row : rows_) {
    ++of_group[row.setup.row->group];
    known_.push_back(ln_of(row.engine.factors));
    facts_.push_back(row.engine);
    facts_.back().factors.clear();
    std::vector<int>& levels = levels_.emplace_back();
    for (const Level& level : levels_of(row.context)) {
      const auto [at, is_new] = level_of_.emplace(level.where, static_cast<int>(spreads.size()));
      levels.push_back(at->second);
      if (is_new) {
        spreads.emplace_back(Eigen::VectorXd::Zero(parameters));
        rows_at.push_back(0);
      }
      spreads[static_cast<std::size_t>(at->second)] += spreads_at(level, row);
      ++rows_at[static_cast<std::size_t>(at->second)];
    }
  }
  spread_.resize(static_cast<Eigen::Index>(spreads.size()), parameters);
  for (std::size_t i = 0; i < spreads.size(); ++i) spread_.row(static_cast<Eigen::Index>(i)) = spreads[i] / rows_at[i];
  for (Eigen::Index i = 0; i < parameters; ++i) {
    const char* name = all[static_cast<std::size_t>(i)].name;
    if (std::find(fixed.begin(), fixed.end(), name) != fixed.end()) spread_.col(i).setZero();
  }
  x_ = Eigen::MatrixXd::Zero(spread_.rows(), spread_.cols());
  weight_.resize(static_cast<Eigen::Index>(rows_.size()));
  for (std::size_t i = 0; i < rows_.size(); ++i)
    weight_[static_cast<Eigen::Index>(i)] = 1 / std::sqrt(of_group[rows_[i].setup.row->group]);
}

Eigen::VectorXd EnginesFit::Solver::sum(const Eigen::MatrixXd& x, const std::vector<int>& levels) const {
  Eigen::VectorXd out = Eigen::VectorXd::Zero(x.cols());
  for (const int level : levels) out += x.row(level);
  return out;
}

double EnginesFit::Solver::error(std::size_t i, const Eigen::VectorXd& ln) const {
  const FitRow& row = rows_[i];
  const std::optional<double> value = predicted_value(row.setup, turned(facts_[i], known_[i] + ln));
  return value ? std::log(*value / row.setup.row->value) : kVanished;
}

Eigen::VectorXd EnginesFit::Solver::errors(const Eigen::MatrixXd& x) const {
  Eigen::VectorXd e(static_cast<Eigen::Index>(rows_.size()));
  for (std::size_t i = 0; i < rows_.size(); ++i) e[static_cast<Eigen::Index>(i)] = error(i, sum(x, levels_[i]));
  return e;
}

double EnginesFit::Solver::cost(const Eigen::VectorXd& e, const Eigen::MatrixXd& x) const {
  double out = x.cwiseQuotient(spread_.cwiseMax(1e-9)).squaredNorm();
  for (Eigen::Index i = 0; i < e.size(); ++i) {
    const double a = std::abs(e[i]) / kUsualError;
    out += weight_[i] * (a <= 1 ? a * a : 2 * a - 1);
  }
  return out;
}

// Of each row's error, by ln of each parameter.
Eigen::MatrixXd EnginesFit::Solver::slopes(const Eigen::VectorXd& e, const Eigen::MatrixXd& x) const {
  constexpr double kStep = 0.02;
  Eigen::MatrixXd out = Eigen::MatrixXd::Zero(e.size(), x.cols());
  for (Eigen::Index i = 0; i < e.size(); ++i) {
    Eigen::VectorXd ln = sum(x, levels_[static_cast<std::size_t>(i)]);
    for (Eigen::Index p = 0; p < x.cols(); ++p) {
      ln[p] += kStep;
      out(i, p) = (error(static_cast<std::size_t>(i), ln) - e[i]) / kStep;
      ln[p] -= kStep;
    }
  }
  return out;
}

// Of the rows' errors, as far as the spreads of the factors make them: rows share the levels that they have in common.
Eigen::MatrixXd EnginesFit::Solver::covariance(const Eigen::MatrixXd& slopes) const {
  std::vector<std::vector<Eigen::Index>> at(static_cast<std::size_t>(x_.rows()));
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    for (const int level : levels_[i]) at[static_cast<std::size_t>(level)].push_back(static_cast<Eigen::Index>(i));
  }
  Eigen::MatrixXd out = Eigen::MatrixXd::Zero(slopes.rows(), slopes.rows());
  for (Eigen::Index level = 0; level < x_.rows(); ++level) {
    const std::vector<Eigen::Index>& rows = at[static_cast<std::size_t>(level)];
    const Eigen::MatrixXd part = slopes(rows, Eigen::all) * spread_.row(level).asDiagonal();
    out(rows, rows) += part * part.transpose();
  }
  return out;
}

// Levenberg-Marquardt on reweighted squares, solved for the rows, which are fewer than the factors: with slopes J, variances S of
// the factors x, noise R of the errors e and k = 1 / (1 + damping), the step is k S J' u - k x with (k J S J' + R) u = k J x - e.
void EnginesFit::Solver::solve() {
  constexpr int kMostRounds = 30, kMostAttempts = 6;
  constexpr double kEnough = 5e-4;  // of the cost, gained in a round
  Eigen::VectorXd e = errors(x_);
  double now = cost(e, x_), damping = 0.01;
  for (int round = 0; round < kMostRounds; ++round) {
    const Eigen::MatrixXd slope = slopes(e, x_), shared = covariance(slope);
    Eigen::VectorXd along(e.size()), noise(e.size());
    for (Eigen::Index i = 0; i < e.size(); ++i) {
      along[i] = slope.row(i).dot(sum(x_, levels_[static_cast<std::size_t>(i)]));
      noise[i] = kUsualError * std::max(kUsualError, std::abs(e[i])) / weight_[i];
    }
    double gained = -1;
    for (int attempt = 0; attempt < kMostAttempts && gained < 0; ++attempt) {
      const double keep = 1 / (1 + damping);
      Eigen::MatrixXd system = shared * keep;
      system.diagonal() += noise;
      const Eigen::VectorXd u = system.llt().solve(along * keep - e);
      Eigen::MatrixXd step = -keep * x_;
      for (Eigen::Index i = 0; i < e.size(); ++i) {
        for (const int level : levels_[static_cast<std::size_t>(i)])
          step.row(level) += keep * u[i] * spread_.row(level).cwiseAbs2().cwiseProduct(slope.row(i));
      }
      const Eigen::MatrixXd there = x_ + step.cwiseMax(-0.7).cwiseMin(0.7);
      const Eigen::VectorXd errors_there = errors(there);
      const double then = cost(errors_there, there);
      if (then < now) {
        gained = now - then;
        x_ = there;
        e = errors_there;
        now = then;
        damping *= 0.3;
      } else {
        damping = std::max(damping, 0.01) * 5;
      }
    }
    if (gained < kEnough * now) return;
  }
}

EngineProfile EnginesFit::Solver::at(EngineProfile engine, const FitContext& context) const {
  for (const Level& level : levels_of(context)) {
    const auto known = level_of_.find(level.where);
    if (known == level_of_.end()) continue;
    EngineFactors& found = engine.factors.emplace_back();
    if (!level.where.device.empty()) found.devices = {level.where.device};
    found.origin.confidence = Confidence::kDerived;
    found.factors = factors(known->second);
  }
  return engine;
}

std::vector<FittedFactor> EnginesFit::Solver::factors(int level) const {
  constexpr double kMoved = 0.01;
  std::vector<FittedFactor> out;
  Eigen::Index i = 0;
  for (const EngineParameter& p : engine_parameters()) {
    const double ln = x_(level, i++);
    if (std::abs(ln) >= kMoved) out.emplace_back(&p, as_written(std::exp(ln)));
  }
  return out;
}

FittedFactors EnginesFit::Solver::factors() const {
  FittedFactors out;
  for (const auto& [where, index] : level_of_) out[where] = factors(index);
  return out;
}

EnginesFit::EnginesFit(std::vector<FitRow> rows, const std::vector<std::string>& fixed)
    : solver_(std::make_unique<Solver>(std::move(rows), fixed)) {}
EnginesFit::~EnginesFit() = default;

void EnginesFit::solve() { solver_->solve(); }
const std::vector<FitRow>& EnginesFit::rows() const { return solver_->rows(); }

std::vector<double> EnginesFit::errors() const {
  const Eigen::VectorXd e = solver_->errors();
  return {e.begin(), e.end()};
}

EngineProfile EnginesFit::at(const EngineProfile& engine, const FitContext& context) const {
  return solver_->at(engine, context);
}

FittedFactors EnginesFit::factors() const { return solver_->factors(); }

}  // namespace fathom
