// Random bits on the device: (random & mask) | base in every 16-bit word.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fathom::cuda {

void fill_random(void* to, std::size_t bytes, std::uint16_t mask, std::uint16_t base);

}  // namespace fathom::cuda
