#include "weights/int4_packing.h"

#include <algorithm>

#include "weights/slice_memory.h"

namespace fathom {

namespace {

// Of the word's eight nibbles, the one that holds output 8w + i.
std::int64_t nibble_of_output(Int4Packing packing, std::int64_t i) {
  if (packing != Int4Packing::kAwq) return i;
  return i % 2 == 0 ? i / 2 : 4 + i / 2;
}

unsigned nibble(std::uint32_t word, std::int64_t i) { return word >> (4 * i) & 15U; }

}  // namespace

unsigned PackedInt4::zero(std::int64_t row, std::int64_t group) const {
  const std::int64_t output = skipped + row;
  const unsigned stored = nibble(zeros[static_cast<std::size_t>(group * words_across() + output / 8)],
                                 nibble_of_output(packing, output % 8));
  return packing == Int4Packing::kGptq ? (stored + 1) & 15U : stored;  // 15 stands for -1, as its own kernels read it
}

unsigned PackedInt4::weight(std::int64_t row, std::int64_t col) const {
  if (packing != Int4Packing::kAwq) return nibble(weights[static_cast<std::size_t>(col / 8 * rows + row)], col % 8);
  const std::int64_t output = skipped + row;
  return nibble(weights[static_cast<std::size_t>(col * words_across() + output / 8)],
                nibble_of_output(packing, output % 8));
}

void repack(const PackedInt4& from, std::uint8_t* codes, std::uint16_t* scales, std::uint8_t* zeros) {
  const std::int64_t groups = from.cols / kBlock;
  std::fill_n(codes, from.rows * code_bytes(from.cols), std::uint8_t{0});
  if (zeros != nullptr) std::fill_n(zeros, from.rows * zero_bytes(from.cols), std::uint8_t{0});
  // Groups outside: each then reads its few rows of the file's arrays from end to end.
  for (std::int64_t g = 0; g < groups; ++g) {
    for (std::int64_t r = 0; r < from.rows; ++r) {
      std::uint8_t* group = codes + r * code_bytes(from.cols) + g * code_bytes(kBlock);
      for (std::int64_t c = 0; c < kBlock; ++c) put_four_bits(group, c, from.weight(r, g * kBlock + c));
      scales[r * groups + g] = from.scales[static_cast<std::size_t>(g * from.rows + r)];
      if (zeros != nullptr) put_zero(zeros + r * zero_bytes(from.cols), g, from.zero(r, g));
    }
  }
}

}  // namespace fathom
