// y[t, h] = W[h] x[t, h]: a small bf16 matrix of its own for every head, as absorbed latent attention (MLA) has them before and
// after its core.
//
// Bound by reading W once, up to some tens of tokens. Reference: host/matrix.h, matmul_reference, head by head. 8.0 and later.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

struct HeadLinear {
  int tokens = 0, heads = 0;
  int rows = 0;                      // outputs of a head, a multiple of 16
  int cols = 0;                      // inputs of a head, a multiple of 32
  const std::uint16_t* w = nullptr;  // bf16 [heads] matrices [rows, cols], w_stride values apart
  std::int64_t w_stride = 0;         // a multiple of 8, as the strides of x
  const std::uint16_t* x = nullptr;  // bf16
  std::int64_t x_stride = 0;         // values from token to token
  std::int64_t x_head_stride = 0;    // and from head to head
  std::uint16_t* y = nullptr;        // bf16
  std::int64_t y_stride = 0, y_head_stride = 0;
};
void head_linear(const Launch& how, const HeadLinear& op);

// Of each head the matrix from its other side: to[h, c, r] = from[h, r, c], with `from_stride` values from head to head and
// `to` without gaps.
void turn_heads(const Launch& how, const std::uint16_t* from, std::int64_t from_stride, int heads, int rows, int cols,
                std::uint16_t* to);

}  // namespace fathom::cuda
