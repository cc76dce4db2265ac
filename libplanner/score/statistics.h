// Errors in ln(predicted / measured), summed up. docs/accuracy.md says what the figures mean.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace fathom {

struct ErrorPair {
  double measured = 0, predicted = 0;
  std::optional<bool> inside;  // whether the measured value lies in the predicted band; empty: there is none
};

struct ErrorStatistics {
  int rows = 0, groups = 0;
  double median_abs_ln = 0;
  double p90_abs_ln = 0;
  double bias_ln = 0;              // median signed error
  double within_20 = 0;            // share of rows with |predicted / measured - 1| <= 0.2
  double mape = 0;                 // mean of |predicted / measured - 1|
  int banded = 0, inside = 0;      // rows whose prediction has a band, and those in it
  std::optional<double> spearman;  // rank correlation; needs three rows that differ

  double coverage() const { return banded > 0 ? static_cast<double>(inside) / banded : 0; }  // every row counts alike
};

ErrorStatistics statistics(const std::vector<ErrorPair>& rows);

// The mean of each figure over several sets that count alike; rows are added up, and with them the coverage.
ErrorStatistics mean_of(const std::vector<ErrorStatistics>& sets);

// Linear between order statistics; `sorted` not empty.
double quantile_of(const std::vector<double>& sorted, double share);

}  // namespace fathom
