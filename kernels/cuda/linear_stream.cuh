// y = x W^T for a few tokens on the tensor cores, weights straight from memory into registers.
//
// A warp takes sixteen rows (with a gate, sixteen of it and sixteen of Up) and one of `parts` of the inputs. It keeps kDepth units of
// inputs under way, the first of them issued before the kernel waits for its predecessor; x comes through the first-level cache. No
// barrier until the parts' sums meet at the end. What is unpacked serves kCols columns of eight tokens; more tokens take another
// pass, whose weights the second-level cache may still have.
#pragma once

#include <algorithm>

#include "cuda/launch.cuh"
#include "cuda/linear_arguments.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/mma.cuh"

namespace fathom::cuda {

inline constexpr int kStreamThreads = 256;
inline constexpr int kStreamTokens = 8;

template <class Format, int kTiles, int kCols>
class StreamWarp {
  static constexpr int kPieces = Format::kPieces;
  static constexpr int kUnitInputs = 32 * Format::kRuns * kPieces;  // of the quantised formats: one group
  static constexpr bool kQuantised = Format::kFormat != WeightFormat::kBf16;
  static constexpr bool kInt4 = Format::kFormat == WeightFormat::kInt4G128;
  static constexpr unsigned kUnitBytes = kUnitInputs * Format::kBits / 8;
  static constexpr int kDepth = kTiles * kCols > 1 ? 2 : kInt4 ? 4 : 3;  // registers

  struct Unit {
    uint4 raw[kTiles][2][kPieces];
    std::uint16_t half_scale[kTiles][2];
    std::uint8_t zero[kTiles][2];
    float scale[kTiles][2];
  };

 public:
  static constexpr int units(std::int64_t cols) { return static_cast<int>((cols + kUnitInputs - 1) / kUnitInputs); }

