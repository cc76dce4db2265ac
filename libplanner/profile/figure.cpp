#include "profile/figure.h"

#include <algorithm>
#include <cmath>

namespace fathom {

std::string_view to_string(FigureOrigin origin) {
  switch (origin) {
    case FigureOrigin::kCatalog:
      return "catalog";
    case FigureOrigin::kExtrapolated:
      return "extrapolated";
    case FigureOrigin::kInterpolated:
      return "interpolated";
    case FigureOrigin::kMeasured:
      return "measured";
  }
  return "?";
}

double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const std::size_t below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - static_cast<double>(below));
}

LeftOut left_out(std::vector<double> ratios) {
  std::sort(ratios.begin(), ratios.end());
  LeftOut result{.points = static_cast<int>(ratios.size())};
  result.fast = std::clamp(quantile(ratios, kTail), 0.01, 1 - kLeastSpread);
  result.slow = std::clamp(quantile(ratios, 1 - kTail), 1 + kLeastSpread, 100.0);
  for (double& ratio : ratios) ratio = std::abs(ratio - 1);
  std::sort(ratios.begin(), ratios.end());
  result.median_error = quantile(ratios, 0.5);
  result.p90_error = quantile(ratios, 0.9);
  return result;
}

Figure figure_of(Seconds time, FigureOrigin origin, const LeftOut& left_out) {
  if (origin == FigureOrigin::kMeasured)
    return {.time = time, .origin = origin, .fast = 1 - kLeastSpread, .slow = 1 + kLeastSpread};
  return {.time = time, .origin = origin, .fast = left_out.fast, .slow = left_out.slow};
}

}  // namespace fathom
