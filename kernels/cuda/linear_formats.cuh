// What a lane's 16 bytes of weights are, per format. A "run" is eight neighbouring inputs of one row.
#pragma once

#include <cstdint>

#include "cuda/linear.h"
#include "cuda/numbers.cuh"

namespace fathom::cuda {

// Bf16Rows with shorter stages: of 64 tokens two long ones fill the shared memory, and one under way is too few.
struct Bf16ShortRows;

struct Bf16Rows {
  using Wide = Bf16ShortRows;  // for the widest tile
  static constexpr WeightFormat kFormat = WeightFormat::kBf16;
  static constexpr int kBits = 16;
  static constexpr int kRuns = 1;         // in 16 bytes
  static constexpr int kPieces = 2;       // 16-byte loads of a lane per row and stage (linear_mma.cuh)
  static constexpr int kGroupPieces = 0;  // pieces that share a scale; none
  static constexpr int kSharedPad = 64;   // bytes after a row of x in shared memory, against bank conflicts
  static constexpr int kNotes = 0;        // bytes of scales and zeros per warp and stage

  // First input of run `run` of the piece that lane t of four reads; the four pieces hold 32 * kRuns inputs.
  __host__ __device__ static constexpr int column(int t, int run) { return 8 * t + 0 * run; }

#ifdef __CUDACC__
  __device__ static void widen(const uint4& raw, int, float, float (&w)[8]) {
    const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) w[2 * i] = low_bf16(words[i]), w[2 * i + 1] = high_bf16(words[i]);
  }
  template <int kRun>
  __device__ static void pairs(const uint4& raw, unsigned, unsigned (&p)[4]) {
    p[0] = raw.x, p[1] = raw.y, p[2] = raw.z, p[3] = raw.w;
  }
#endif
};

struct Bf16ShortRows : Bf16Rows {
  static constexpr int kPieces = 1;
};

struct Fp8Rows {
  using Wide = Fp8Rows;
  static constexpr WeightFormat kFormat = WeightFormat::kFp8Block128;
  static constexpr int kBits = 8;
  static constexpr int kRuns = 2;
  static constexpr int kPieces = 2;
  static constexpr int kGroupPieces = 2;
  static constexpr int kSharedPad = 16;
  static constexpr int kNotes = 16;  // four scales: of the first and last row of two tiles

  __host__ __device__ static constexpr int column(int t, int run) { return 16 * t + 8 * run; }

#ifdef __CUDACC__
  __device__ static void widen(const uint4& raw, int run, float, float (&w)[8]) {
    const unsigned words[2] = {run == 0 ? raw.x : raw.z, run == 0 ? raw.y : raw.w};
#pragma unroll
    for (int i = 0; i < 8; ++i) w[i] = from_e4m3(words[i / 4] >> (8 * (i % 4)));
  }
  template <int kRun>
  __device__ static void pairs(const uint4& raw, unsigned, unsigned (&p)[4]) {
    const unsigned first = kRun == 0 ? raw.x : raw.z, second = kRun == 0 ? raw.y : raw.w;
    p[0] = e4m3_to_bf16_pair<0>(first), p[1] = e4m3_to_bf16_pair<1>(first);
    p[2] = e4m3_to_bf16_pair<0>(second), p[3] = e4m3_to_bf16_pair<1>(second);
  }
#endif
};

struct Int4Rows {
  using Wide = Int4Rows;
  static constexpr WeightFormat kFormat = WeightFormat::kInt4G128;
  static constexpr int kBits = 4;
  static constexpr int kRuns = 4;
  static constexpr int kPieces = 1;
  static constexpr int kGroupPieces = 1;
  static constexpr int kSharedPad = 64;
  static constexpr int kNotes = 96;  // fp16 scales of 32 rows, then their zeros

  __host__ __device__ static constexpr int column(int t, int run) { return 32 * run + 8 * t; }

#ifdef __CUDACC__
  __device__ static void widen(const uint4& raw, int run, float zero, float (&w)[8]) {
    const unsigned word = run == 0 ? raw.x : run == 1 ? raw.y : run == 2 ? raw.z : raw.w;
#pragma unroll
    for (int i = 0; i < 8; ++i) w[i] = static_cast<float>(word >> (4 * (i / 2 + 4 * (i % 2))) & 15) - zero;
  }
  template <int kRun>
  __device__ static void pairs(const uint4& raw, unsigned minus_bias, unsigned (&p)[4]) {
    const unsigned word = kRun == 0 ? raw.x : kRun == 1 ? raw.y : kRun == 2 ? raw.z : raw.w;
    p[0] = int4_to_bf16_pair<0>(word, minus_bias), p[1] = int4_to_bf16_pair<1>(word, minus_bias);
    p[2] = int4_to_bf16_pair<2>(word, minus_bias), p[3] = int4_to_bf16_pair<3>(word, minus_bias);
  }
#endif
};

}  // namespace fathom::cuda
