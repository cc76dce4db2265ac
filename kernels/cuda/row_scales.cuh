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
  static constexpr bool kAny = false, kMany = false;
  struct Pair {
    float scale[2] = {1, 1}, zero[2] = {};
  };
  static std::int64_t bytes(const LinearArguments&, std::int64_t) { return 0; }
  __device__ RowScales(const LinearArguments&, const RowRange&, char*, int) {}
  __device__ Pair of(int, int) const { return {}; }
};

// Scales as [group][pair of rows], so that two rows' are one word, with an odd number of words to a group against bank conflicts; then zeros as
// [matrix][group][row], in the words of memory in which they lie. All are copied in the background: a block's zeros, read one after
// another before its first product, took up to 5 us.
template <bool kZeros>
class RowScales<Int4Rows, kZeros> {
 public:
  static constexpr bool kAny = true, kMany = true;  // a thirty-second part of the codes' bytes
  struct Pair {
    float scale[2], zero[2] = {8, 8};
  };
  static std::int64_t bytes(const LinearArguments& a, std::int64_t rows) {
    const int matrices = a.gated ? 2 : 1;
    return ((rows / 2 | 1) + (kZeros ? matrices * most_words(rows / matrices) : 0)) * (a.cols / 128) * 4;
  }

  __device__ RowScales(const LinearArguments& a, const RowRange& range, char* shared, int threads)
      : stride_(range.all / 2 | 1),
        groups_(static_cast<int>(a.cols / 128)),
        even_(range.even),
        scales_(reinterpret_cast<unsigned*>(shared)) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = threads / 32;
    for (int pair = lane; pair < range.all / 2; pair += 32) {
      const bool gate = 2 * pair < range.even;
      const char* scale =
          (gate ? a.matrix[0] : a.matrix[1]).scales + 2 * (range.stacked + 2 * pair - (gate ? 0 : range.even));
      for (int group = warp; group < groups_; group += warps) {
        copy_4(shared_address(scales_ + group * stride_ + pair), scale + 2 * group * a.scale_stride);
      }
    }
    if constexpr (kZeros) {
      const int before = static_cast<int>(range.stacked % 4), words = (before + range.count + 3) / 4;
      zero_stride_ = 4 * most_words(range.even);
      zeros_[0] = reinterpret_cast<const char*>(scales_ + stride_ * groups_) + before;
      zeros_[1] = zeros_[0] + groups_ * zero_stride_ - range.even;
      for (int w = lane; w < (a.gated ? 2 : 1) * words; w += 32) {
        const int up = w / words, word = w % words;
        const char* from = a.matrix[up].zeros + range.stacked - before + 4 * word;
        const char* to = zeros_[up] + up * range.even - before + 4 * word;
        for (int group = warp; group < groups_; group += warps) {
          copy_4(shared_address(to + group * zero_stride_), from + group * a.scale_stride);
        }
      }
    }
    end_copy_group();
  }
  __device__ Pair of(int row, int column) const {
    const int group = min(column / 128, groups_ - 1);
    const unsigned both = scales_[group * stride_ + row / 2];
    Pair pair = {{from_fp16(static_cast<std::uint16_t>(both)), from_fp16(static_cast<std::uint16_t>(both >> 16))}};
    if constexpr (kZeros) {
      const char* at = (row < even_ ? zeros_[0] : zeros_[1]) + group * zero_stride_ + row;
      const unsigned zeros = *reinterpret_cast<const std::uint16_t*>(at);
      pair.zero[0] = from_byte<0>(zeros), pair.zero[1] = from_byte<1>(zeros);
    }
    return pair;
  }

 private:
  // That hold the zeros of so many rows, wherever among the words these begin.
  __host__ __device__ static int most_words(std::int64_t rows) { return static_cast<int>(rows + 6) / 4; }

  int stride_, groups_, even_;
  unsigned* scales_;
  const char* zeros_[2];  // where a block's row 0 would be, of each matrix
  int zero_stride_;
};

// As [matrix][tile of 128 rows][group].
template <bool kZeros>
class RowScales<Fp8Rows, kZeros> {
 public:
  static constexpr bool kAny = true, kMany = false;
  struct Pair {
    float scale[2], zero[2] = {};
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
