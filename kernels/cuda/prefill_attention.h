// Attention of many new rows per sequence over what is cached and over themselves: prompts, chunk by chunk.
//
// Bound by arithmetic: 4 rows * context * heads * head_dim FLOPs, half of it under the diagonal. References: host/attention.h over the same
// pages. Rows see the tokens before them and themselves.
#pragma once

#include <cstdint>

#include "cuda/decode_attention.h"
#include "cuda/launch.h"

namespace fathom::cuda {

inline constexpr int kPrefillRows = 128;  // of a tile

// Neighbouring rows of one sequence; a tile belongs to one sequence, and the longest contexts best come first.
struct PrefillTile {
  std::int32_t first_row = 0, rows = 0;  // of the step, at most kPrefillRows
  std::int32_t sequence = 0;             // its line of the table
  std::int32_t position = 0;             // of the first row in its sequence
};

// Which of the kernels: the newest that the device has, or one for older devices, which tests ask for.
enum class PrefillKernel { kNewest, kWarpProducts /* 8.0 and later */, kPlain /* any */ };

// Heads over pages as decode_attention.h has them.
struct PrefillAttention {
  int tiles = 0;
  const PrefillTile* tile = nullptr;          // [tiles], on the device
  int rows = 0;                               // of q and out
  int heads = 0, kv_heads = 0, head_dim = 0;  // head_dim 64 or 128
  float scale = 1;
  std::int64_t window = 0;               // a row sees its last `window` tokens; 0: all
  const std::uint16_t* q = nullptr;      // [rows, heads, head_dim]
  const std::uint16_t* pages = nullptr;  // this layer's
  std::int64_t page_stride = 0;
  const std::int32_t* table = nullptr;
  int table_stride = 0;
  std::uint16_t* out = nullptr;  // [rows, heads, head_dim]
  PrefillKernel kernel = PrefillKernel::kNewest;
};
void prefill_attention(const Launch& how, const PrefillAttention& op);

// MLA with keys and values made from the latents: a key is 128 values of its head, then the 64 rotary ones that all heads
// share; a value has 128.
struct ExpandedAttention {
  int tiles = 0;
  const PrefillTile* tile = nullptr;
  int rows = 0;    // of q and out
  int tokens = 0;  // of the next two arrays
  int heads = 0;
  float scale = 1;
  const std::uint16_t* q = nullptr;              // [rows, heads, 192]
  const std::uint16_t* expanded = nullptr;       // [tokens, heads, 256]: key, value
  const std::uint16_t* rotary = nullptr;         // [tokens, rotary_stride]: 64 values
  std::int64_t rotary_stride = 0;                // a multiple of 8
  const std::int32_t* first_expanded = nullptr;  // of each sequence, where its first token is in the two
  std::uint16_t* out = nullptr;                  // [rows, heads, 128]
  PrefillKernel kernel = PrefillKernel::kNewest;
};
void expanded_attention(const Launch& how, const ExpandedAttention& op);

}  // namespace fathom::cuda
