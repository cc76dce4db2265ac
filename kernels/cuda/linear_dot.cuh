// y = x W^T with plain arithmetic: for one token, where tensor cores have nothing to gain, and for devices without them.
//
// A warp takes two rows (a gate and its up row, or neighbours) and one of `parts` of the inputs. It keeps eight 16-byte loads of
// weights under way, the first of them issued before the kernel waits for its predecessor; x comes through the first-level cache.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/linear_arguments.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/mma.cuh"

namespace fathom::cuda {

inline constexpr int kDotThreads = 256;
inline constexpr int kDotRows = 2;   // per warp
inline constexpr int kDotAhead = 4;  // loads under way per row

template <class Format>
__device__ inline std::int64_t piece_column(std::int64_t piece) {
  return piece / 4 * (32 * Format::kRuns) + Format::column(static_cast<int>(piece % 4), 0);
}

// Scale and zero of the group that `column` of `row` is in.
template <class Format>
__device__ inline void group_of(const LinearArguments& a, const MatrixPointers& m, std::int64_t row,
                                std::int64_t column, float& scale, float& zero) {
  scale = 1, zero = 0;
  if (Format::kFormat == WeightFormat::kFp8Block128) {
    const std::int64_t tile = (m.row_phase + row) / 128 * ((a.cols + 127) / 128) + column / 128;
    scale = reinterpret_cast<const float*>(m.scales)[tile];
  } else if (Format::kFormat == WeightFormat::kInt4G128) {
    const std::int64_t at = column / 128 * a.scale_stride + row;
    scale = from_fp16(reinterpret_cast<const std::uint16_t*>(m.scales)[at]);
    zero = m.zeros == nullptr ? 8.0f : static_cast<float>(reinterpret_cast<const std::uint8_t*>(m.zeros)[at]);
  }
}

// grid: (rows, tokens / kTokens). `parts` divides the eight warps of a block.
template <class Format, int kTokens>
__global__ __launch_bounds__(kDotThreads, kTokens == 1 && Format::kFormat == WeightFormat::kBf16
                                              ? 3
                                              : 1) void linear_dot(LinearArguments a, int parts) {
  constexpr int kWarps = kDotThreads / 32;
  start_successor();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, part = warp % parts;
  const int first_token = blockIdx.y * kTokens, tokens = min(kTokens, a.tokens - first_token);
  const std::int64_t outputs = a.gated ? 1 : kDotRows;  // of a warp
  const std::int64_t first = (static_cast<std::int64_t>(blockIdx.x) * (kWarps / parts) + warp / parts) * outputs;

  std::int64_t row[kDotRows];
  const char* codes[kDotRows];
#pragma unroll
  for (int r = 0; r < kDotRows; ++r) {
    row[r] = min(a.gated ? first : first + r, a.rows - 1);
    codes[r] = a.matrix[a.gated ? r : 0].codes + row[r] * code_bytes<Format>(a.cols);
  }
  const std::int64_t pieces = code_bytes<Format>(a.cols) / 16, step = 32 * parts;
  std::int64_t piece = part * 32 + lane;

  uint4 ahead[kDotRows][kDotAhead];
  const auto fetch = [&](int i, std::int64_t p) {
#pragma unroll
    for (int r = 0; r < kDotRows; ++r) {
      if (p < pieces) ahead[r][i] = load_streamed_16(codes[r] + 16 * p);
    }
  };

  float sum[kDotRows][kTokens] = {};
#pragma unroll
  for (int i = 0; i < kDotAhead; ++i) fetch(i, piece + i * step);
  wait_for_predecessor();
  for (; piece < pieces; piece += kDotAhead * step) {
#pragma unroll
    for (int i = 0; i < kDotAhead; ++i) {
      const std::int64_t p = piece + i * step;
      if (p >= pieces) break;
      const std::int64_t column = piece_column<Format>(p);
      float scale[kDotRows], zero[kDotRows], part_sum[kDotRows][kTokens] = {};
#pragma unroll
      for (int r = 0; r < kDotRows; ++r) {
        group_of<Format>(a, a.matrix[a.gated ? r : 0], row[r], column, scale[r], zero[r]);
      }
#pragma unroll
      for (int run = 0; run < Format::kRuns; ++run) {
        float w[kDotRows][8];
#pragma unroll
        for (int r = 0; r < kDotRows; ++r) Format::widen(ahead[r][i], run, zero[r], w[r]);
#pragma unroll
        for (int t = 0; t < kTokens; ++t) {
          const std::int64_t token = first_token + min(t, tokens - 1);
          const uint4 x4 = *reinterpret_cast<const uint4*>(a.x + token * a.x_stride + column +
                                                           (Format::column(0, run) - Format::column(0, 0)));
          const unsigned words[4] = {x4.x, x4.y, x4.z, x4.w};
#pragma unroll
          for (int k = 0; k < 4; ++k) {
#pragma unroll
            for (int r = 0; r < kDotRows; ++r) {
              part_sum[r][t] = fmaf(low_bf16(words[k]), w[r][2 * k], part_sum[r][t]);
              part_sum[r][t] = fmaf(high_bf16(words[k]), w[r][2 * k + 1], part_sum[r][t]);
            }
          }
        }
      }
#pragma unroll
      for (int r = 0; r < kDotRows; ++r) {
#pragma unroll
        for (int t = 0; t < kTokens; ++t) sum[r][t] = fmaf(scale[r], part_sum[r][t], sum[r][t]);
      }
      fetch(i, p + kDotAhead * step);
    }
  }

  __shared__ float parts_of[kWarps][kDotRows * kTokens];
#pragma unroll
  for (int r = 0; r < kDotRows; ++r) {
#pragma unroll
    for (int t = 0; t < kTokens; ++t) {
      float s = sum[r][t];
#pragma unroll
      for (int d = 16; d > 0; d /= 2) s += __shfl_xor_sync(0xffffffffu, s, d);
      if (lane == 0) parts_of[warp][r * kTokens + t] = s;
    }
  }
  __syncthreads();
  if (part != 0 || lane >= kDotRows * kTokens) return;
  float total = 0;
  for (int p = 0; p < parts; ++p) total += parts_of[warp + p][lane];
  const int r = lane / kTokens, t = lane % kTokens;
  if (a.gated) {
    const float up = __shfl_down_sync((1u << (kDotRows * kTokens)) - 1, total, kTokens);
    if (r == 0 && t < tokens && first < a.rows) store_output(a, first_token + t, first, silu(total) * up);
  } else if (t < tokens && first + r < a.rows) {
    store_output(a, first_token + t, first + r, total);
  }
}

template <class Format>
void launch_dot(const Launch& how, const LinearArguments& a, int multiprocessors) {
  const std::int64_t outputs = a.gated ? 1 : kDotRows;
  // A second block per multiprocessor hides the first one's start; splitting a row costs a sum.
  int parts = 1;
  const std::int64_t pieces = a.cols * Format::kBits / 128;
  const auto blocks = [&] { return (a.rows * parts + 8 * outputs - 1) / (8 * outputs); };
  while (parts < 8 && blocks() * 2 < multiprocessors * 3 && pieces > 32 * parts * kDotAhead) parts *= 2;
  const auto run = [&](auto kernel, int tokens) {
    const dim3 grid(static_cast<unsigned>(blocks()), static_cast<unsigned>((a.tokens + tokens - 1) / tokens));
    launch("linear", kernel, grid, kDotThreads, 0, how, a, parts);
  };
  if (a.tokens == 1) {
    run(linear_dot<Format, 1>, 1);
  } else if (a.tokens == 2) {
    run(linear_dot<Format, 2>, 2);
  } else {
    run(linear_dot<Format, 8>, 8);
  }
}

}  // namespace fathom::cuda