  __device__ StreamWarp(const LinearArguments& a, int expert, std::int64_t tile, int part, int parts) : a_(a) {
    const int all = (static_cast<int>(a.cols) + kUnitInputs - 1) / kUnitInputs;
    first_ = all * part / parts;
    last_ = all * (part + 1) / parts;
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
      const MatrixPointers& matrix = a.matrix[m];
      const std::int64_t top = min(16 * tile + lane_ / 4, a.rows - 1);
      codes_[m] = matrix.codes + (expert * a.rows + top) * code_bytes<Format>(a.cols) +
                  first_ * code_bytes<Format>(kUnitInputs) + 16 * (lane_ % 4);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const std::int64_t row = min(16 * tile + 8 * half + lane_ / 4, a.rows - 1);
        if (half == 1) below_ = static_cast<unsigned>((row - top) * code_bytes<Format>(a.cols));
        if constexpr (kInt4) {
          notes_[m][half] = static_cast<unsigned>(expert * a.rows + row + first_ * a.scale_stride);
        } else if constexpr (kQuantised) {
          notes_[m][half] = static_cast<unsigned>(expert * (a.expert_scale_bytes / 4) + first_ +
                                                  (matrix.row_phase + row) / 128 * ((a.cols + 127) / 128));
        }
      }
    }
  }

  __device__ void begin() {
    fetched_ = 0;
#pragma unroll
    for (int d = 0; d < kDepth; ++d) fetch(first_ + d, ahead_[d]);
  }

  // `x` are the rows of the tokens that this lane feeds.
  __device__ void run(const std::uint16_t* const (&x)[kCols]) {
    for (int unit = first_; unit < last_; unit += kDepth) {
#pragma unroll
      for (int d = 0; d < kDepth; ++d) {
        if (unit + d >= last_) break;
        multiply(unit + d, ahead_[d], x);
        fetch(unit + d + kDepth, ahead_[d]);
      }
    }
  }

  // Sums to `to` as [token][row of kTiles * 16]; forgets them.
  __device__ void share(float* to) {
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
#pragma unroll
      for (int c = 0; c < kCols; ++c) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          to[(8 * c + 2 * (lane_ % 4) + i % 2) * (16 * kTiles) + 16 * m + lane_ / 4 + 8 * (i / 2)] = sum_[m][c][i];
          sum_[m][c][i] = 0;
        }
      }
    }
  }

 private:
  __device__ void fetch(int unit, Unit& to) {
    if (unit >= last_) return;
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
#pragma unroll
        for (int p = 0; p < kPieces; ++p) {
          to.raw[m][half][p] = make_uint4(0, 0, 0, 0);
          if (kInt4 ||
              unit * kUnitInputs + 32 * Format::kRuns * p + Format::column(lane_ % 4, 0) < static_cast<int>(a_.cols))
            to.raw[m][half][p] =
                load_streamed_16(codes_[m] + fetched_ * kUnitBytes + (half == 0 ? 0 : below_) + 64 * p);
        }
        if constexpr (kInt4) {
          const unsigned at = fetched_ * static_cast<unsigned>(a_.scale_stride) + notes_[m][half];
          to.half_scale[m][half] = __ldg(reinterpret_cast<const std::uint16_t*>(a_.matrix[m].scales) + at);
          to.zero[m][half] = 8;
          if (a_.matrix[m].zeros != nullptr)
            to.zero[m][half] = __ldg(reinterpret_cast<const std::uint8_t*>(a_.matrix[m].zeros) + at);
        } else if constexpr (kQuantised) {
          to.scale[m][half] = __ldg(reinterpret_cast<const float*>(a_.matrix[m].scales) + notes_[m][half] + fetched_);
        }
      }
    }
    ++fetched_;
  }

  __device__ void multiply(int unit, const Unit& now, const std::uint16_t* const (&x)[kCols]) {
    unsigned bias[kTiles][2];
    float group[kTiles][kCols][4] = {};
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const unsigned zero = kInt4 ? now.zero[m][half] : 0;
        bias[m][half] = 0xc300c300u | zero | zero << 16;  // -(128 + zero), twice
      }
    }
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      runs<0>(now, p, unit * kUnitInputs + 32 * Format::kRuns * p, x, bias, group);
    }
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
#pragma unroll
      for (int c = 0; c < kCols; ++c) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          if constexpr (kInt4) {
            sum_[m][c][i] = fmaf(from_fp16(now.half_scale[m][i / 2]), group[m][c][i], sum_[m][c][i]);
          } else if constexpr (kQuantised) {
            sum_[m][c][i] = fmaf(now.scale[m][i / 2], group[m][c][i], sum_[m][c][i]);
          }
        }
      }
    }
  }

  template <int kRun>
  __device__ void runs(const Unit& now, int p, int column, const std::uint16_t* const (&x)[kCols],
                       const unsigned (&bias)[kTiles][2], float (&group)[kTiles][kCols][4]) {
    const int there = column + Format::column(lane_ % 4, kRun);
    const int at = kInt4 || there < static_cast<int>(a_.cols) ? there : 0;  // beyond: weights are 0
    uint4 inputs[kCols];
#pragma unroll
    for (int c = 0; c < kCols; ++c) inputs[c] = *reinterpret_cast<const uint4*>(x[c] + at);
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
      unsigned low[4], high[4];
      Format::template pairs<kRun>(now.raw[m][0][p], bias[m][0], low);
      Format::template pairs<kRun>(now.raw[m][1][p], bias[m][1], high);
#pragma unroll
      for (int c = 0; c < kCols; ++c) {
        float(&sum)[4] = kQuantised ? group[m][c] : sum_[m][c];
        mma_bf16(sum, low[0], high[0], low[1], high[1], inputs[c].x, inputs[c].y);
        mma_bf16(sum, low[2], high[2], low[3], high[3], inputs[c].z, inputs[c].w);
      }
    }
    if constexpr (kRun + 1 < Format::kRuns) runs<kRun + 1>(now, p, column, x, bias, group);
  }

  const LinearArguments& a_;
  const int lane_ = threadIdx.x % 32;
  int first_, last_;
  int fetched_ = 0;                 // units since first_
  const char* codes_[kTiles];       // of row lane / 4 at the first unit
  unsigned below_ = 0;              // bytes from there to row lane / 4 + 8
  unsigned notes_[kTiles][2] = {};  // places of the first unit's scales
  Unit ahead_[kDepth];
  float sum_[kTiles][kCols][4] = {};
};

