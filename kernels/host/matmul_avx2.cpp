// y = x W^T with AVX2, FMA and F16C: x86 since Haswell (2013) and Zen (2017). Sixteen lanes are two registers.
#if defined(__x86_64__)

#include <immintrin.h>

#include "host/matmul_blocks.h"
#include "host/matmul_paths.h"

namespace fathom::host {
namespace {

struct Lanes {
  // 2 x 3 accumulators are 12 of 16 registers; 10 loads feed 12 multiply-adds.
  static constexpr int kStreamUpTo = 16, kStreamRows = 4, kStreamTokens = 2, kBlockRows = 2, kBlockTokens = 2,
                       kTransposedTokens = 1;

  __m256 low, high;

  static Lanes zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static Lanes broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static Lanes load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static Lanes load(const float* p, std::int64_t n) {
    float padded[16] = {};
    std::memcpy(padded, p, static_cast<std::size_t>(n) * sizeof(float));
    return load(padded);
  }
  void store(float* p) const {
    _mm256_storeu_ps(p, low);
    _mm256_storeu_ps(p + 8, high);
  }
  static Lanes product(Lanes a, Lanes b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
  static Lanes fma(Lanes a, Lanes b, Lanes c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }

  float sum() const {
    const __m256 eight = _mm256_add_ps(low, high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }

  static __m256 eight_bf16(const std::uint16_t* p) {
    const __m256i codes = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(codes, 16));
  }
  static Lanes bf16(const std::uint16_t* p) { return {eight_bf16(p), eight_bf16(p + 8)}; }
  static Lanes bf16(const std::uint16_t* p, std::int64_t n) {
    std::uint16_t padded[16] = {};
    std::memcpy(padded, p, static_cast<std::size_t>(n) * sizeof(std::uint16_t));
    return bf16(padded);
  }

  // As in matmul_avx512.cpp: E4M3's bits, moved, are an fp16 number of a 256th of the value.
  static Lanes e4m3_256th(const std::uint8_t* p) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m256i words = _mm256_and_si256(_mm256_slli_epi16(_mm256_cvtepi8_epi16(codes), 7),
                                           _mm256_set1_epi16(static_cast<short>(0xbfff)));
    return {_mm256_cvtph_ps(_mm256_castsi256_si128(words)), _mm256_cvtph_ps(_mm256_extracti128_si256(words, 1))};
  }
  static Lanes e4m3_256th(const std::uint8_t* p, std::int64_t n) {
    std::uint8_t padded[16] = {};
    std::memcpy(padded, p, static_cast<std::size_t>(n));
    return e4m3_256th(padded);
  }

  // scale * q - scale * zero: both products are exact, 11 bits times 4, and so is their difference.
  struct Nibbles {
    const std::uint8_t* codes;
    __m256 scale, offset;

    Nibbles() = default;
    Nibbles(const std::uint8_t* first, std::uint16_t fp16_scale, int zero)
        : codes(first),
          scale(_mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(fp16_scale)))),
          offset(_mm256_mul_ps(scale, _mm256_set1_ps(static_cast<float>(zero)))) {}

    __m256 eight_weights(const std::uint8_t* p, int j) const {
      const __m256i shifted = _mm256_srli_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), 4 * j);
      const __m256 q = _mm256_cvtepi32_ps(_mm256_and_si256(shifted, _mm256_set1_epi32(15)));
      return _mm256_fmsub_ps(q, scale, offset);
    }
    Lanes weights(int j) const { return {eight_weights(codes, j), eight_weights(codes + 32, j)}; }
  };
};

}  // namespace

const MatmulPath kAvx2Path = {"AVX2", multiply<Lanes>, multiply_transposed<Lanes>};

}  // namespace fathom::host

#endif
