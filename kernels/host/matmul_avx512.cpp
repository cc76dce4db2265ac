// y = x W^T with AVX-512 F, BW, VL and DQ, which Skylake servers (2017) and Zen 4 (2022) share. Arithmetic is fp32: the
// dot-product instructions of later processors round otherwise.
#if defined(__x86_64__)

// GCC 12 sees its own _mm512_undefined_ps() as a mistake (GCC bug 105593); Clang does not know that warning.
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include <immintrin.h>

#include "host/matmul_blocks.h"
#include "host/matmul_paths.h"

namespace fathom::host {
namespace {

struct Lanes {
  // 4 x 6 accumulators, 4 weights and an input are 29 of 32 registers; 10 loads feed 24 multiply-adds.
  static constexpr int kStreamUpTo = 128, kStreamRows = 4, kStreamTokens = 6, kBlockRows = 4, kBlockTokens = 6,
                       kTransposedTokens = 4;

  __m512 v;

  static __mmask16 first(std::int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }

  static Lanes zero() { return {_mm512_setzero_ps()}; }
  static Lanes broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static Lanes load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Lanes load(const float* p, std::int64_t n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  static Lanes product(Lanes a, Lanes b) { return {_mm512_mul_ps(a.v, b.v)}; }
  static Lanes fma(Lanes a, Lanes b, Lanes c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }

  float sum() const {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }

  static Lanes from_bf16(__m256i codes) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(codes), 16))};
  }
  static Lanes bf16(const std::uint16_t* p) {
    return from_bf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Lanes bf16(const std::uint16_t* p, std::int64_t n) { return from_bf16(_mm256_maskz_loadu_epi16(first(n), p)); }

  // seee emmm with its sign spread over the upper byte, shifted left by 7, is sSee eemm m000 0000: without the second
  // sign an fp16 number whose bias is 8 more than E4M3's.
  static Lanes from_e4m3(__m128i codes) {
    const __m256i words = _mm256_slli_epi16(_mm256_cvtepi8_epi16(codes), 7);
    return {_mm512_cvtph_ps(_mm256_and_si256(words, _mm256_set1_epi16(static_cast<short>(0xbfff))))};
  }
  static Lanes e4m3_256th(const std::uint8_t* p) {
    return from_e4m3(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Lanes e4m3_256th(const std::uint8_t* p, std::int64_t n) {
    return from_e4m3(_mm_maskz_loadu_epi8(first(n), p));
  }

  // The permute looks at the low four bits of a lane only, so a shift is all that unpacking takes.
  struct Nibbles {
    __m512i words;
    __m512 table;

    Nibbles() = default;
    Nibbles(const std::uint8_t* codes, std::uint16_t fp16_scale, int zero)
        : words(_mm512_loadu_si512(codes)),
          table(_mm512_mul_ps(_mm512_sub_ps(_mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                            _mm512_set1_ps(static_cast<float>(zero))),
                              _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(fp16_scale))))) {}

    Lanes weights(int j) const {
      return {_mm512_permutexvar_ps(_mm512_srli_epi32(words, static_cast<unsigned>(4 * j)), table)};
    }
  };
};

}  // namespace

const MatmulPath kAvx512Path = {"AVX-512", multiply<Lanes>, multiply_transposed<Lanes>};

}  // namespace fathom::host

#endif
