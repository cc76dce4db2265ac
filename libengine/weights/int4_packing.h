// Four-bit matrices as GPTQ and AWQ write them, into the host's layout (host/matrix.h).
//
// Both store the transpose, K inputs by N outputs, eight 4-bit numbers to an int32 with the first in the lowest bits:
//   GPTQ  qweight [K/8, N] along the inputs; qzeros [K/128, N/8] along the outputs, in the original format one less
//   AWQ   qweight [K, N/8] along the outputs, and qzeros likewise, outputs 8w + (0 2 4 6 1 3 5 7) to word w
//   both  scales fp16 [K/128, N]; W[n, k] = scale * (q - zero)
#pragma once

#include <cstdint>
#include <vector>

namespace fathom {

enum class Int4Packing { kGptq, kGptqV2, kAwq };

// The part of a file's arrays that makes up one slice.
struct PackedInt4 {
  Int4Packing packing = Int4Packing::kGptq;
  std::int64_t rows = 0, cols = 0;  // of the slice: outputs, inputs
  std::int64_t skipped = 0;         // outputs of the first word along the outputs that precede the slice: 0 to 7
  std::vector<std::uint32_t> weights = {};
  std::vector<std::uint32_t> zeros = {};
  std::vector<std::uint16_t> scales = {};

  std::int64_t words_across() const { return (skipped + rows + 7) / 8; }  // along the outputs
  unsigned zero(std::int64_t row, std::int64_t group) const;
  unsigned weight(std::int64_t row, std::int64_t col) const;
};

// Codes [rows][cols/2], scales [rows][cols/128]; zeros [rows][two per byte] unless null.
void repack(const PackedInt4& from, std::uint8_t* codes, std::uint16_t* scales, std::uint8_t* zeros);

}  // namespace fathom
