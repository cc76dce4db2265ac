#include "cache/kv_cache.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "host/convert.h"
#include "host/vector_math.h"

namespace fathom {

namespace {

constexpr int kScaleGroup = 128;

int scale_groups(const CacheShape& s) { return (s.latent_values + kScaleGroup - 1) / kScaleGroup; }

void store_bf16(const float* from, int count, std::byte* to) {
  for (int i = 0; i < count; ++i) {
    const std::uint16_t bits = host::to_bf16(from[i]);
    std::memcpy(to + 2 * i, &bits, 2);
  }
}

void load_bf16(const std::byte* from, int count, float* to) {
  host::widen_bf16(reinterpret_cast<const std::uint16_t*>(from), count, to);  // rows have even sizes: aligned
}

void store_fp8(const float* from, int count, float scale, std::byte* to) {
  for (int i = 0; i < count; ++i) to[i] = static_cast<std::byte>(host::to_e4m3(from[i] / scale));
}

void load_fp8(const std::byte* from, int count, float scale, float* to) {
  for (int i = 0; i < count; ++i) to[i] = host::from_e4m3(static_cast<std::uint8_t>(from[i])) * scale;
}

// Latent codes, scales, rotary key.
void store_latent(const CacheShape& s, const float* from, std::byte* to) {
  std::byte* scales = to + s.latent_values;
  for (int g = 0; g < scale_groups(s); ++g) {
    const int first = g * kScaleGroup, count = std::min(kScaleGroup, s.latent_values - first);
    float largest = 1e-4f;  // DeepSeek's clamp: no division by zero
    for (int i = 0; i < count; ++i) largest = std::max(largest, std::abs(from[first + i]));
    const float scale = largest / 448;  // the largest e4m3 number
    std::memcpy(scales + 4 * g, &scale, 4);
    store_fp8(from + first, count, scale, to + first);
  }
  store_bf16(from + s.latent_values, s.row_values - s.latent_values, scales + 4 * scale_groups(s));
}

void load_latent(const CacheShape& s, const std::byte* from, float* to) {
  const std::byte* scales = from + s.latent_values;
  for (int g = 0; g < scale_groups(s); ++g) {
    const int first = g * kScaleGroup, count = std::min(kScaleGroup, s.latent_values - first);
    float scale;
    std::memcpy(&scale, scales + 4 * g, 4);
    load_fp8(from + first, count, scale, to + first);
  }
  load_bf16(scales + 4 * scale_groups(s), s.row_values - s.latent_values, to + s.latent_values);
}

}  // namespace

std::size_t CacheShape::row_bytes() const {
  const std::size_t values = row_values;
  if (format == CacheFormat::kFp32) return 4 * values;
  if (format == CacheFormat::kBf16) return 2 * values;
  if (latent_values == 0) return values;
  return latent_values + 4 * static_cast<std::size_t>(scale_groups(*this)) + 2 * (values - latent_values);
}

KvCache::KvCache(const CacheShape& shape, std::int64_t blocks, Account& account)
    : shape_(shape),
      tables_(blocks),
      memory_(account, Purpose::kKvCache, shape.row_bytes() * kBlockTokens * blocks * shape.layers) {}

std::byte* KvCache::row(int layer, int sequence, std::int64_t position) const {
  const std::int64_t block = tables_.of(sequence)[position / kBlockTokens];
  const std::int64_t index = (layer * tables_.blocks() + block) * kBlockTokens + position % kBlockTokens;
  return memory_.data() + index * static_cast<std::int64_t>(shape_.row_bytes());
}

void KvCache::write(int layer, int sequence, std::int64_t position, const float* values) {
  std::byte* to = row(layer, sequence, position);
  if (shape_.format == CacheFormat::kFp32) {
    std::memcpy(to, values, 4 * static_cast<std::size_t>(shape_.row_values));
  } else if (shape_.format == CacheFormat::kBf16) {
    store_bf16(values, shape_.row_values, to);
  } else if (shape_.latent_values > 0) {
    store_latent(shape_, values, to);
  } else {
    store_fp8(values, shape_.row_values, 1, to);
  }
}

void KvCache::read(int layer, int sequence, std::int64_t first, std::int64_t count, float* rows) const {
  const int n = shape_.row_values;
  if (shape_.format != CacheFormat::kFp8 || shape_.latent_values == 0) {
    return read_part(layer, sequence, first, count, 0, n, rows);
  }
  for (std::int64_t i = 0; i < count; ++i) load_latent(shape_, row(layer, sequence, first + i), rows + i * n);
}

void KvCache::read_part(int layer, int sequence, std::int64_t first, std::int64_t count, int value, int values,
                        float* rows) const {
  const std::byte* from = nullptr;
  const std::size_t row_bytes = shape_.row_bytes();
  for (std::int64_t i = 0; i < count; ++i) {
    from = i == 0 || (first + i) % kBlockTokens == 0 ? row(layer, sequence, first + i) : from + row_bytes;
    float* to = rows + i * values;
    if (shape_.format == CacheFormat::kFp32) {
      std::memcpy(to, from + 4 * value, 4 * static_cast<std::size_t>(values));
    } else if (shape_.format == CacheFormat::kBf16) {
      load_bf16(from + 2 * value, values, to);
    } else {
      load_fp8(from + value, values, 1, to);
    }
  }
}

// One block of rows, made once and copied everywhere: what a step costs does not depend on the values.
void KvCache::fill(int sequence, std::int64_t tokens, std::uint64_t seed) {
  std::vector<float> values(shape_.row_values);
  std::uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  const std::int64_t made = std::min<std::int64_t>(tokens, kBlockTokens);
  for (std::int64_t p = 0; p < made; ++p) {
    for (float& v : values) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;  // xorshift64 (Marsaglia)
      v = static_cast<float>(static_cast<std::int32_t>(state >> 32)) * 0x1p-31f;
    }
    write(0, sequence, p, values.data());
  }
  for (int layer = 0; layer < shape_.layers; ++layer) {
    for (std::int64_t first = layer == 0 ? kBlockTokens : 0; first < tokens; first += kBlockTokens) {
      const std::int64_t count = std::min<std::int64_t>(kBlockTokens, tokens - first);
      std::memcpy(row(layer, sequence, first), row(0, sequence, 0), shape_.row_bytes() * count);
    }
  }
}

}  // namespace fathom
