// The next token from logits.
#pragma once

#include <cstdint>

#include "executor/executor.h"

namespace fathom {

// Greedy: the largest logit, ties to the lower number. With a temperature: one draw from softmax(logits / temperature) by
// a random number that depends on (seed, request, position) only, so neither batching nor sharding changes it.
int sample_token(const float* logits, int vocabulary, const Sampling& sampling, int request, std::int64_t position);

}  // namespace fathom
