// Sixteen bytes of weights times the inputs that belong to them, which a lane keeps in registers (linear_rows.cuh).
//
// Piece q of a row holds inputs piece_column(q, run) to + 7 of each run. A group is 128 inputs: four pieces of int4, eight of fp8.
#pragma once

#include "cuda/linear_arguments.cuh"
#include "cuda/linear_formats.cuh"

namespace fathom::cuda {

template <class Format>
__device__ inline int piece_column(int piece, int run) {
  return piece / 4 * (32 * Format::kRuns) + Format::column(piece % 4, run);
}

// The group's scale and zero, ready to use.
struct RowScale {
  float scale = 1;
  int zero = 8;
};

template <class Format>
class RowInputs;

template <>
class RowInputs<Bf16Rows> {
 public:
  static constexpr int kGroupPieces = 1;
  __device__ void read(const std::uint16_t* x, int piece, bool there) {
    uint4 raw = {0, 0, 0, 0};
    if (there) raw = *reinterpret_cast<const uint4*>(x + piece_column<Bf16Rows>(piece, 0));
    Bf16Rows::widen(raw, 0, 0, x_);
  }
  __device__ float dot(const uint4& raw, const RowScale&, float sum) const {
    float w[8];
    Bf16Rows::widen(raw, 0, 0, w);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum = fmaf(w[i], x_[i], sum);
    return sum;
  }

 private:
  float x_[8];
};

template <>
class RowInputs<Fp8Rows> {
 public:
  static constexpr int kGroupPieces = 8;
  __device__ void read(const std::uint16_t* x, int piece, bool there) {
#pragma unroll
    for (int run = 0; run < 2; ++run) {
      uint4 raw = {0, 0, 0, 0};
      if (there) raw = *reinterpret_cast<const uint4*>(x + piece_column<Fp8Rows>(piece, run));
      Bf16Rows::widen(raw, 0, 0, x_[run]);
    }
  }
  __device__ float dot(const uint4& raw, const RowScale& s, float sum) const {
    const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
    float part[2] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const unsigned pair = e4m3_to_fp16_pair(words[i] >> (16 * half));
        const float* x = x_[i / 2] + 4 * (i % 2) + 2 * half;
        part[0] = fmaf(from_fp16(static_cast<std::uint16_t>(pair)), x[0], part[0]);
        part[1] = fmaf(from_fp16(static_cast<std::uint16_t>(pair >> 16)), x[1], part[1]);
      }
    }
    return fmaf(s.scale, part[0] + part[1], sum);
  }

 private:
  float x_[2][8];
};

// x in fixed point of kBits bits times a power of two, as three signed bytes: products and sums are integers and exact, and four
// bits become bytes with a quarter of the work that they take to become floating point.
template <>
class RowInputs<Int4Rows> {
 public:
  static constexpr int kGroupPieces = 4;
  __device__ void read(const std::uint16_t* x, int piece, bool there) {
    float wide[4][8];
    unsigned largest = 0;  // magnitude as bits, in whose order NaN comes last
#pragma unroll
    for (int run = 0; run < 4; ++run) {
      uint4 raw = {0, 0, 0, 0};
      if (there) raw = *reinterpret_cast<const uint4*>(x + piece_column<Int4Rows>(piece, run));
      Bf16Rows::widen(raw, 0, 0, wide[run]);
#pragma unroll
      for (float v : wide[run]) largest = max(largest, __float_as_uint(v) & 0x7fffffffu);
    }
    // |x| * factor < 2^kBits; what is not finite makes the result NaN.
    const int exponent = max(static_cast<int>(largest >> 23), kBits);
    const float factor = exponent == 255 ? 0.0f : __uint_as_float(static_cast<unsigned>(253 + kBits - exponent) << 23);
    back_ = exponent == 255 ? __uint_as_float(0x7fc00000u)
                            : __uint_as_float(static_cast<unsigned>(exponent - kBits + 1) << 23);
    all_ = 0;
#pragma unroll
    for (int run = 0; run < 4; ++run) {
#pragma unroll
      for (int b = 0; b < kBytes; ++b) bytes_[run][b][0] = bytes_[run][b][1] = 0;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        int rest = __float2int_rn(wide[run][input_of(i)] * factor);
        all_ += rest;
#pragma unroll
        for (int b = 0; b < kBytes; ++b) {
          const int byte = static_cast<std::int8_t>(rest);
          rest = (rest - byte) >> 8;
          bytes_[run][b][i / 4] |= (byte & 0xffu) << (8 * (i % 4));
        }
      }
    }
  }
  __device__ float dot(const uint4& raw, const RowScale& s, float sum) const {
    const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
    int parts[kBytes] = {};
#pragma unroll
    for (int run = 0; run < 4; ++run) {
      const unsigned low = words[run] & 0x0f0f0f0fu, high = words[run] >> 4 & 0x0f0f0f0fu;
#pragma unroll
      for (int b = 0; b < kBytes; ++b) {
        parts[b] = dot_bytes(low, bytes_[run][b][0], parts[b]);
        parts[b] = dot_bytes(high, bytes_[run][b][1], parts[b]);
      }
    }
    const int whole = ((parts[2] * 256 + parts[1]) * 256 + parts[0]) - s.zero * all_;
    return fmaf(s.scale * back_, static_cast<float>(whole), sum);
  }

 private:
  static constexpr int kBytes = 3;
  static constexpr int kBits = 21;  // 32 of them, times 15, fit an int

  // Low nibbles of a word hold inputs 0, 4, 1, 5, high ones 2, 6, 3, 7 (int4_layout.h).
  __device__ static constexpr int input_of(int i) { return i % 2 * 4 + i / 2 % 2 + i / 4 * 2; }
  __device__ static int dot_bytes(unsigned codes, unsigned x, int sum) {
    asm("dp4a.u32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(codes), "r"(x));
    return sum;
  }

  unsigned bytes_[4][kBytes][2];
  int all_;     // sum of the fixed-point inputs
  float back_;  // what one of their steps stands for
};

}  // namespace fathom::cuda
