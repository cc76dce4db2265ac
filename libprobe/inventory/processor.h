// The processor, its caches and its memory as the kernel tells them.
#pragma once

#include <optional>
#include <vector>

#include "record/machine_record.h"
#include "system/system.h"

namespace fathom::probe {

Processor find_processor(const System& system);
std::vector<NumaNode> find_numa(const System& system);

// Of /proc/meminfo: "MemTotal", "MemAvailable". In a virtual machine the total is a lower bound: it may grow when touched.
std::optional<Bytes> memory_figure(const System& system, const std::string& key);
std::optional<Bytes> memory_limit(const System& system);  // of this process's group; absent: none, or not told
Bytes free_memory(const System& system);                  // that this process may still take; 0 when nothing tells

// The clocks that the processors run at just now, lowest and highest; absent where the kernel does not tell.
struct ClockRange {
  std::optional<Hertz> low, high;
};
ClockRange clocks_now(const System& system);

}  // namespace fathom::probe
