// Sixteen bytes of weights times the inputs that belong to them, which a lane keeps in registers (linear_rows.cu).
#pragma once

#include "cuda/linear_arguments.cuh"
#include "cuda/linear_formats.cuh"

namespace fathom::cuda {

template <class Format>
class RowInputs;

template <>
class RowInputs<Bf16Rows> {
 public:
  __device__ void read(const std::uint16_t* x, int piece, bool there) {
    uint4 raw = {0, 0, 0, 0};
    if (there) raw = *reinterpret_cast<const uint4*>(x + 8 * piece);
    Bf16Rows::widen(raw, 0, 0, x_);
  }
  __device__ float dot(const uint4& raw, float sum) const {
    float w[8];
    Bf16Rows::widen(raw, 0, 0, w);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum = fmaf(w[i], x_[i], sum);
    return sum;
  }

 private:
  float x_[8];
};

// x in fixed point of kBits bits times a power of two, in three bytes of which the highest has the sign: products and sums are
// integers and exact, and four bits become bytes with a quarter of the work that they take to become floating point. A lane's
// 32 inputs are of one group of 128, and so have one scale.
template <>
class RowInputs<Int4Rows> {
 public:
  __device__ void read(const std::uint16_t* x, int piece, bool there) {
    float wide[4][8];
    unsigned largest = 0;  // magnitude as bits, in whose order NaN comes last
#pragma unroll
    for (int run = 0; run < 4; ++run) {
      uint4 raw = {0, 0, 0, 0};
      if (there) raw = *reinterpret_cast<const uint4*>(x + piece / 4 * 128 + Int4Rows::column(piece % 4, run));
      Bf16Rows::widen(raw, 0, 0, wide[run]);
#pragma unroll
      for (float v : wide[run]) largest = max(largest, __float_as_uint(v) & 0x7fffffffu);
    }
    // |x| * factor < 2^kBits; what is not finite makes the result NaN.
    const int exponent = max(static_cast<int>(largest >> 23), kBits);
    const bool finite = exponent < 255;
    const float factor = finite ? __uint_as_float(static_cast<unsigned>(253 + kBits - exponent) << 23) : 0.0f;
    back_ = __uint_as_float(finite ? static_cast<unsigned>(exponent - kBits + 1) << 23 : 0x7fc00000u);
    all_ = 0;
#pragma unroll
    for (int run = 0; run < 4; ++run) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int fixed[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          constexpr float kWhole = 0x1.8p23f;  // added, it leaves the nearest integer in the low bits
          const float shifted = fmaf(wide[run][input_of(4 * half + i)], factor, kWhole);
          fixed[i] = static_cast<int>(__float_as_uint(shifted)) - static_cast<int>(0x4b400000u);
          all_ += fixed[i];
        }
        // Byte b of each of the four.
        const unsigned low01 = __byte_perm(fixed[0], fixed[1], 0x5140), low23 = __byte_perm(fixed[2], fixed[3], 0x5140);
        const unsigned high01 = __byte_perm(fixed[0], fixed[1], 0x0062),
                       high23 = __byte_perm(fixed[2], fixed[3], 0x0062);
        bytes_[run][half][0] = __byte_perm(low01, low23, 0x5410);
        bytes_[run][half][1] = __byte_perm(low01, low23, 0x7632);
        bytes_[run][half][2] = __byte_perm(high01, high23, 0x5410);
      }
    }
  }
  __device__ float dot(const uint4& raw, float scale, int zero, float sum) const {
    const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
    unsigned low = 0, middle = 0;
    int high = 0;
#pragma unroll
    for (int run = 0; run < 4; ++run) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const unsigned codes = words[run] >> (4 * half) & 0x0f0f0f0fu, *x = bytes_[run][half];
        asm("dp4a.u32.u32 %0, %1, %2, %0;" : "+r"(low) : "r"(codes), "r"(x[0]));
        asm("dp4a.u32.u32 %0, %1, %2, %0;" : "+r"(middle) : "r"(codes), "r"(x[1]));
        asm("dp4a.u32.s32 %0, %1, %2, %0;" : "+r"(high) : "r"(codes), "r"(x[2]));
      }
    }
    const int whole = (high * 256 + static_cast<int>(middle)) * 256 + static_cast<int>(low) - zero * all_;
    return fmaf(scale * back_, static_cast<float>(whole), sum);
  }

 private:
  static constexpr int kBits = 21;  // 32 of them, times 15, fit an int

  // Low nibbles of a word hold inputs 0, 4, 1, 5, high ones 2, 6, 3, 7 (int4_layout.h).
  __device__ static constexpr int input_of(int i) { return i % 2 * 4 + i / 2 % 2 + i / 4 * 2; }

  unsigned bytes_[4][2][3];  // [run][nibbles][byte]
  int all_;                  // sum of the fixed-point inputs
  float back_;               // what one of their steps stands for
};

}  // namespace fathom::cuda
