// Angles of rotary position embedding: plain, Llama 3 scaling, YaRN.
#pragma once

#include <cstdint>
#include <vector>

#include "host/rope.h"
#include "model/architecture.h"

namespace fathom {

struct RopeFrequencies {
  int dims = 0;                 // rotated values per head
  std::vector<double> inverse;  // dims/2: radians per position
  double magnitude = 1;         // multiplies cosine and sine (YaRN's mscale over mscale_all_dim)
  host::RopePairs pairs = host::RopePairs::kHalves;

  // cosine and sine of one position, dims/2 values each.
  void angles(std::int64_t position, float* cosine, float* sine) const;
};

// Throws std::invalid_argument for a scaling type that this engine does not know.
RopeFrequencies rope_frequencies(const Architecture& architecture);

// What scores are multiplied by: 1/sqrt(head size), for YaRN with mscale_all_dim times its square (DeepSeek).
double attention_scale(const Architecture& architecture);

}  // namespace fathom
