// Scales and zeros of a block's rows, brought to shared memory in the background (linear_rows.cu).
#pragma once

#include <algorithm>

#include "cuda/linear_arguments.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/mma.cuh"

namespace fathom::cuda {

// The rows of a block: `count` outputs from `first` on. Taken two at a time: `even` is count, or one more; of a gated product all of the
// gate's come first, then all of Up's, `all` together.
struct RowRange {
  std::int64_t first;
  int count, even, all;
  int expert;            // 0 but of grouped products
  std::int64_t stacked;  // `first` among the rows of all experts
};
__device__ inline RowRange row_range(const LinearArguments& a, int expert, unsigned part, unsigned parts) {
  const std::int64_t pairs = (a.rows + 1) / 2;
  const std::int64_t first = 2 * (pairs * part / parts);
  const int count = static_cast<int>(min(2 * (pairs * (part + 1) / parts), a.rows) - first);
  const int even = (count + 1) / 2 * 2;
  return {first, count, even, a.gated ? 2 * even : even, expert, expert * a.rows + first};
}

// Of bf16: nothing.
template <class Format, bool kZeros>
class RowScales {
 public:
  static constexpr bool kAny = false;
  struct Pair {
    float scale[2] = {1, 1};
    int zero[2] = {};
  };
  static std::int64_t bytes(const LinearArguments&, std::int64_t) { return 0; }
  __device__ RowScales(const LinearArguments&, const RowRange&, char*, int) {}
  __device__ Pair of(int, int) const { return {}; }
};

// As [group][pair of rows], so that two rows' scales are one word, with an odd number of words to a group against bank conflicts; then
// the zeros alike.
template <bool kZeros>
class RowScales<Int4Rows, kZeros> {
 public:
  static constexpr bool kAny = true;
  struct Pair {
    float scale[2];
    int zero[2] = {8, 8};
  };
  static std::int64_t bytes(const LinearArguments& a, std::int64_t rows) {
    return (rows / 2 | 1) * (a.cols / 128) * (kZeros ? 6 : 4);
  }

  __device__ RowScales(const LinearArguments& a, const RowRange& range, char* shared, int threads)
      : stride_(range.all / 2 | 1),
        groups_(static_cast<int>(a.cols / 128)),
        scales_(reinterpret_cast<unsigned*>(shared)) {
    zeros_ = reinterpret_cast<std::uint16_t*>(scales_ + stride_ * groups_);
    for (int pair = threadIdx.x % 32; pair < range.all / 2; pair += 32) {
      const bool gate = 2 * pair < range.even;
      const std::int64_t row = range.stacked + 2 * pair - (gate ? 0 : range.even);
      const char* scale = (gate ? a.matrix[0] : a.matrix[1]).scales + 2 * row;
      const char* zero = (gate ? a.matrix[0] : a.matrix[1]).zeros + row;
      for (int group = threadIdx.x / 32; group < groups_; group += threads / 32) {
        const int to = group * stride_ + pair;
        copy_4(shared_address(scales_ + to), scale + 2 * group * a.scale_stride);
        if (kZeros) zeros_[to] = __ldg(reinterpret_cast<const std::uint16_t*>(zero + group * a.scale_stride));
      }
    }
    end_copy_group();
  }
  __device__ Pair of(int row, int column) const {
    const int at = min(column / 128, groups_ - 1) * stride_ + row / 2;
    const unsigned both = scales_[at];
    Pair pair = {{from_fp16(static_cast<std::uint16_t>(both)), from_fp16(static_cast<std::uint16_t>(both >> 16))}};
    if (kZeros) pair.zero[0] = zeros_[at] & 255, pair.zero[1] = zeros_[at] >> 8;
    return pair;
  }

 private:
  int stride_, groups_;
  unsigned* scales_;
  std::uint16_t* zeros_;
};

// As [matrix][tile of 128 rows][group].
template <bool kZeros>
class RowScales<Fp8Rows, kZeros> {
 public:
  static constexpr bool kAny = true;
  struct Pair {
    float scale[2];
    int zero[2] = {};
  };
  static std::int64_t bytes(const LinearArguments& a, std::int64_t rows) {
    return (a.gated ? 2 : 1) * (rows / (a.gated ? 2 : 1) / 128 + 2) * ((a.cols + 127) / 128) * 4;
  }

  __device__ RowScales(const LinearArguments& a, const RowRange& range, char* shared, int threads)
      : even_(range.even), groups_(static_cast<int>((a.cols + 127) / 128)), scales_(reinterpret_cast<float*>(shared)) {
    float* to = scales_;
#pragma unroll
    for (int m = 0; m < 2; ++m) {
      if (m == 1 && !a.gated) break;
      const std::int64_t first = a.matrix[m].row_phase + range.first, tile = first / 128;
      const int values = static_cast<int>((first + range.count - 1) / 128 - tile + 1) * groups_;
      const float* from =
          reinterpret_cast<const float*>(a.matrix[m].scales + range.expert * a.expert_scale_bytes) + tile * groups_;
      for (int i = threadIdx.x; i < values; i += threads) copy_4(shared_address(to + i), from + i);
      place_[m] = static_cast<int>(first % 128) + 128 * static_cast<int>((to - scales_) / groups_) - m * even_;
      to += values;
    }
    last_ = static_cast<int>((to - scales_) / groups_) - 1;
    end_copy_group();
  }
  __device__ Pair of(int row, int column) const {
    const unsigned at = row + (row < even_ ? place_[0] : place_[1]);
    const float* from = scales_ + min(column / 128, groups_ - 1);
    return {{from[at / 128 * groups_], from[min((at + 1) / 128, last_) * groups_]}};
  }

 private:
  int even_, groups_;
  int place_[2] = {};  // of a matrix' first row in its tiles, counted through both matrices
  unsigned last_;      // tile
  float* scales_;
};

}  // namespace fathom::cuda
