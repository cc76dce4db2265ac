#include "simulate/queue_growth.h"

#include <cmath>

namespace fathom {

namespace {
constexpr std::int64_t kSpans = 20;
constexpr double kCertain = 2.861;  // Student's t, 19 degrees of freedom: one time in 200 by chance
}  // namespace

QueueGrowth::QueueGrowth(std::int64_t arrivals) : span_(arrivals / kSpans) {}

void QueueGrowth::watch(std::int64_t length) {
  if (span_ > 0 && seen_++ % span_ == 0) lengths_.push_back(static_cast<double>(length));
}

// What the length changes by from span to span: t = mean / (deviation / sqrt(spans)). A queue in balance gives back in one
// span what it took in another: its changes are large against their sum.
bool QueueGrowth::grows() const {
  if (lengths_.size() < static_cast<std::size_t>(kSpans)) return false;
  const auto spans = static_cast<double>(lengths_.size() - 1);
  const double mean = (lengths_.back() - lengths_.front()) / spans;
  double squares = 0;
  for (std::size_t i = 1; i < lengths_.size(); ++i) {
    const double off = lengths_[i] - lengths_[i - 1] - mean;
    squares += off * off;
  }
  return mean > kCertain * std::sqrt(squares / (spans - 1) / spans);
}

}  // namespace fathom
