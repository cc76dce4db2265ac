// Rotary embedding, and the new tokens' keys and values to their pages.
//
// Bound by their bytes. References: host/rope.h, host/vector_math.h (norms of queries, keys and latents). Pages are
// decode_attention.h's.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

// Where the rows of a step are in their sequences; and cosine, sine of their positions, once per step for all layers.
struct RopeRows {
  int rows = 0;
  const std::int32_t* position = nullptr;  // [rows]; -1: padding, its row is left alone
  const std::int32_t* sequence = nullptr;  // [rows]: its line of `table`
  const std::int32_t* table = nullptr;     // [sequences, table_stride] page numbers
  int table_stride = 0;
  int dims = 0;                         // turned ones of a head, an even number
  bool interleaved = false;             // pairs (2i, 2i + 1), else (i, i + dims / 2)
  const double* frequencies = nullptr;  // [dims / 2] radians per position
  double magnitude = 1;                 // of cosine and sine
  float* angles = nullptr;              // [rows, dims / 2, 2], cosine first
};
void rope_angles(const Launch& how, const RopeRows& rows);

struct RopeHeads {
  RopeRows rows = {};
  int heads = 0, kv_heads = 0, head_dim = 0;  // head_dim a multiple of 2, at most 256
  // bf16 [rows, stride]: heads side by side
  const std::uint16_t *q = nullptr, *k = nullptr, *v = nullptr;
  std::int64_t q_stride = 0, k_stride = 0, v_stride = 0;
  const float *q_norm = nullptr, *k_norm = nullptr;  // [head_dim]: heads are normed first; or nullptr
  float epsilon = 0;
  std::uint16_t* q_out = nullptr;  // [rows, heads, head_dim]; may be q where that is dense
  std::uint16_t* pages = nullptr;  // this layer's
  std::int64_t page_stride = 0;
};
void rope_heads(const Launch& how, const RopeHeads& op);

// MLA: a latent is normed, its rotary key turned, and both go to the page; the queries' rotary parts are turned.
struct RopeLatent {
  RopeRows rows = {};  // interleaved as the model's
  int heads = 0;
  int latent = 512;                        // values; rows.dims more are the rotary key
  const std::uint16_t* latents = nullptr;  // bf16 [rows, latent_stride], before the norm
  std::int64_t latent_stride = 0;
  const float* norm = nullptr;  // [latent]
  float epsilon = 0;
  std::uint16_t* pages = nullptr;
  std::int64_t page_stride = 0;
  const std::uint16_t* q = nullptr;  // the first head's rotary part; heads and rows so many values apart
  std::int64_t q_stride = 0, q_head_stride = 0;
  std::uint16_t* q_out = nullptr;  // where it goes; may be q
  std::int64_t q_out_stride = 0, q_out_head_stride = 0;
};
void rope_latent(const Launch& how, const RopeLatent& op);

}  // namespace fathom::cuda
