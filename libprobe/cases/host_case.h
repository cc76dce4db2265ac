// What the cases of the host share: how long one point may take, who is measured with how many threads, and what a result
// carries from its samples.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/repeat.h"
#include "harness/result.h"
#include "system/system.h"

namespace fathom::probe {

struct HostRules {
  RepeatRules repeat;
  Bytes last_level_cache{};  // of the machine; 0: not known
  Bytes most_memory{};       // that a case may take
  std::vector<int> threads;  // to measure with, rising
};

// `work` of one run, in the result's unit times seconds, over each sample's time; with the protocol of a builtin case.
void fill(Result& result, double work, const Repeated& timed, const std::string& pattern, const std::string& cache);
// `body` is repeated while the clocks of the processor are watched.
Repeated repeat_watched(const HostRules& rules, const System& system, Result& result,
                        const std::function<void()>& body);

// So large that no cache holds it: four times the last-level cache (the rule of STREAM), 256 MiB at least, and never more than
// `most`. Below twice the cache there is nothing to be measured, which is said as 0.
Bytes beyond_cache(Bytes last_level_cache, Bytes most);
const char* cache_of(const HostRules& rules);  // what the protocol says of such buffers

}  // namespace fathom::probe
