// The next token of each row from its logits.
//
// Reference: sample_token() of libengine/executor/sampler.h. The random number is the same; sums are taken in another order, so that a
// draw within 1e-12 of the border between two tokens may fall to the other.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

struct Sample {
  int rows = 0;
  int vocabulary = 0;
  const float* logits = nullptr;  // [rows, logit_stride]
  std::int64_t logit_stride = 0;
  double temperature = 0;  // 0: the largest logit, ties to the lower number
  std::uint64_t seed = 0;
  const std::int32_t* request = nullptr;   // [rows], with a temperature
  const std::int64_t* position = nullptr;  // [rows], with a temperature
  std::int32_t* token = nullptr;           // [rows]
};

void sample(const Launch& how, const Sample& op);

}  // namespace fathom::cuda
