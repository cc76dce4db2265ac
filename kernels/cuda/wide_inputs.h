// Inputs of a product as linear_wide.cu takes them: in fp16, swizzled for the tensor cores, and in the order in which lanes hold weights.
//
// A group of 128 inputs is two columns of 64 (wgmma.cuh), of a row of 128 bytes for every token; rows are filled up to a multiple of
// eight, with whatever. Block b of 32 inputs has what block b of the weights in registers needs: word 4 i + t is the i-th
// pair of lane t's run of eight neighbours, Format::column() further down the same row of weights.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/linear.h"

namespace fathom::cuda {

inline constexpr int kWideGroup = 128;         // inputs
inline constexpr int kMostWideInputs = 32768;  // of a row

struct WideInputs {
  const std::uint16_t* x = nullptr;  // bf16 [tokens, cols]
  std::int64_t x_stride = 0, cols = 0;
  int tokens = 0;
  char* to = nullptr;  // as above, [groups][2][padded_rows(tokens)][128 bytes]
  float* back =
      nullptr;  // [tokens]: powers of two that undo what makes a token's inputs fit fp16; NaN if they are not finite

  static constexpr int padded_rows(int tokens) { return (tokens + 7) / 8 * 8; }
  static std::size_t bytes(int tokens, std::int64_t cols) {
    return static_cast<std::size_t>((cols + kWideGroup - 1) / kWideGroup) * kWideGroup * 2 * padded_rows(tokens);
  }
};
void arrange_inputs(const Launch& how, WeightFormat format, const WideInputs& op);  // fp8 or four bits

}  // namespace fathom::cuda
