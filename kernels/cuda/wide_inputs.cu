#include "cuda/launch.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/numbers.cuh"
#include "cuda/wide_inputs.h"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 512, kWarps = kThreads / 32;

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

// A block for each token; a thread keeps what becomes up to kEach blocks of 32 inputs.
template <class Format>
__global__ __launch_bounds__(kThreads) void arrange(const __grid_constant__ WideInputs op, int rows) {
  constexpr int kRuns = Format::kRuns, kEach = kMostWideInputs / 32 / kThreads;
  const int token = blockIdx.x, blocks = static_cast<int>((op.cols + kWideGroup - 1) / kWideGroup) * 4;
  const std::uint16_t* x = op.x + token * op.x_stride;
  start_successor();
  wait_for_predecessor();
  unsigned pairs[kEach][4][4] = {};  // [pair of a run][lane]
  unsigned largest = 0;
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    const int b = e * kThreads + threadIdx.x;
#pragma unroll
    for (int t = 0; t < 4; ++t) {
      const std::int64_t from = std::int64_t{b / kRuns} * (32 * kRuns) + Format::column(t, b % kRuns);
      if (from >= op.cols) continue;
      const uint4 run = *reinterpret_cast<const uint4*>(x + from);
      pairs[e][0][t] = run.x, pairs[e][1][t] = run.y, pairs[e][2][t] = run.z, pairs[e][3][t] = run.w;
    }
#pragma unroll
    for (int i = 0; i < 16; ++i) largest = max(largest, magnitude(pairs[e][i / 4][i % 4]));
  }
  const Fp16Range range = fp16_range(largest_of_block(largest));
  if (threadIdx.x == 0) op.back[token] = range.back;
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    const int b = e * kThreads + threadIdx.x;
    if (b >= blocks) break;
    char* row = op.to + (std::int64_t{b / 2} * rows + token) * 128;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      unsigned fp16[4];
#pragma unroll
      for (int t = 0; t < 4; ++t) {
        fp16[t] = to_fp16_pair(low_bf16(pairs[e][i][t]) * range.there, high_bf16(pairs[e][i][t]) * range.there);
      }
      const int chunk = (b % 2 * 4 + i) ^ (token % 8);
      *reinterpret_cast<uint4*>(row + 16 * chunk) = make_uint4(fp16[0], fp16[1], fp16[2], fp16[3]);
    }
  }
}

// More than half of a multiprocessor's: blocks that wait for the product before would else crowd on the few it leaves free. So they made
// one of 4096x14336 for 64 tokens take 39 us in a chain and 32 alone.
constexpr int kSharedBytes = 120 * 1024;

}  // namespace

void arrange_inputs(const Launch& how, WeightFormat format, const WideInputs& op) {
  static bool allowed[64] = {};
  int number = 0;
  check(cudaGetDevice(&number), "device");
  if (!allowed[number]) {
    allow_shared_memory(arrange<Int4Rows>, kSharedBytes);
    allow_shared_memory(arrange<Fp8Rows>, kSharedBytes);
    allowed[number] = true;
  }
  auto* kernel = format == WeightFormat::kInt4G128 ? arrange<Int4Rows> : arrange<Fp8Rows>;
  launch("arrange_inputs", kernel, dim3(op.tokens), kThreads, kSharedBytes, how, op,
         WideInputs::padded_rows(op.tokens));
}

}  // namespace fathom::cuda
