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

Repeated repeat(const RepeatRules& rules, const Now& now, const std::function<void()>& body) {
  Repeated out;
  const double begin = now();
  double end = begin, once = 0;
  do {
    const double before = end;
    body();
    end = now();
    once = end - before;
    ++out.warm_up_runs;
  } while (end - begin < rules.warm_up.value);
  out.warm_up = Seconds(end - begin);

  const int runs = once > 0 ? std::max(1, static_cast<int>(std::ceil(rules.least_sample.value / once))) : 1000;
  const double last_start = end + rules.budget.value;
  while (std::ssize(out.seconds) < rules.most) {
    const double before = now();
    if (std::ssize(out.seconds) >= rules.least && before > last_start) break;
    for (int run = 0; run < runs; ++run) body();
    out.seconds.push_back((now() - before) / runs);
    const bool look = out.seconds.size() % 10 == 0;  // an interval costs a sort
    if (look && std::ssize(out.seconds) >= rules.least && settled(out.seconds, rules.tolerance)) break;
  }
  return out;
}

}  // namespace fathom::probe
