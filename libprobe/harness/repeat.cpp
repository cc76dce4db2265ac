#include "harness/repeat.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "harness/statistics.h"

namespace fathom::probe {

namespace {

constexpr int kEnoughForAnInterval = 30;  // below, the interval of a median is nearly the whole range

bool settled(const std::vector<double>& seconds, double tolerance) {
  if (seconds.size() < kEnoughForAnInterval) return false;
  const Statistics now = statistics(seconds);
  return (now.high - now.low) / 2 <= tolerance * now.median;
}

}  // namespace

Now steady_clock() {
  return [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
}

namespace {

// Runs `run`, which returns what a run took, until it is warm; returns the last.
double warm(const RepeatRules& rules, const Now& now, const std::function<double()>& run, Repeated& out) {
  const double begin = now();
  double once = 0;
  do {
    once = run();
    ++out.warm_up_runs;
  } while (now() - begin < rules.warm_up.value);
  out.warm_up = Seconds(now() - begin);
  return once;
}

void take_samples(const RepeatRules& rules, const Now& now, const std::function<double()>& sample, Repeated& out) {
  const double last_start = now() + rules.budget.value;
  while (std::ssize(out.seconds) < rules.most) {
    if (std::ssize(out.seconds) >= rules.least && now() > last_start) break;
    out.seconds.push_back(sample());
    const bool look = out.seconds.size() % 10 == 0;  // an interval costs a sort
    if (look && std::ssize(out.seconds) >= rules.least && settled(out.seconds, rules.tolerance)) break;
  }
}

}  // namespace

Repeated repeat(const RepeatRules& rules, const Now& now, const std::function<void()>& body) {
  Repeated out;
  const auto time_of = [&](int runs) {
    const double before = now();
    for (int run = 0; run < runs; ++run) body();
    return (now() - before) / runs;
  };
  const double once = warm(
      rules, now, [&] { return time_of(1); }, out);
  const int runs = once > 0 ? std::max(1, static_cast<int>(std::ceil(rules.least_sample.value / once))) : 1000;
  take_samples(
      rules, now, [&] { return time_of(runs); }, out);
  return out;
}

Repeated repeat_samples(const RepeatRules& rules, const Now& now, const std::function<double()>& sample) {
  Repeated out;
  warm(rules, now, sample, out);
  take_samples(rules, now, sample, out);
  return out;
}

}  // namespace fathom::probe
