// Cached latents of some sequences, page after page, to one array: what expanded attention multiplies with kv_b.
//
// Bound by its bytes. Reference: a loop over the tokens. Pages are decode_attention.h's for MLA.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

struct GatherLatents {
  int sequences = 0;
  int first_sequence = 0;                // their lines of table, lengths and first are this one's and those after it
  int longest = 0;                       // of `lengths`, for the grid
  int width = 576;                       // values of a token, a multiple of 8
  const std::uint16_t* pages = nullptr;  // this layer's
  std::int64_t page_stride = 0;
  const std::int32_t* table = nullptr;  // [all sequences, table_stride] page numbers
  int table_stride = 0;
  const std::int32_t* lengths = nullptr;  // of each sequence, the tokens to take
  const std::int32_t* first = nullptr;    // of each sequence, where its first token goes
  std::uint16_t* out = nullptr;           // [tokens, width]
};
void gather_latents(const Launch& how, const GatherLatents& op);

}  // namespace fathom::cuda
