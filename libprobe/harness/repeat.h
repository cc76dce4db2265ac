// A body run again and again until its median is known well enough or the time is up.
#pragma once

#include <functional>
#include <vector>

#include "units/quantity.h"

namespace fathom::probe {

struct RepeatRules {
  int least = 7;  // samples, whatever they take
  int most = 2000;
  Seconds budget = Seconds(0.3);         // after which no sample is begun; the least are taken all the same
  Seconds warm_up = Seconds(0.05);       // the body runs at least once and at least so long before the first sample
  Seconds least_sample = Seconds(2e-4);  // a sample is so many runs that it takes at least this: clocks tick
  double tolerance = 0.005;              // half the interval of the median over the median
};

struct Repeated {
  std::vector<double> seconds;  // of one run, sample by sample
  int warm_up_runs = 0;
  Seconds warm_up{};
};

using Now = std::function<double()>;  // seconds of a clock that never goes back
Now steady_clock();

Repeated repeat(const RepeatRules& rules, const Now& now, const std::function<void()>& body);
// The same where a sample times itself, as on a device with a clock of its own: `sample` returns the seconds of one run.
Repeated repeat_samples(const RepeatRules& rules, const Now& now, const std::function<double()>& sample);

}  // namespace fathom::probe
