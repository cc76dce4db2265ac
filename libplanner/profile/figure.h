// A time with where it comes from and how far it may be off.
#pragma once

#include <string_view>
#include <vector>

#include "units/quantity.h"

namespace fathom {

// The weakest first.
enum class FigureOrigin {
  kCatalog,       // rates of engine and device
  kExtrapolated,  // outside of the shapes that were measured
  kInterpolated,  // between them
  kMeasured,      // this very shape
};
std::string_view to_string(FigureOrigin origin);

// What no machine repeats itself better than, and the share of the cases that lies outside of a spread on either side.
inline constexpr double kLeastSpread = 0.05, kTail = 0.10;

// Share 0.5 is the median; between two values linear. `sorted` is not empty.
double quantile(const std::vector<double>& sorted, double share);

// How well points are predicted that a fit has not seen: each is left out in turn and predicted from the others.
struct LeftOut {
  int points = 0;
  double median_error = 0, p90_error = 0;  // |measured / predicted - 1|
  double fast = 1 - kLeastSpread;          // 10 % and 90 % quantiles of measured over predicted,
  double slow = 1 + kLeastSpread;          // at least kLeastSpread from 1
};
LeftOut left_out(std::vector<double> measured_over_predicted);  // not empty

struct Figure {
  Seconds time{};
  FigureOrigin origin = FigureOrigin::kCatalog;
  double fast = 1, slow = 1;  // ends of its band over `time`
};
Figure figure_of(Seconds time, FigureOrigin origin, const LeftOut& left_out);

}  // namespace fathom
