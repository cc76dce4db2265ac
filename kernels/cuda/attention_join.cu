// The second half of flash decoding. Of many parts a block joins 128 values of one row, eight warps sharing the parts; of few, a warp.
#include "cuda/attention_split.cuh"
#include "cuda/launch.cuh"

namespace fathom::cuda {
namespace {

constexpr int kWarps = 8, kColumns = 128, kMostSplits = 128;

// Grid: (chunks of columns * rows of a tile, units, sequences).
__global__ __launch_bounds__(32 * kWarps) void join(const SplitSums s) {
  __shared__ float shares[kMostSplits];
  __shared__ float4 sums[kWarps][32];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int row = blockIdx.x % s.tile_rows, column = blockIdx.x / s.tile_rows * kColumns + 4 * lane;
  const int unit = blockIdx.y, sequence = blockIdx.z, group = s.heads / s.kv_heads;
  const int place = unit % s.tiles * s.tile_rows + row;
  start_successor();
  wait_for_predecessor();
  const int length = s.lengths[sequence];
  if (place >= s.rows * group || length <= 0) return;
  const SplitRange range = split_range(s.first_token(length), length, 0, s.splits);
  if (range.active <= 1) return;

  const float* part = s.at(sequence, unit, 0, row);
  const std::int64_t stride = static_cast<std::int64_t>(s.tile_rows) * s.width();
  if (warp == 0) {  // weights that bring the parts to one maximum and a total of one
    float own[kMostSplits / 32], totals[kMostSplits / 32], peak = -INFINITY, total = 0;
#pragma unroll
    for (int i = 0; i < kMostSplits / 32; ++i) {
      const int split = 32 * i + lane;
      own[i] = split < range.active ? __ldcg(part + split * stride + s.dim) : -INFINITY;
      totals[i] = split < range.active ? __ldcg(part + split * stride + s.dim + 1) : 0.0f;
      peak = fmaxf(peak, own[i]);
    }
    for (int d = 16; d > 0; d /= 2) peak = fmaxf(peak, __shfl_xor_sync(0xffffffffu, peak, d));
#pragma unroll
    for (int i = 0; i < kMostSplits / 32; ++i) {
      own[i] = own[i] == -INFINITY ? 0.0f : exp2f(own[i] - peak);
      total += own[i] * totals[i];
    }
    for (int d = 16; d > 0; d /= 2) total += __shfl_xor_sync(0xffffffffu, total, d);
    const float factor = total > 0 ? 1 / total : 0.0f;
#pragma unroll
    for (int i = 0; i < kMostSplits / 32; ++i) shares[32 * i + lane] = own[i] * factor;
  }
  constexpr int kEach = kMostSplits / kWarps;
  float4 values[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int split = i * kWarps + warp;
    values[i] = make_float4(0, 0, 0, 0);
    if (split < range.active && column < s.dim)
      values[i] = __ldcg(reinterpret_cast<const float4*>(part + split * stride + column));
  }
  __syncthreads();
  float4 sum = {0, 0, 0, 0};
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const float share = shares[i * kWarps + warp];
    sum.x += share * values[i].x, sum.y += share * values[i].y;
    sum.z += share * values[i].z, sum.w += share * values[i].w;
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || column >= s.dim) return;
#pragma unroll
  for (int w = 1; w < kWarps; ++w) {
    sum.x += sums[w][lane].x, sum.y += sums[w][lane].y;
    sum.z += sums[w][lane].z, sum.w += sums[w][lane].w;
  }
  const int head = unit / s.tiles * group + place % group;
  const std::int64_t to = ((static_cast<std::int64_t>(sequence) * s.rows + place / group) * s.heads + head) * s.dim;
  *reinterpret_cast<uint2*>(s.out + to + column) = make_uint2(to_bf16_pair(sum.x, sum.y), to_bf16_pair(sum.z, sum.w));
}

// Many sequences in a few parts each: a warp for 128 values of a row. Grid: (chunks of columns * rows of a tile / kWarps, units,
// sequences).
constexpr int kFew = 4;
__global__ __launch_bounds__(32 * kWarps) void join_few(const SplitSums s) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int task = blockIdx.x * kWarps + warp, row = task % s.tile_rows;
  const int column = task / s.tile_rows * kColumns + 4 * lane;
  const int unit = blockIdx.y, sequence = blockIdx.z, group = s.heads / s.kv_heads;
  const int place = unit % s.tiles * s.tile_rows + row;
  start_successor();
  wait_for_predecessor();
  const int length = s.lengths[sequence];
  if (column >= s.dim || place >= s.rows * group || length <= 0) return;
  const SplitRange range = split_range(s.first_token(length), length, 0, s.splits);
  if (range.active <= 1) return;

  const float* part = s.at(sequence, unit, 0, row);
  const std::int64_t stride = static_cast<std::int64_t>(s.tile_rows) * s.width();
  float4 values[kFew];
  float peaks[kFew], totals[kFew], peak = -INFINITY, total = 0;
#pragma unroll
  for (int i = 0; i < kFew; ++i) {
    const bool there = i < range.active;
    peaks[i] = there ? __ldcg(part + i * stride + s.dim) : -INFINITY;
    totals[i] = there ? __ldcg(part + i * stride + s.dim + 1) : 0.0f;
    values[i] = make_float4(0, 0, 0, 0);
    if (there) values[i] = __ldcg(reinterpret_cast<const float4*>(part + i * stride + column));
    peak = fmaxf(peak, peaks[i]);
  }
  float4 sum = {0, 0, 0, 0};
#pragma unroll
  for (int i = 0; i < kFew; ++i) {
    const float share = peaks[i] == -INFINITY ? 0.0f : exp2f(peaks[i] - peak);
    total += share * totals[i];
    sum.x += share * values[i].x, sum.y += share * values[i].y;
    sum.z += share * values[i].z, sum.w += share * values[i].w;
  }
  const float factor = total > 0 ? 1 / total : 0.0f;
  const int head = unit / s.tiles * group + place % group;
  const std::int64_t to = ((static_cast<std::int64_t>(sequence) * s.rows + place / group) * s.heads + head) * s.dim;
  *reinterpret_cast<uint2*>(s.out + to + column) =
      make_uint2(to_bf16_pair(sum.x * factor, sum.y * factor), to_bf16_pair(sum.z * factor, sum.w * factor));
}

}  // namespace

void join_splits(const Launch& how, const SplitSums& s) {
  const int tasks = s.tile_rows * ((s.dim + kColumns - 1) / kColumns);
  if (s.splits <= kFew) {
    const dim3 grid((tasks + kWarps - 1) / kWarps, s.kv_heads * s.tiles, s.sequences);
    return launch("attention_join", join_few, grid, 32 * kWarps, 0, how, s);
  }
  const dim3 grid(tasks, s.kv_heads * s.tiles, s.sequences);
  launch("attention_join", join, grid, 32 * kWarps, 0, how, s);
}

}  // namespace fathom::cuda
