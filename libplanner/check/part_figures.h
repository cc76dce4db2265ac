// Whether a figure that somebody states of a part agrees with its data sheet: the tolerances, in one place for claims and bills.
#pragma once

#include <cmath>
#include <string>

#include "catalog/catalog.h"

namespace fathom {

// Sheets round; 2 % is more than rounding takes and less than one variant differs from the next.
inline constexpr double kSheetRounding = 0.02;

inline bool agrees(double stated, double known) { return std::abs(stated - known) <= kSheetRounding * known; }

// Makers write GB where they mean GiB.
inline bool memory_agrees(const Accelerator& a, Bytes stated) {
  return agrees(stated.value, a.memory.value.value) || agrees(stated.value / 1e9, a.memory.value.value / 0x1p30);
}

// A limit may be set below what the part takes, not above what it can be unlocked to.
inline bool power_agrees(const Fact<Watts>& known, Watts stated) {
  return stated <= known.high_or_value() * (1 + kSheetRounding) && stated >= known.low_or_value() * 0.5;
}

// Ports of a higher rate run lower ones, and of twice or four times the rate two or four of them (twin ports, break-out cables).
inline double ports_at(const Switch& device, BytesPerSecond rate) {
  double there = 0;
  for (const SwitchPorts& group : device.ports) {
    const double times = group.rate / (rate * (1 - 1e-9));
    there += times >= 4 ? 4 * group.count : times >= 2 ? 2 * group.count : times >= 1 ? group.count : 0;
  }
  return there;
}

std::string gigabits(BytesPerSecond rate);   // "200 Gb/s"
std::string ports_of(const Switch& device);  // "48 x 25 Gb/s and 6 x 100 Gb/s"
std::string power_of(const std::string& name,
                     const Fact<Watts>& known);  // "RTX 2080 Ti takes 250 W, unlocked up to 300 W"

}  // namespace fathom
