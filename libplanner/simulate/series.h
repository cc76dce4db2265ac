// Sums over slices of simulated time. Slices double their width when there are too many, so memory stays small and no
// length need be known before.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace fathom {

template <std::size_t N>
class Series {
 public:
  static constexpr std::size_t kMost = 1024;

  void add(double at, std::size_t what, double amount) { slice(at)[what] += amount; }

  // `levels` held from `from` to `to`: their integrals.
  template <std::size_t M>
  void hold(double from, double to, const std::array<double, M>& levels, std::size_t first) {
    while (from < to) {
      std::array<double, N>& sums = slice(from);
      const double end = (static_cast<double>(static_cast<std::size_t>(from / width_)) + 1) * width_;
      const double until = end > from ? std::min(to, end) : to;
      for (std::size_t i = 0; i < M; ++i) sums[first + i] += levels[i] * (until - from);
      from = until;
    }
  }

  double width() const { return width_; }
  const std::vector<std::array<double, N>>& slices() const { return slices_; }

 private:
  std::array<double, N>& slice(double at) {
    while (at >= width_ * static_cast<double>(kMost)) halve();
    const auto index = static_cast<std::size_t>(at / width_);
    if (index >= slices_.size()) slices_.resize(index + 1);
    return slices_[index];
  }
  void halve() {
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      if (i % 2 == 0) {
        slices_[i / 2] = slices_[i];
      } else {
        for (std::size_t k = 0; k < N; ++k) slices_[i / 2][k] += slices_[i][k];
      }
    }
    slices_.resize((slices_.size() + 1) / 2);
    width_ *= 2;
  }

  double width_ = 1.0 / 1024;
  std::vector<std::array<double, N>> slices_;
};

}  // namespace fathom
