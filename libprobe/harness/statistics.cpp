#include "harness/statistics.h"

#include <algorithm>
#include <cmath>

namespace fathom::probe {

namespace {

// Linear between order statistics.
double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

// A tenth of the samples at either end, five at least, and never more than half of them.
double drift_of(const std::vector<double>& samples) {
  const std::size_t part = std::max(samples.size() / 10, std::min<std::size_t>(samples.size() / 2, 5));
  if (part == 0) return 0;
  const auto end = static_cast<std::ptrdiff_t>(part);
  const double first = median_of({samples.begin(), samples.begin() + end});
  const double last = median_of({samples.end() - end, samples.end()});
  return first > 0 ? last / first - 1 : 0;
}

}  // namespace

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

double mad_of(const std::vector<double>& values, double median) {
  std::vector<double> distances;
  for (double value : values) distances.push_back(std::abs(value - median));
  return median_of(std::move(distances));
}

Ranks median_interval(int samples) {
  const double n = samples, half = 1.96 * std::sqrt(n);
  const int low = static_cast<int>(std::floor((n - half) / 2));
  const int high = static_cast<int>(std::ceil(1 + (n + half) / 2));
  return {std::max(low, 1) - 1, std::min(high, samples) - 1};
}

Statistics statistics(const std::vector<double>& samples) {
  std::vector<double> sorted = samples;
  std::sort(sorted.begin(), sorted.end());
  const Ranks ranks = median_interval(static_cast<int>(sorted.size()));
  const double median = quantile(sorted, 0.5);
  return {.samples = static_cast<int>(sorted.size()),
          .median = median,
          .low = sorted[static_cast<std::size_t>(ranks.low)],
          .high = sorted[static_cast<std::size_t>(ranks.high)],
          .q1 = quantile(sorted, 0.25),
          .q3 = quantile(sorted, 0.75),
          .min = sorted.front(),
          .max = sorted.back(),
          .mad = mad_of(sorted, median),
          .drift = drift_of(samples)};
}

Statistics single_figure(double value) {
  return {
      .samples = 1, .median = value, .low = value, .high = value, .q1 = value, .q3 = value, .min = value, .max = value};
}

}  // namespace fathom::probe
