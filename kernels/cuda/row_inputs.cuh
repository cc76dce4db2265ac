// Two rows of weights times the inputs of one token, on the tensor cores (linear_rows.cu).
//
// A lane reads sixteen bytes of each row, whichever, and keeps the inputs that belong to them in registers. Lane 4 g + t gives its weights
// as row g (of the second, g + 8) of A and its inputs as column g of B (mma.cuh). Of the product only the diagonal is wanted: the sums over
// the four lanes of a g, which lane 4 g + g / 2 finds in place g % 2 (of the second row, 2 + g % 2). No weight moves to another
// lane, and to multiply takes an eighth of what plain arithmetic would.
#pragma once

#include "cuda/linear_arguments.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/mma.cuh"
#include "cuda/shared_token.cuh"

namespace fathom::cuda {

// Pairs of bf16 to fp16, times a power of two that is the same for four neighbouring lanes, so that the largest is below 2^15. Returns the
// power's inverse; NaN if not all are finite.
template <int kPairs>
__device__ inline float to_scaled_fp16(unsigned (&pairs)[kPairs]) {
  unsigned largest = 0;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) largest = max(largest, magnitude(pairs[i]));
  largest = max(largest, __shfl_xor_sync(0xffffffffu, largest, 1));
  largest = max(largest, __shfl_xor_sync(0xffffffffu, largest, 2));
  const Fp16Range range = fp16_range(largest);
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    pairs[i] = to_fp16_pair(low_bf16(pairs[i]) * range.there, high_bf16(pairs[i]) * range.there);
  }
  return range.back;
}

// Of kPieces pieces of a lane. For bf16 weights they are in bf16, for fp8 in fp16, which e4m3 becomes in one instruction.
//
// For four bits they are as SharedToken has them: of a word of codes, masks and one shift make pairs of fp16 numbers, in which bits 0 to 3
// are code 2^-24 and bits 4 to 7 are 16 code 2^-24, both below the normal numbers, so that nothing has to be taken off. To multiply as 128 + code in bf16
// took three shifts, and shifts and masks are most of what this kernel does.
template <class Format, bool kZeros, int kPieces>
class RowInputs {
  static constexpr bool kBf16 = Format::kFormat == WeightFormat::kBf16;
  static constexpr bool kFp8 = Format::kFormat == WeightFormat::kFp8Block128;
  static constexpr bool kInt4 = Format::kFormat == WeightFormat::kInt4G128;

 public:
  // Pieces `first`, first + step, ... of a row of `pieces`; beyond them inputs are 0.
  __device__ void read(const std::uint16_t* x, int first, int step, int pieces) {
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      const int piece = first + p * step;
#pragma unroll
      for (int run = 0; run < Format::kRuns; ++run) {
        uint4 raw = {0, 0, 0, 0};
        if (piece < pieces) {
          raw = *reinterpret_cast<const uint4*>(x + piece / 4 * (32 * Format::kRuns) + Format::column(piece % 4, run));
        }
        unsigned* to = x_ + 4 * (p * Format::kRuns + run);
        to[0] = raw.x, to[1] = raw.y, to[2] = raw.z, to[3] = raw.w;
      }
    }
    if constexpr (kFp8) back_ = to_scaled_fp16(x_);
  }
  template <class Token>
  __device__ void read(const Token& token, int first, int step, int pieces) {
    read(token.values(), first, step, pieces);
    if constexpr (kInt4) {
#pragma unroll
      for (int p = 0; p < kPieces; ++p) {
        const int piece = first + p * step;
        notes_[p] = {0, 0};
        if (piece < pieces) notes_[p] = token.notes(piece / 4);
        if (!kZeros) notes_[p].sum *= 8;
      }
    }
  }

  // The sums of piece p of two rows, in the lanes of the diagonal; `zero`: of four-bit codes.
  __device__ void multiply(int p, const uint4& first, const uint4& second, const float (&zero)[2],
                           float (&sum)[2]) const {
    float all[4] = {};
    add(p, first, second, all);
    diagonal(all, sum);
    if constexpr (kInt4) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        sum[i] -= kZeros ? zero[i] * notes_[p].sum : notes_[p].sum;
        sum[i] *= notes_[p].back;
      }
    }
  }
  // Of every place.
  __device__ void add(int p, const uint4& first, const uint4& second, float (&sum)[4]) const {
    add_run<0>(p, first, second, sum);
    if constexpr (Format::kRuns > 1) add_run<1>(p, first, second, sum);
    if constexpr (Format::kRuns > 2) add_run<2>(p, first, second, sum), add_run<3>(p, first, second, sum);
  }
  __device__ static void diagonal(const float (&all)[4], float (&sum)[2]) {
    sum[0] = odd() ? all[1] : all[0], sum[1] = odd() ? all[3] : all[2];
  }

  // Of the lanes' sums: the first row's in lane 0, the second's in lane 4.
  __device__ float join(const float (&sum)[2]) const {
    const float back = kFp8 ? back_ : 1.0f;
    // Lanes 0, 9, 18, 27 of the diagonal have an even g and go on with the first row, 4, 13, 22, 31 an odd one, with the second.
    float whole = (odd() ? sum[1] : sum[0]) * back;
    whole += __shfl_xor_sync(0xffffffffu, (odd() ? sum[0] : sum[1]) * back, 4);
    whole += __shfl_xor_sync(0xffffffffu, whole, 9);
    whole += __shfl_xor_sync(0xffffffffu, whole, 18);
    return whole;
  }

 private:
  __device__ static bool odd() { return threadIdx.x & 4; }  // g

  template <int kRun>
  __device__ void add_run(int p, const uint4& first, const uint4& second, float (&sum)[4]) const {
    const unsigned* x = x_ + 4 * (p * Format::kRuns + kRun);
    unsigned a[4], b[4];
    pairs<kRun>(first, a);
    pairs<kRun>(second, b);
    if constexpr (kBf16) {
      mma_bf16(sum, a[0], b[0], a[1], b[1], x[0], x[1]);
      mma_bf16(sum, a[2], b[2], a[3], b[3], x[2], x[3]);
    } else {
      mma_fp16(sum, a[0], b[0], a[1], b[1], x[0], x[1]);
      mma_fp16(sum, a[2], b[2], a[3], b[3], x[2], x[3]);
    }
  }

  template <int kRun>
  __device__ static void pairs(const uint4& raw, unsigned (&p)[4]) {
    const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
    if constexpr (kInt4) {
      const unsigned upper = words[kRun] >> 8;
      p[0] = words[kRun] & 0x000f000fu, p[1] = words[kRun] & 0x00f000f0u;
      p[2] = upper & 0x000f000fu, p[3] = upper & 0x00f000f0u;
    } else if constexpr (kBf16) {
      p[0] = words[0], p[1] = words[1], p[2] = words[2], p[3] = words[3];
    } else {
      e4m3_to_fp16_pairs(words[2 * kRun], p[0], p[1]);
      e4m3_to_fp16_pairs(words[2 * kRun + 1], p[2], p[3]);
    }
  }

  unsigned x_[4 * Format::kRuns * kPieces];
  float back_;                 // of fp8
  GroupNotes notes_[kPieces];  // of four bits
};

}  // namespace fathom::cuda
