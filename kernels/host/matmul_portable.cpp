// y = x W^T for any processor: four vectors of four lanes, which GCC and Clang map to SSE2, NEON or plain code. Product
// and sum round separately, so the last digits differ from those of the paths with fused multiply-adds.
#include "host/convert.h"
#include "host/matmul_blocks.h"
#include "host/matmul_paths.h"

namespace fathom::host {
namespace {

struct Lanes {
  static constexpr int kStreamUpTo = 4, kStreamRows = 2, kStreamTokens = 2, kBlockRows = 1, kBlockTokens = 2,
                       kTransposedTokens = 1;

  using Four = float __attribute__((vector_size(16)));
  Four v[4];

  static Lanes zero() { return {}; }
  static Lanes broadcast(float x) {
    const Four four = {x, x, x, x};
    return {{four, four, four, four}};
  }
  static Lanes load(const float* p) { return load(p, kLanes); }
  static Lanes load(const float* p, std::int64_t n) {
    Lanes result = {};
    std::memcpy(result.v, p, static_cast<std::size_t>(n) * sizeof(float));
    return result;
  }
  void store(float* p) const { std::memcpy(p, v, sizeof(v)); }
  static Lanes product(Lanes a, const Lanes& b) {
    for (int i = 0; i < 4; ++i) a.v[i] *= b.v[i];
    return a;
  }
  static Lanes fma(const Lanes& a, const Lanes& b, Lanes c) {
    for (int i = 0; i < 4; ++i) c.v[i] += a.v[i] * b.v[i];
    return c;
  }
  float sum() const {
    const Four four = (v[0] + v[2]) + (v[1] + v[3]);
    return (four[0] + four[2]) + (four[1] + four[3]);
  }

  static Lanes bf16(const std::uint16_t* p) { return bf16(p, kLanes); }
  static Lanes bf16(const std::uint16_t* p, std::int64_t n) {
    float values[kLanes] = {};
    for (std::int64_t i = 0; i < n; ++i) values[i] = from_bf16(p[i]);
    return load(values);
  }
  static Lanes e4m3_256th(const std::uint8_t* p) { return e4m3_256th(p, kLanes); }
  static Lanes e4m3_256th(const std::uint8_t* p, std::int64_t n) {
    float values[kLanes] = {};
    for (std::int64_t i = 0; i < n; ++i) values[i] = from_e4m3(p[i]) / 256;
    return load(values);
  }

  struct Nibbles {
    std::uint32_t words[kLanes];
    float table[16];

    Nibbles() = default;
    Nibbles(const std::uint8_t* codes, std::uint16_t fp16_scale, int zero) {
      std::memcpy(words, codes, sizeof(words));
      const float scale = from_fp16(fp16_scale);
      for (int q = 0; q < 16; ++q) table[q] = scale * static_cast<float>(q - zero);
    }
    Lanes weights(int j) const {
      float values[kLanes];
      for (int i = 0; i < kLanes; ++i) values[i] = table[words[i] >> (4 * j) & 15];
      return load(values);
    }
  };
};

}  // namespace

const MatmulPath kPortablePath = {"portable", multiply<Lanes>, multiply_transposed<Lanes>};

}  // namespace fathom::host
