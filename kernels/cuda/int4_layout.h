// Four-bit weights as the GPU reads them, made from the host's layout (host/matrix.h).
//
// A group of 128 inputs is sixteen 32-bit words. Word 4 t + u holds inputs 32 u + 8 t + (0 .. 7): of these the even ones, 0 2 4 6, are
// nibbles 0 to 3, the odd ones nibbles 4 to 7, low first. So a lane's 16 bytes are four runs of eight neighbours, and a shift
// and a mask give two neighbours in the halves of a register. Scales and zeros are turned, [cols / 128][rows], so that those
// of sixteen rows lie side by side.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

// In place: `codes` holds rows * cols / 2 bytes.
void repack_int4_codes(const Launch& how, void* codes, std::int64_t rows, std::int64_t cols);
// fp16 [rows][cols / 128] to [cols / 128][rows]; the two do not overlap.
void turn_int4_scales(const Launch& how, const std::uint16_t* from, std::uint16_t* to, std::int64_t rows,
                      std::int64_t cols);
// Four bits each, two per byte, every row from a byte of its own, to uint8 [cols / 128][rows].
void turn_int4_zeros(const Launch& how, const std::uint8_t* from, std::uint8_t* to, std::int64_t rows,
                     std::int64_t cols);

}  // namespace fathom::cuda
