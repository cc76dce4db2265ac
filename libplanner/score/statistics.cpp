#include "score/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace fathom {

double quantile_of(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - static_cast<double>(below));
}

namespace {

// Ties share the mean of their ranks.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> out(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t j = i;
    while (j < order.size() && values[order[j]] == values[order[i]]) ++j;
    for (std::size_t k = i; k < j; ++k) out[order[k]] = 0.5 * static_cast<double>(i + j - 1);
    i = j;
  }
  return out;
}

std::optional<double> correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double n = static_cast<double>(a.size());
  if (a.size() < 3) return std::nullopt;
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n,
               mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  if (aa <= 0 || bb <= 0) return std::nullopt;
  return ab / std::sqrt(aa * bb);
}

}  // namespace

ErrorStatistics statistics(const std::vector<ErrorPair>& rows) {
  ErrorStatistics s;
  s.rows = static_cast<int>(rows.size());
  s.groups = 1;
  if (rows.empty()) return s;
  std::vector<double> absolute, sign, measured, predicted;
  for (const ErrorPair& row : rows) {
    const double error = std::log(row.predicted / row.measured), share = std::abs(row.predicted / row.measured - 1);
    sign.push_back(error);
    absolute.push_back(std::abs(error));
    measured.push_back(row.measured);
    predicted.push_back(row.predicted);
    s.mape += share;
    s.within_20 += share <= 0.2 ? 1 : 0;
    s.banded += row.inside ? 1 : 0;
    s.inside += row.inside.value_or(false) ? 1 : 0;
  }
  const double n = static_cast<double>(rows.size());
  s.mape /= n;
  s.within_20 /= n;
  std::sort(absolute.begin(), absolute.end());
  std::sort(sign.begin(), sign.end());
  s.median_abs_ln = quantile_of(absolute, 0.5);
  s.p90_abs_ln = quantile_of(absolute, 0.9);
  s.bias_ln = quantile_of(sign, 0.5);
  s.spearman = correlation(ranks(measured), ranks(predicted));
  return s;
}

ErrorStatistics mean_of(const std::vector<ErrorStatistics>& sets) {
  ErrorStatistics mean;
  if (sets.empty()) return mean;
  for (const ErrorStatistics& s : sets) {
    mean.rows += s.rows;
    mean.groups += s.groups;
    mean.median_abs_ln += s.median_abs_ln;
    mean.p90_abs_ln += s.p90_abs_ln;
    mean.bias_ln += s.bias_ln;
    mean.within_20 += s.within_20;
    mean.mape += s.mape;
    mean.banded += s.banded;
    mean.inside += s.inside;
  }
  // Divided once, at the end: the mean of shares of 1 is 1.
  const auto n = static_cast<double>(sets.size());
  for (double* figure : {&mean.median_abs_ln, &mean.p90_abs_ln, &mean.bias_ln, &mean.within_20, &mean.mape})
    *figure /= n;
  return mean;
}

}  // namespace fathom
