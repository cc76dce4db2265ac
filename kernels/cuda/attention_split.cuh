// Which part of a sequence a block reads, and the join of what the blocks found.
#pragma once

#include <cstdint>

#include "cuda/decode_attention.h"
#include "cuda/launch.h"
#include "cuda/numbers.cuh"

namespace fathom::cuda {

inline constexpr float kLog2E = 1.4426950408889634f;

// Pages [first, last) of block `split`; `active` blocks have any.
struct SplitRange {
  int first = 0, last = 0, active = 0;
};

__device__ inline SplitRange split_range(int first_token, int length, int split, int splits) {
  const int begin = first_token / kPageTokens, pages = (length + kPageTokens - 1) / kPageTokens - begin;
  const int each = (pages + splits - 1) / splits;
  SplitRange r;
  r.active = (pages + each - 1) / each;
  r.first = begin + min(pages, split * each);
  r.last = begin + min(pages, (split + 1) * each);
  return r;
}

// Where blocks leave what they found of a unit, a tile of rows that share keys: [sequence][unit][split][row][dim + 4] with the sums
// first, then peak (in the exponent's base 2) and total. Units of a sequence are `tiles` per KV head. Row r of a tile is row
// tile * tile_rows + r of its KV head, counted as new row * group + head of the group.
struct SplitSums {
  float* sums = nullptr;
  std::uint16_t* out = nullptr;
  const std::int32_t* lengths = nullptr;
  int sequences = 0, splits = 0, dim = 0, tiles = 1, tile_rows = 16;
  int rows = 1, heads = 0, kv_heads = 1, window = 0;

  __host__ __device__ int width() const { return dim + 4; }
  __device__ float* at(int sequence, int unit, int split, int row) const {
    return sums +
           (((static_cast<std::int64_t>(sequence) * kv_heads * tiles + unit) * splits + split) * tile_rows + row) *
               width();
  }
  __device__ int first_token(int length) const { return window > 0 ? max(0, length - rows + 1 - window) : 0; }
};

// Brings the parts together where more than one block had a part. Launched after them when there are several splits.
void join_splits(const Launch& how, const SplitSums& s);

// Blocks that share a unit, so that all are under way at once: `places` is how many the device holds. A block that would get less
// than `least_pages` saves less than the join costs.
inline int splits_for(int units, int places, int longest, int least_pages = 4) {
  int splits = places / units;
  const int least = least_pages * kPageTokens, most = longest > 0 ? (longest + least - 1) / least : 128;
  splits = splits < most ? splits : most;
  return splits < 1 ? 1 : splits > 128 ? 128 : splits;
}

}  // namespace fathom::cuda
