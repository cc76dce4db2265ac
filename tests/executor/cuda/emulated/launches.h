// What the emulated launchers share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "host/convert.h"

namespace fathom::emulated {

using Launches = std::vector<std::function<void()>>;

// Now, or when the graph that is being captured runs.
void launch(std::function<void()> kernel);
void must_not_be_captured();
// Of the emulated device; tests change them.
inline std::size_t free_bytes = std::size_t{8} << 30;
inline bool copies_lose_a_byte = false;  // those that are put into a stream
// Ends the program when a launcher's header does not allow the operands.
void demand(bool allowed, const char* what);

inline float wide(std::uint16_t code) { return host::from_bf16(code); }
inline std::uint16_t narrow(float value) { return host::to_bf16(value); }

}  // namespace fathom::emulated
