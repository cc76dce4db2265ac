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
  std::vector<Level> out = {{.where = {c.engine, {}, {}}, .spread = nullptr}};
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

// What the catalog's range says about a parameter: low to high holds nine tenths.
double spread_of_range(const EngineParameter& p, const EngineProfile& engine) {
  const double a = p.value(at_corner(engine, Corner::kFast)), b = p.value(at_corner(engine, Corner::kSlow));
  const double spread = a > 0 && b > 0 ? std::abs(std::log(a / b)) / 3.3 : 0;
  return std::clamp(spread, 0.1, 1.0);
}

double spread_at(const Level& level, const EngineParameter& p, const EngineProfile& engine) {
  if (level.spread == nullptr) return kOfRange * spread_of_range(p, engine);
  return p.of_host ? level.spread->host : p.share != nullptr ? level.spread->share : level.spread->time;
}

EngineProfile turned(const EngineProfile& prior, const Eigen::VectorXd& ln) {
  EngineProfile out = prior;
  Eigen::Index i = 0;
  for (const EngineParameter& p : engine_parameters()) {
    const double factor = std::exp(ln[i++]);
    if (factor != 1 && p.value(out) > 0) p.set(out, std::clamp(p.value(out) * factor, p.least, p.most));
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
  EngineProfile at(const EngineProfile& prior, const FitContext& context) const;
  std::map<FitLevel, std::vector<double>> factors() const;

 private:
  Eigen::VectorXd sum(const Eigen::MatrixXd& x, const std::vector<int>& levels) const;
  double error(std::size_t row, const Eigen::VectorXd& ln) const;
  Eigen::VectorXd errors(const Eigen::MatrixXd& x) const;
  double cost(const Eigen::VectorXd& e, const Eigen::MatrixXd& x) const;
  Eigen::MatrixXd slopes(const Eigen::VectorXd& e, const Eigen::MatrixXd& x) const;
  Eigen::MatrixXd covariance(const Eigen::MatrixXd& slopes) const;

  std::vector<FitRow> rows_;
  Eigen::VectorXd weight_;  // of each row
  std::map<FitLevel, int> level_of_;
  std::vector<std::vector<int>> levels_;  // of each row
  Eigen::MatrixXd spread_;                // level x parameter: standard deviation of ln, 0: fixed
  Eigen::MatrixXd x_;                     // level x parameter: ln of the factor
};

EnginesFit::Solver::Solver(std::vector<FitRow> rows, const std::vector<std::string>& fixed) : rows_(std::move(rows)) {
  const std::vector<EngineParameter>& all = engine_parameters();
  std::map<std::string, double> of_group;
  std::vector<Eigen::VectorXd> spreads;
  for (const FitRow& row : rows_) {
    ++of_group[row.setup.row->group];
    std::vector<int>& levels = levels_.emplace_back();
    for (const Level& level : levels_of(row.context)) {
      const auto [at, is_new] = level_of_.emplace(level.where, static_cast<int>(spreads.size()));
      levels.push_back(at->second);
      if (!is_new) continue;
      Eigen::VectorXd& spread = spreads.emplace_back(static_cast<Eigen::Index>(all.size()));
      Eigen::Index i = 0;
      for (const EngineParameter& p : all) {
        const bool stays = std::find(fixed.begin(), fixed.end(), p.name) != fixed.end();
        spread[i++] = stays ? 0 : spread_at(level, p, row.engine);
      }
    }
  }
  spread_.resize(static_cast<Eigen::Index>(spreads.size()), static_cast<Eigen::Index>(all.size()));
  for (std::size_t i = 0; i < spreads.size(); ++i) spread_.row(static_cast<Eigen::Index>(i)) = spreads[i];
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
  const std::optional<double> value = predicted_value(row.setup, turned(row.engine, ln));
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

EngineProfile EnginesFit::Solver::at(const EngineProfile& prior, const FitContext& context) const {
  std::vector<int> levels;
  for (const Level& level : levels_of(context)) {
    if (const auto known = level_of_.find(level.where); known != level_of_.end()) levels.push_back(known->second);
  }
  return turned(prior, sum(x_, levels));
}

std::map<FitLevel, std::vector<double>> EnginesFit::Solver::factors() const {
  std::map<FitLevel, std::vector<double>> out;
  for (const auto& [where, index] : level_of_) {
    const Eigen::VectorXd ln = x_.row(index);
    out[where] = {ln.begin(), ln.end()};
  }
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

EngineProfile EnginesFit::at(const EngineProfile& prior, const FitContext& context) const {
  return solver_->at(prior, context);
}

std::map<FitLevel, std::vector<double>> EnginesFit::factors() const { return solver_->factors(); }

}  // namespace fathom
