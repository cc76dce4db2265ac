// Memory for one slice of a tensor in the host's storage, for a weight source to fill.
#pragma once

#include <string>
#include <vector>

#include "weights/weight_source.h"

namespace fathom {

inline constexpr std::int64_t kBlock = 128;  // tile of fp8 both ways, group of four-bit columns
inline std::int64_t blocks(std::int64_t size) { return (size + kBlock - 1) / kBlock; }  // started ones

// Why this slice cannot be held as its format says; empty when it can. Blocks are never cut along the inputs.
std::string unstorable(const TensorSlice& slice);
void check_storable(const std::vector<TensorSlice>& slices, const std::string& source);  // InputError

// Uninitialised, with the view set. Throw std::invalid_argument for an unstorable slice.
LoadedMatrix matrix_memory(const TensorSlice& slice, Account& account);
LoadedVector vector_memory(const TensorSlice& slice, Account& account);

// Four-bit groups (host/matrix.h): nibble j of 32-bit word i is column 16 j + i. `group` holds zeros before.
inline void put_four_bits(std::uint8_t* group, std::int64_t column, unsigned q) {
  const std::int64_t word = column % 16, nibble = column / 16;
  group[4 * word + nibble / 2] |= static_cast<std::uint8_t>(q << (4 * (nibble % 2)));
}
inline void put_zero(std::uint8_t* row_of_zeros, std::int64_t group, unsigned zero) {
  row_of_zeros[group / 2] |= static_cast<std::uint8_t>(zero << (4 * (group % 2)));
}

// Bytes of one row.
inline std::int64_t code_bytes(std::int64_t cols) { return cols / 2; }
inline std::int64_t zero_bytes(std::int64_t cols) { return (cols / kBlock + 1) / 2; }

}  // namespace fathom
