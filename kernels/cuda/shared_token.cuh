// The one token of a product, made ready in shared memory by a whole block (linear_rows.cu): what four-bit weights need would otherwise
// be done by each of eight warps for itself.
//
// A token may come before its norm. A norm of its own is a launch that all multiprocessors wait for, though little of it has to come
// before the product: the token times the norm's weights does, the sum of squares only scales the outputs.
#pragma once

#include <cstdint>

#include "cuda/linear_arguments.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/linear_launch.h"
#include "cuda/mma.cuh"
#include "cuda/reduce.cuh"

namespace fathom::cuda {

// Of the 128 inputs that share a scale of four-bit weights.
struct GroupNotes {
  float back;  // what brings sums of their products to their size
  float sum;   // of the inputs, as large as a product with code 1
};

// kEach: eights of values that a thread has, at most.
template <class Format, int kThreads, int kEach_>
class SharedToken {
  static constexpr bool kInt4 = Format::kFormat == WeightFormat::kInt4G128;
  static constexpr int kWarps = kThreads / 32;

 public:
  static constexpr int kEach = kEach_;
  static constexpr bool kMayNorm = kEach * 8 * kThreads <= kMostNormedInputs;

  __host__ __device__ static std::int64_t bytes(std::int64_t cols) {
    return cols * 2 + (kInt4 ? cols / 128 * static_cast<std::int64_t>(sizeof(GroupNotes)) : 0) +
           kWarps * static_cast<std::int64_t>(sizeof(float));
  }

  __device__ SharedToken(std::int64_t cols, char* shared)
      : eights_(static_cast<int>(cols / 8)),
        values_(reinterpret_cast<std::uint16_t*>(shared)),
        notes_(reinterpret_cast<GroupNotes*>(shared + cols * 2)),
        squares_(reinterpret_cast<float*>(shared + bytes(cols)) - kWarps) {}

  // What follows is good after the next barrier of all threads.
  __device__ void read(const std::uint16_t* x) {
    uint4 words[kEach];
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      words[i] = {0, 0, 0, 0};
      if (eight(i) < eights_) words[i] = *reinterpret_cast<const uint4*>(x + 8 * eight(i));
    }
#pragma unroll
    for (int i = 0; i < kEach; ++i) write(eight(i), words[i]);
  }
  // `weight`: of each eight.
  __device__ void read(const TokenNorm& norm, const float4 (&weight)[kEach][2]) {
    float4 x[kEach][2];
#pragma unroll
    for (int i = 0; i < kEach; ++i) load(norm.residual, i, x[i]);
    float squares = 0;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const float4 a = x[i][0], b = x[i][1], v = weight[i][0], w = weight[i][1];
      squares += a.x * a.x + a.y * a.y + a.z * a.z + a.w * a.w + b.x * b.x + b.y * b.y + b.z * b.z + b.w * b.w;
      write(eight(i), {to_bf16_pair(a.x * v.x, a.y * v.y), to_bf16_pair(a.z * v.z, a.w * v.w),
                       to_bf16_pair(b.x * w.x, b.y * w.y), to_bf16_pair(b.z * w.z, b.w * w.w)});
    }
    squares = warp_sum(squares);
    if (threadIdx.x % 32 == 0) squares_[threadIdx.x / 32] = squares;
  }
  __device__ void load(const float* from, int i, float4 (&to)[2]) const {
    to[0] = to[1] = {0, 0, 0, 0};
    if (eight(i) >= eights_) return;
    to[0] = reinterpret_cast<const float4*>(from)[2 * eight(i)];
    to[1] = reinterpret_cast<const float4*>(from)[2 * eight(i) + 1];
  }

  // bf16; for four-bit weights fp16, times a power of two that is the group's, and of every other pair a sixteenth.
  __device__ const std::uint16_t* values() const { return values_; }
  __device__ const GroupNotes& notes(int group) const { return notes_[group]; }
  __device__ float norm_factor(const TokenNorm& norm) const {
    float squares = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) squares += squares_[w];
    return rsqrtf(squares / (8 * eights_) + norm.epsilon);
  }

 private:
  __device__ static int eight(int i) { return i * kThreads + threadIdx.x; }

  // Sixteen lanes have a group. Its largest number comes below 2^15.
  __device__ void write(int eight, const uint4& raw) {
    unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
    if constexpr (kInt4) {
      constexpr unsigned kMagnitudes = 0x7fff7fffu;
      unsigned largest = __vmaxu2(__vmaxu2(words[0] & kMagnitudes, words[1] & kMagnitudes),
                                  __vmaxu2(words[2] & kMagnitudes, words[3] & kMagnitudes));
#pragma unroll
      for (int d = 1; d < 16; d *= 2) largest = __vmaxu2(largest, __shfl_xor_sync(0xffffffffu, largest, d));
      const Fp16Range range = fp16_range(magnitude(largest));
      const float there[2] = {range.there, range.there * 0.0625f};
      float sum[2] = {};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float low = low_bf16(words[i]) * there[i % 2], high = high_bf16(words[i]) * there[i % 2];
        sum[i % 2] += low + high;
        words[i] = to_fp16_pair(low, high);
      }
      float all = sum[0] + 16 * sum[1];
#pragma unroll
      for (int d = 1; d < 16; d *= 2) all += __shfl_xor_sync(0xffffffffu, all, d);
      if (eight < eights_ && eight % 16 == 0) notes_[eight / 16] = {range.back * 0x1p24f, all * 0x1p-24f};
    }
    if (eight < eights_) *reinterpret_cast<uint4*>(values_ + 8 * eight) = {words[0], words[1], words[2], words[3]};
  }

  int eights_;
  std::uint16_t* values_;
  GroupNotes* notes_;
  float* squares_;
};

}  // namespace fathom::cuda
