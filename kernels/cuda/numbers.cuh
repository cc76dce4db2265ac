// Numbers in registers: bf16, e4m3 and four-bit codes to fp32 and to pairs of bf16, without the toolkit's heavy headers.
#pragma once

#include <cstdint>

namespace fathom::cuda {

__device__ inline float from_bf16(std::uint16_t code) { return __uint_as_float(static_cast<unsigned>(code) << 16); }
__device__ inline float low_bf16(unsigned pair) { return __uint_as_float(pair << 16); }
__device__ inline float high_bf16(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }

// Byte kByte of `word` as a number, by 2^23 + byte: conversions of integers go at a sixteenth of the pace.
template <int kByte>
__device__ inline float from_byte(unsigned word) {
  return __uint_as_float(__byte_perm(word, 0x4b000000u, 0x7440 + kByte)) - 8388608.0f;
}

// Nearest, ties to even.
__device__ inline unsigned to_bf16_pair(float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  const auto rounded = [](float x) -> unsigned {
    const unsigned bits = __float_as_uint(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  };
  return rounded(low) | rounded(high) << 16;
#endif
}
__device__ inline std::uint16_t to_bf16(float x) { return static_cast<std::uint16_t>(to_bf16_pair(x, 0)); }

// Nearest, ties to even.
__device__ inline unsigned to_fp16_pair(float low, float high) {
  unsigned pair = 0;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
#endif
  return pair;
}

__device__ inline float from_fp16(std::uint16_t code) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(code));
  return x;
}

// e4m3 without its two NaN codes. Exponent and mantissa land in bf16's places with bias 7; 2^120 makes it 127, and
// subnormals with it.
__device__ inline float from_e4m3(unsigned code) {
  return __uint_as_float((code & 0x80) << 24 | (code & 0x7f) << 20) * 0x1p120f;
}

// Both halves times `factor` plus `offset`; only kernels for 8.0 and later use it.
__device__ inline unsigned scaled_bf16_pair(unsigned pair, unsigned factor, unsigned offset) {
  unsigned result = 0;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(pair), "r"(factor), "r"(offset));
#endif
  return result;
}

// Bytes 0, 1 (or 2, 3) of `word` as a pair of bf16.
template <int kHalf>
__device__ inline unsigned e4m3_to_bf16_pair(unsigned word) {
  const unsigned spread = __byte_perm(word, 0, kHalf == 0 ? 0x1404 : 0x3424);  // a code in the high byte of each half
  const unsigned pair = (spread & 0x80008000u) | (spread >> 4 & 0x07f007f0u);
  return scaled_bf16_pair(pair, 0x7b807b80u /* 2^120 */, 0x80008000u /* -0 */);
}

// word & mask | bits. As two operations of C++ with constants it becomes two instructions, because only one may carry a constant.
__device__ inline unsigned masked_or(unsigned word, unsigned mask, unsigned bits) {
  unsigned result;
  asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(result) : "r"(word), "r"(mask), "r"(bits));
  return result;
}

// Compute capability 8.9 and later convert two codes in one instruction: bytes 0, 1 to `low`, 2, 3 to `high`, as pairs of fp16.
__device__ inline void e4m3_to_fp16_pairs(unsigned word, unsigned& low, unsigned& high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
  asm("{\n"
      ".reg .b16 first, second;\n"
      "mov.b32 {first, second}, %2;\n"
      "cvt.rn.f16x2.e4m3x2 %0, first;\n"
      "cvt.rn.f16x2.e4m3x2 %1, second;\n"
      "}\n"
      : "=r"(low), "=r"(high)
      : "r"(word));
#endif
}

// Nibbles s and s + 4 of `word` as bf16, with `minus_bias` = -(128 + zero) in both halves: 0x4300 | q is 128 + q in bf16, so
// the difference is exact.
template <int kStep>
__device__ inline unsigned int4_to_bf16_pair(unsigned word, unsigned minus_bias) {
  const unsigned pair = masked_or(word >> (4 * kStep), 0x000f000fu, 0x43004300u);
  return scaled_bf16_pair(pair, 0x3f803f80u /* 1 */, minus_bias);
}

// Its eight nibbles, first those of int4_layout.h's even and odd inputs, minus `zero`, as pairs of fp16. 0x6400 | q is 1024 + q, and
// with q four bits further up 1024 + 16 q, so that one shift serves four pairs; differences are exact.
__device__ inline void int4_to_fp16_pairs(unsigned word, unsigned zero, unsigned (&pairs)[4]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  constexpr unsigned kOne = 0x3c003c00u, kSixteenth = 0x2c002c00u, kBase = 0x64006400u;
  const unsigned both = zero | zero << 16, minus_low = 0xe400e400u | both, minus_high = 0xd400d400u | both << 4;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const unsigned wide = masked_or(i < 2 ? word : word >> 8, i % 2 == 0 ? 0x000f000fu : 0x00f000f0u, kBase);
    asm("fma.rn.f16x2 %0, %1, %2, %3;"
        : "=r"(pairs[i])
        : "r"(wide), "r"(i % 2 == 0 ? kOne : kSixteenth), "r"(i % 2 == 0 ? minus_low : minus_high));
  }
#endif
}

// Powers of two that bring numbers of this magnitude and less below 2^15, where fp16 has them, and back. `largest` is a float's
// bits, in whose order NaN comes last; `back` is NaN if it is not finite.
struct Fp16Range {
  float there, back;
};
__device__ inline Fp16Range fp16_range(unsigned largest) {
  constexpr int kMost = 14;
  const int exponent = max(static_cast<int>(largest >> 23), kMost + 1);
  if (exponent >= 255) return {0.0f, __uint_as_float(0x7fc00000u)};
  return {__uint_as_float(static_cast<unsigned>(min(254 + kMost - exponent, 254)) << 23),
          __uint_as_float(static_cast<unsigned>(exponent - kMost) << 23)};
}
// The larger magnitude of a pair of bf16, as a float's bits.
__device__ inline unsigned magnitude(unsigned pair) { return max(pair << 16 & 0x7fffffffu, pair & 0x7fffffffu); }

__device__ inline float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ inline float silu(float x) { return x / (1 + __expf(-x)); }

}  // namespace fathom::cuda
