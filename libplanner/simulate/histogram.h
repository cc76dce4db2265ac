// Times in buckets of 1/256 of an octave's start: a percentile is within 0.2 % of the exact one, the mean is exact.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace fathom {

class Histogram {
 public:
  Histogram() : counts_(kBuckets) {}

  void add(double seconds, std::uint64_t times = 1) {
    counts_[bucket(seconds)] += times;
    count_ += times;
    sum_ += seconds * static_cast<double>(times);
    if (seconds > max_) max_ = seconds;
  }

  std::uint64_t count() const { return count_; }
  double mean() const { return count_ > 0 ? sum_ / static_cast<double>(count_) : 0; }
  double max() const { return max_; }

  // The smallest value that `percent` of all do not exceed.
  double percentile(double percent) const {
    if (count_ == 0) return 0;
    const double wanted = percent / 100 * static_cast<double>(count_);
    double seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += static_cast<double>(counts_[i]);
      if (counts_[i] > 0 && seen >= wanted) return middle(i) < max_ ? middle(i) : max_;
    }
    return max_;
  }

 private:
  static constexpr int kBits = 8;            // of the mantissa
  static constexpr int kLowest = 1023 - 40;  // exponents from 2^-40 s, 1 ps, to 2^40 s, 35,000 years
  static constexpr std::size_t kBuckets = 80u << kBits;

  static std::size_t bucket(double seconds) {
    if (!(seconds > 0x1p-40)) return 0;
    const std::uint64_t top = std::bit_cast<std::uint64_t>(seconds) >> (52 - kBits);
    const std::uint64_t at = top - (static_cast<std::uint64_t>(kLowest) << kBits);
    return at < kBuckets ? at : kBuckets - 1;
  }
  static double middle(std::size_t i) {
    if (i == 0) return 0;
    const std::uint64_t top = i + (static_cast<std::uint64_t>(kLowest) << kBits);
    const std::uint64_t half = std::uint64_t{1} << (52 - kBits - 1);
    return std::bit_cast<double>((top << (52 - kBits)) | half);
  }

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  double sum_ = 0, max_ = 0;
};

}  // namespace fathom
