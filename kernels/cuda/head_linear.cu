// Sixteen outputs of one head and up to kTiles * 8 tokens are a warp's, or of few outputs and many inputs four warps', which take
// every fourth step of the inputs. Of the 32 inputs of a step a lane takes eight neighbours, of two rows of W and of its token of
// every tile: 16-byte loads straight to registers, two products each (mma.cuh).
#include <algorithm>

#include "cuda/head_linear.h"
#include "cuda/launch.cuh"
#include "cuda/mma.cuh"
#include "cuda/numbers.cuh"

namespace fathom::cuda {
namespace {

constexpr int kWarps = 4, kThreads = 32 * kWarps;
constexpr int kTokens = 8;   // of a tile
constexpr int kInputs = 32;  // of a step

// Grid: (outputs / 16 by warps, heads, tokens / (8 kTiles)).
template <int kTiles, bool kShare>
__global__ __launch_bounds__(kThreads) void products(const __grid_constant__ HeadLinear op) {
#ifdef FATHOM_TENSOR_CORES
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const int row = 16 * (kShare ? blockIdx.x : blockIdx.x * kWarps + warp), head = blockIdx.y;
  const int first = blockIdx.z * kTiles * kTokens, step = kShare ? kWarps * kInputs : kInputs;
  start_successor();
  wait_for_predecessor();
  if (row >= op.rows) return;
  const std::uint16_t* upper = op.w + head * op.w_stride + static_cast<std::int64_t>(row + g) * op.cols + 8 * t;
  const std::uint16_t* lower = upper + static_cast<std::int64_t>(8) * op.cols;
  const std::uint16_t* x[kTiles];
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    const int token = min(first + tile * kTokens + g, op.tokens - 1);  // beyond the last: nobody reads those sums
    x[tile] = op.x + token * op.x_stride + head * op.x_head_stride + 8 * t;
  }
  float sum[kTiles][4] = {};
#pragma unroll 4
  for (int at = kShare ? warp * kInputs : 0; at < op.cols; at += step) {
    const uint4 a = load_streamed_16(upper + at), b = load_streamed_16(lower + at);
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      const uint4 c = *reinterpret_cast<const uint4*>(x[tile] + at);
      mma_bf16(sum[tile], a.x, b.x, a.y, b.y, c.x, c.y);
      mma_bf16(sum[tile], a.z, b.z, a.w, b.w, c.z, c.w);
    }
  }
  if constexpr (kShare) {
    __shared__ float4 parts[kWarps][kTiles][32];
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      parts[warp][tile][lane] = make_float4(sum[tile][0], sum[tile][1], sum[tile][2], sum[tile][3]);
    }
    __syncthreads();
    if (warp > 0) return;
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int w = 1; w < kWarps; ++w) {
        const float4 part = parts[w][tile][lane];
        sum[tile][0] += part.x, sum[tile][1] += part.y, sum[tile][2] += part.z, sum[tile][3] += part.w;
      }
    }
  }
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int token = first + tile * kTokens + 2 * t + i % 2;
      if (token >= op.tokens) continue;
      op.y[token * op.y_stride + head * op.y_head_stride + row + g + 8 * (i / 2)] = to_bf16(sum[tile][i]);
    }
  }
#else
  __trap();
#endif
}

__global__ void turn(const std::uint16_t* from, std::int64_t from_stride, int rows, int cols, std::uint16_t* to) {
  wait_for_predecessor();
  const std::int64_t head = blockIdx.y, at = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (at >= static_cast<std::int64_t>(rows) * cols) return;
  const std::int64_t row = at % rows, col = at / rows;
  to[head * rows * cols + at] = from[head * from_stride + row * cols + col];
}

template <int kTiles>
void run(const Launch& how, const HeadLinear& op) {
  const int each = kTiles * kTokens, strips = op.rows / 16, groups = (op.tokens + each - 1) / each;
  // Values of 128 from latents of 512: with a warp for a strip, 16 heads are 32 blocks, which wait for 16 steps of loads.
  const bool share = op.cols > op.rows;
  if (share) {
    launch("head_linear", products<kTiles, true>, dim3(strips, op.heads, groups), kThreads, 0, how, op);
  } else {
    launch("head_linear", products<kTiles, false>, dim3((strips + kWarps - 1) / kWarps, op.heads, groups), kThreads, 0,
           how, op);
  }
}

}  // namespace

void head_linear(const Launch& how, const HeadLinear& op) {
  if (device_traits().compute < 80) throw CudaError("head_linear needs compute capability 8.0");
  if (op.rows % 16 != 0 || op.cols % kInputs != 0 || op.w_stride % 8 != 0 || op.x_stride % 8 != 0 ||
      op.x_head_stride % 8 != 0) {
    throw CudaError("head_linear: the sizes are not supported");
  }
  if (op.tokens < 1 || op.heads < 1) return;
  op.tokens <= kTokens ? run<1>(how, op) : run<4>(how, op);
}

void turn_heads(const Launch& how, const std::uint16_t* from, std::int64_t from_stride, int heads, int rows, int cols,
                std::uint16_t* to) {
  const std::int64_t values = static_cast<std::int64_t>(rows) * cols;
  launch("turn_heads", turn, dim3(static_cast<unsigned>((values + kThreads - 1) / kThreads), heads), kThreads, 0, how,
         from, from_stride, rows, cols, to);
}

}  // namespace fathom::cuda
