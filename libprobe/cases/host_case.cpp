#include "cases/host_case.h"

#include <algorithm>

#include "inventory/processor.h"

namespace fathom::probe {

void fill(Result& result, double work, const Repeated& timed, const std::string& pattern, const std::string& cache) {
  std::vector<double> rates;
  for (double seconds : timed.seconds) rates.push_back(seconds > 0 ? work / seconds : 0);
  sum_up(result, rates);
  result.protocol.engine = "builtin";
  result.protocol.pattern = pattern;
  result.protocol.cache = cache;
  result.protocol.launch = "threads";
  result.protocol.warm_up_runs = timed.warm_up_runs;
  result.protocol.warm_up = timed.warm_up;
}

Repeated repeat_watched(const HostRules& rules, const System& system, Result& result,
                        const std::function<void()>& body) {
  body();  // so that the clocks are those under load
  const ClockRange before = clocks_now(system);
  Repeated timed = repeat(rules.repeat, steady_clock(), body);
  const ClockRange after = clocks_now(system);
  if (before.high && after.high) {
    result.protocol.clock_low = std::min(*before.low, *after.low);
    result.protocol.clock_high = std::max(*before.high, *after.high);
  }
  return timed;
}

Bytes beyond_cache(Bytes last_level_cache, Bytes most) {
  const Bytes wanted = std::max(last_level_cache * 4, Bytes(256.0 * 1048576));
  const Bytes size = std::min(wanted, most);
  return size < last_level_cache * 2 ? Bytes(0) : size;
}

const char* cache_of(const HostRules& rules) {
  return rules.last_level_cache > Bytes(0) ? "beyond LLC" : "LLC of unknown size";
}

}  // namespace fathom::probe
