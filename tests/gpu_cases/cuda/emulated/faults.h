// What tests plant in the emulated device.
#pragma once

namespace fathom::emulated {

struct Faults {
  bool reads_miss_a_word = false, writes_miss_a_word = false, launches_are_lost = false;
};
inline Faults faults;

}  // namespace fathom::emulated
