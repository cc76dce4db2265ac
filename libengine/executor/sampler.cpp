#include "executor/sampler.h"

#include <algorithm>
#include <cmath>

namespace fathom {

namespace {

// The finaliser of MurmurHash3 (Appleby): every output bit depends on every input bit.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
  return x ^ (x >> 33);
}

double uniform(std::uint64_t seed, int request, std::int64_t position) {
  const std::uint64_t bits =
      mix(mix(mix(seed + 1) ^ static_cast<std::uint64_t>(request)) + static_cast<std::uint64_t>(position));
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace

int sample_token(const float* logits, int vocabulary, const Sampling& sampling, int request, std::int64_t position) {
  const int best = static_cast<int>(std::max_element(logits, logits + vocabulary) - logits);
  if (sampling.temperature <= 0) return best;
  double sum = 0;
  for (int i = 0; i < vocabulary; ++i) sum += std::exp((logits[i] - logits[best]) / sampling.temperature);
  double left = uniform(sampling.seed, request, position) * sum;
  for (int i = 0; i < vocabulary; ++i) {
    left -= std::exp((logits[i] - logits[best]) / sampling.temperature);
    if (left < 0) return i;
  }
  return best;
}

}  // namespace fathom
