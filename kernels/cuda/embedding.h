// Rows of the embedding table to the residual stream. A rank that holds a part of the vocabulary gives zeros for the rest. The rows' angles for
// rotary embedding can be had with them: both begin a step, and a launch by itself would take as long as either.
#pragma once

#include <cstdint>

#include "cuda/rope.h"

namespace fathom::cuda {

struct Embedding {
  int rows = 0;
  int width = 0;                         // a multiple of 4
  const std::uint16_t* table = nullptr;  // bf16 [count, width]
  int first = 0, count = 0;              // tokens held here
  const std::int32_t* tokens = nullptr;  // [rows]
  float* out = nullptr;                  // [rows, width]
  std::uint16_t* partial = nullptr;      // instead of out: bf16, to be summed over ranks
  RopeRows rope = {};                    // with angles: those of the rows, as by rope_angles()
};

void embed(const Launch& how, const Embedding& op);

}  // namespace fathom::cuda
