// Rotary position embedding of one head of one token, in place.
#pragma once

#include <cstdint>

namespace fathom::host {

enum class RopePairs {
  kHalves,      // (i, i + dims/2): Llama, Qwen, Mixtral
  kInterleaved  // (2i, 2i + 1): DeepSeek, whose weights are laid out for it
};

// cosine and sine hold dims/2 values for this position.
inline void rotate(float* x, std::int64_t dims, RopePairs pairs, const float* cosine, const float* sine) {
  const std::int64_t half = dims / 2;
  for (std::int64_t i = 0; i < half; ++i) {
    float& a = pairs == RopePairs::kHalves ? x[i] : x[2 * i];
    float& b = pairs == RopePairs::kHalves ? x[i + half] : x[2 * i + 1];
    const float first = a * cosine[i] - b * sine[i];
    b = b * cosine[i] + a * sine[i];
    a = first;
  }
}

}  // namespace fathom::host
