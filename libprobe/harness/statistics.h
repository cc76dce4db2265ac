// Samples summed up without assuming how they are distributed. Nothing is dropped: the headline is the median of all.
#pragma once

#include <vector>

namespace fathom::probe {

struct Statistics {
  int samples = 0;
  double median = 0;
  double low = 0, high = 0;  // 95 % interval of the median
  double q1 = 0, q3 = 0;
  double min = 0, max = 0;
  double mad = 0;    // median absolute deviation from the median
  double drift = 0;  // median of the last samples over that of the first, minus 1

  double flutter() const { return median > 0 ? (q3 - q1) / median : 0; }
};

// `samples` in the order in which they were taken, not empty.
Statistics statistics(const std::vector<double>& samples);
Statistics single_figure(double value);  // what others have summed up already: one sample

double median_of(std::vector<double> values);  // not empty; the mean of the middle two when they are even
double mad_of(const std::vector<double>& values, double median);

// Ranks of the sorted samples, from 0, between which the true median lies with 95 %: floor((n - 1.96 sqrt n) / 2) and
// ceil(1 + (n + 1.96 sqrt n) / 2), counted from 1 and kept inside (binomial order statistics, normal approximation).
struct Ranks {
  int low = 0, high = 0;
};
Ranks median_interval(int samples);

}  // namespace fathom::probe
