#include "simulate/request.h"

#include <algorithm>
#include <cmath>

namespace fathom {

LengthSource::LengthSource(const ServingLoad& load, const RequestTrace* trace, double longest, std::uint64_t seed)
    : load_(load), trace_(trace), longest_(std::clamp(longest, 2.0, 1e9)), input_(seed, 1), output_(seed, 2) {}

int LengthSource::draw(const RequestLengths& lengths, Random& random, double most) {
  double tokens = lengths.mean;
  if (lengths.sigma > 0) {
    const double mu = std::log(lengths.mean) - lengths.sigma * lengths.sigma / 2;
    tokens = std::exp(mu + lengths.sigma * random.normal());
  }
  return static_cast<int>(std::clamp(std::round(tokens), 1.0, std::max(1.0, most)));
}

// No request is longer than the model or the cache allow: the tail of a log-normal is cut there.
void LengthSource::fill(SimulatedRequest& request) {
  if (trace_ != nullptr) {
    request = trace_->requests[next_++ % trace_->requests.size()];
    return;
  }
  request.input = draw(load_.input, input_, longest_ - 1);
  request.output = draw(load_.output, output_, longest_ - request.input);
}

}  // namespace fathom
