#include "check/part_figures.h"

#include <fmt/format.h>

#include <vector>

#include "units/number.h"
#include "units/text.h"

namespace fathom {

std::string gigabits(BytesPerSecond rate) { return fmt::format("{:g} Gb/s", rate.value * 8 / 1e9); }

std::string ports_of(const Switch& device) {
  std::vector<std::string> groups;
  for (const SwitchPorts& ports : device.ports)
    groups.push_back(fmt::format("{} x {}", ports.count, gigabits(ports.rate)));
  return listed(groups, " and ");
}

std::string power_of(const std::string& name, const Fact<Watts>& known) {
  return known.high
             ? fmt::format("{} takes {}, unlocked up to {}", name, to_string(known.value), to_string(*known.high))
             : fmt::format("{} takes {}", name, to_string(known.value));
}

}  // namespace fathom
