// Decode attention for any device: a block has one row of one head, its warps every fourth token, plain fp32 arithmetic.
#pragma once

#include <cstdint>

#include "cuda/decode_attention.h"
#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"

namespace fathom::cuda {

struct PlainAttention {
  int sequences = 0, rows = 1, heads = 0, group = 1;  // heads per KV head
  float scale = 1;
  int window = 0;
  const std::uint16_t *q = nullptr, *pages = nullptr;
  std::int64_t page_stride = 0, value_offset = 0;  // from a key to its value
  const std::int32_t *table = nullptr, *lengths = nullptr;
  int table_stride = 0;
  std::uint16_t* out = nullptr;
};

inline constexpr int kPlainWarps = 4;

// Grid: (heads, rows, sequences).
template <int kKey, int kValue>
__global__ __launch_bounds__(32 * kPlainWarps) void plain_attention(const __grid_constant__ PlainAttention op) {
  constexpr int kKeys = kKey / 32, kValues = kValue / 32;
  __shared__ float peaks[kPlainWarps], totals[kPlainWarps], sums[kPlainWarps][kValue];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, head = blockIdx.x, sequence = blockIdx.z;
  start_successor();
  wait_for_predecessor();
  const int length = op.lengths[sequence];
  if (length <= 0) return;
  const std::int64_t row = (static_cast<std::int64_t>(sequence) * op.rows + blockIdx.y) * op.heads + head;
  const int end = length - (op.rows - 1 - static_cast<int>(blockIdx.y)),
            begin = op.window > 0 ? max(0, end - op.window) : 0;
  float q[kKeys], sum[kValues] = {}, peak = -INFINITY, total = 0;
#pragma unroll
  for (int i = 0; i < kKeys; ++i) q[i] = from_bf16(op.q[row * kKey + 32 * i + lane]) * op.scale;
  for (int token = begin + warp; token < end; token += kPlainWarps) {
    const std::int64_t page = op.table[static_cast<std::int64_t>(sequence) * op.table_stride + token / kPageTokens];
    const std::uint16_t* key = op.pages + page * op.page_stride +
                               (static_cast<std::int64_t>(head / op.group) * kPageTokens + token % kPageTokens) * kKey;
    float score = 0;
#pragma unroll
    for (int i = 0; i < kKeys; ++i) score = fmaf(q[i], from_bf16(key[32 * i + lane]), score);
    score = warp_sum(score);
    const float highest = fmaxf(peak, score), shrink = expf(peak - highest), weight = expf(score - highest);
    peak = highest;
    total = total * shrink + weight;
#pragma unroll
    for (int i = 0; i < kValues; ++i) {
      sum[i] = sum[i] * shrink + weight * from_bf16(key[op.value_offset + 32 * i + lane]);
    }
  }
  if (lane == 0) peaks[warp] = peak, totals[warp] = total;
#pragma unroll
  for (int i = 0; i < kValues; ++i) sums[warp][32 * i + lane] = sum[i];
  __syncthreads();
  float highest = -INFINITY, all = 0, share[kPlainWarps];
#pragma unroll
  for (int w = 0; w < kPlainWarps; ++w) highest = fmaxf(highest, peaks[w]);
#pragma unroll
  for (int w = 0; w < kPlainWarps; ++w) {
    share[w] = peaks[w] == -INFINITY ? 0.0f : expf(peaks[w] - highest);
    all += share[w] * totals[w];
  }
  for (int d = threadIdx.x; d < kValue; d += 32 * kPlainWarps) {
    float value = 0;
#pragma unroll
    for (int w = 0; w < kPlainWarps; ++w) value += share[w] * sums[w][d];
    op.out[row * kValue + d] = to_bf16(all > 0 ? value / all : 0.0f);
  }
}

template <class Op>
PlainAttention plain_arguments(const Op& op) {
  PlainAttention a;
  a.sequences = op.sequences, a.rows = op.rows, a.heads = op.heads, a.scale = op.scale;
  a.q = op.q, a.pages = op.pages, a.page_stride = op.page_stride;
  a.table = op.table, a.table_stride = op.table_stride, a.lengths = op.lengths, a.out = op.out;
  return a;
}

template <int kKey, int kValue>
void run_plain(const Launch& how, const PlainAttention& a) {
  launch("attention", plain_attention<kKey, kValue>, dim3(a.heads, a.rows, a.sequences), 32 * kPlainWarps, 0, how, a);
}

}  // namespace fathom::cuda
