#include "cuda/launch.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/numbers.cuh"
#include "cuda/wide_inputs.h"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;

// Of all threads' magnitudes.
__device__ unsigned largest_of_block(unsigned own) {
  __shared__ unsigned of_warp[kWarps];
#pragma unroll
  for (int d = 16; d > 0; d /= 2) own = max(own, __shfl_xor_sync(0xffffffffu, own, d));
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = own;
  __syncthreads();
#pragma unroll
  for (int w = 0; w < kWarps; ++w) own = max(own, of_warp[w]);
  return own;
}

// A block for each token; a thread makes blocks of 32 inputs.
template <class Format>
__global__ __launch_bounds__(kThreads) void arrange(const __grid_constant__ WideInputs op, int rows) {
  constexpr int kRuns = Format::kRuns;
  const int token = blockIdx.x;
  const std::uint16_t* x = op.x + token * op.x_stride;
  start_successor();
  wait_for_predecessor();
  unsigned largest = 0;
  for (std::int64_t at = 8 * threadIdx.x; at < op.cols; at += 8 * kThreads) {
    const uint4 run = *reinterpret_cast<const uint4*>(x + at);
    largest = max(max(largest, max(magnitude(run.x), magnitude(run.y))), max(magnitude(run.z), magnitude(run.w)));
  }
  const Fp16Range range = fp16_range(largest_of_block(largest));
  if (threadIdx.x == 0) op.back[token] = range.back;

  const int blocks = static_cast<int>((op.cols + kWideGroup - 1) / kWideGroup) * 4;
  for (int b = threadIdx.x; b < blocks; b += kThreads) {
    unsigned pairs[4][4];  // [pair of a run][lane]
#pragma unroll
    for (int t = 0; t < 4; ++t) {
      const std::int64_t from = std::int64_t{b / kRuns} * (32 * kRuns) + Format::column(t, b % kRuns);
      uint4 run = {0, 0, 0, 0};
      if (from < op.cols) run = *reinterpret_cast<const uint4*>(x + from);
      const unsigned words[4] = {run.x, run.y, run.z, run.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        pairs[i][t] = to_fp16_pair(low_bf16(words[i]) * range.there, high_bf16(words[i]) * range.there);
      }
    }
    char* row = op.to + (std::int64_t{b / 2} * rows + token) * 128;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int chunk = (b % 2 * 4 + i) ^ (token % 8);
      *reinterpret_cast<uint4*>(row + 16 * chunk) = make_uint4(pairs[i][0], pairs[i][1], pairs[i][2], pairs[i][3]);
    }
  }
}

}  // namespace

void arrange_inputs(const Launch& how, WeightFormat format, const WideInputs& op) {
  auto* kernel = format == WeightFormat::kInt4G128 ? arrange<Int4Rows> : arrange<Fp8Rows>;
  launch("arrange_inputs", kernel, dim3(op.tokens), kThreads, 0, how, op, WideInputs::padded_rows(op.tokens));
}

}  // namespace fathom::cuda
