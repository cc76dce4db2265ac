// Attention of a few new rows per sequence over its cached pages: flash decoding, split over the context.
//
// Bound by reading keys and values once. References: host/attention.h, and of rows that share a page host_attention.cpp's loops.
// A page holds 64 tokens of one layer as bf16 [2][kv_heads][64][head_dim], keys first. Lengths and tables are read on the
// device; how many blocks share a sequence is fixed at launch, which of them have work is not.
//
// With overlap, lengths, tables and every page that holds no new row are read before the kernel waits for its predecessor: they must
// be there before the first kernel of a chain of overlapping ones.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/launch.h"
#include "cuda/rope.h"

namespace fathom::cuda {

inline constexpr int kPageTokens = 64;

// The new rows of a sequence are its last; row i of n sees all tokens but the n - 1 - i last.
//
// With `rope` (one new row per sequence, in their order), queries, keys and values are still to be turned and the keys and values to be put
// into their page: on 8.0 and later that is part of the kernel, which leaves q alone; elsewhere rope_heads() goes before.
struct DecodeAttention {
  int sequences = 0;
  int rows = 1;                               // new ones per sequence
  int heads = 0, kv_heads = 0, head_dim = 0;  // head_dim 64 or 128
  float scale = 1;
  std::int64_t window = 0;               // a row sees its last `window` tokens; 0: all
  const std::uint16_t* q = nullptr;      // [sequences, rows, heads, head_dim]
  const std::uint16_t* pages = nullptr;  // this layer's
  std::int64_t page_stride = 0;          // values from page to page, at least 2 * kv_heads * 64 * head_dim
  const std::int32_t* table = nullptr;   // [sequences, table_stride] page numbers
  int table_stride = 0;
  const std::int32_t* lengths = nullptr;  // [sequences] tokens cached, the new ones included; 0: rows are left alone
  int longest = 0;                        // of them at most, or about: a short one needs fewer blocks; 0: not known
  std::uint16_t* out = nullptr;           // [sequences, rows, heads, head_dim]
  bool plain = false;                     // the kernel for devices before 8.0: no tensor cores, no split
  RopeHeads rope = {};                    // of no rows: done already
};

// Absorbed latent attention (MLA): every head reads the same 576 values per token, the first 512 of them as value too.
// A page is bf16 [64][576].
struct LatentAttention {
  int sequences = 0;
  int rows = 1;
  int heads = 0;
  float scale = 1;
  const std::uint16_t* q = nullptr;  // [sequences, rows, heads, 576]
  const std::uint16_t* pages = nullptr;
  std::int64_t page_stride = 0;  // at least 64 * 576
  const std::int32_t* table = nullptr;
  int table_stride = 0;
  const std::int32_t* lengths = nullptr;
  int longest = 0;               // as above
  std::uint16_t* out = nullptr;  // [sequences, rows, heads, 512]
  bool plain = false;            // as above
};

std::size_t attention_workspace_bytes(const DecodeAttention& op, const DeviceTraits& device);
std::size_t attention_workspace_bytes(const LatentAttention& op, const DeviceTraits& device);

void decode_attention(const Launch& how, const DecodeAttention& op, const Workspace& workspace);
void latent_attention(const Launch& how, const LatentAttention& op, const Workspace& workspace);

}  // namespace fathom::cuda