// Grid: (tiles of sixteen outputs, eight warps of them and their parts to a block; 1, or with experts slots of `used`).
template <class Format, int kTiles, int kCols>
__global__ __launch_bounds__(kStreamThreads, 2) void linear_stream(const __grid_constant__ LinearArguments a,
                                                                   int parts) {
#ifdef FATHOM_TENSOR_CORES
  constexpr int kWarps = kStreamThreads / 32, kPass = kStreamTokens * kCols, kWarpSums = kPass * 16 * kTiles;
  __shared__ float sums[kWarps * kWarpSums];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, tiles = kWarps / parts;
  const std::int64_t first_tile = static_cast<std::int64_t>(blockIdx.x) * tiles;
  const bool grouped = a.first_pair != nullptr;
  start_successor();
  std::int64_t expert = 0, pair = 0, end = a.tokens;
  if (grouped) {
    wait_for_predecessor();
    expert = a.used[blockIdx.y];
    if (expert < 0) return;
    pair = a.first_pair[expert];
    end = a.first_pair[expert + 1];
  }
  StreamWarp<Format, kTiles, kCols> stream(a, static_cast<int>(expert), first_tile + warp / parts, warp % parts, parts);
  stream.begin();
  if (!grouped) wait_for_predecessor();
  for (; pair < end; pair += kPass) {
    const int tokens = static_cast<int>(min(static_cast<std::int64_t>(kPass), end - pair));
    const std::uint16_t* x[kCols];
#pragma unroll
    for (int c = 0; c < kCols; ++c) {
      const std::int64_t own = pair + min(8 * c + lane / 4, tokens - 1);  // beyond the tokens: nobody reads those sums
      x[c] = a.x + (a.x_rows == nullptr ? own : a.x_rows[own]) * a.x_stride;
    }
    stream.run(x);
    stream.share(sums + warp * kWarpSums);
    if (pair + kPass < end) stream.begin();
    __syncthreads();
    for (int i = threadIdx.x; i < tiles * 16 * tokens; i += kStreamThreads) {
      const int tile = i / (16 * tokens), token = i / 16 % tokens;
      const std::int64_t row = (first_tile + tile) * 16 + i % 16;
      if (row >= a.rows) continue;
      const auto total = [&](int m) {
        float sum = 0;
        for (int p = 0; p < parts; ++p) {
          sum += sums[(tile * parts + p) * kWarpSums + token * (16 * kTiles) + 16 * m + i % 16];
        }
        return sum;
      };
      const float value = total(0);
      if constexpr (kTiles == 2) {
        store_output(a, pair + token, row, silu(value) * total(1));
      } else {
        store_output(a, pair + token, row, value);
      }
    }
    __syncthreads();
  }
#else
  __trap();
#endif
}

template <class Format>
void launch_stream(const Launch& how, const LinearArguments& a, const DeviceTraits& device, int slots) {
  const std::int64_t tiles = (a.rows + 15) / 16;
  const int units = StreamWarp<Format, 1, 1>::units(a.cols);
  const auto blocks = [&](int parts) { return (tiles * parts + 7) / 8; };
  int parts = 1;
  while (parts < 8 && units >= 4 * parts && blocks(parts) * slots < 3 * device.multiprocessors) parts *= 2;
  const dim3 grid(static_cast<unsigned>(blocks(parts)), static_cast<unsigned>(slots));
  const int tokens = a.first_pair != nullptr ? 1 : a.tokens;  // an expert's are not known here, and few
  const auto run = [&](auto* kernel) { launch("linear", kernel, grid, kStreamThreads, 0, how, a, parts); };
  if (a.gated) {
    tokens > kStreamTokens ? run(linear_stream<Format, 2, 2>) : run(linear_stream<Format, 2, 1>);
  } else if (tokens > 2 * kStreamTokens) {
    run(linear_stream<Format, 1, 4>);
  } else {
    tokens > kStreamTokens ? run(linear_stream<Format, 1, 2>) : run(linear_stream<Format, 1, 1>);
  }
}

}  // namespace fathom::cuda
