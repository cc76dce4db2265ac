// What the blocks of prefill_attention_wgmma.cu do in which order, and where they find queries, keys and values.
#pragma once

#include <cstdint>

#include "cuda/bulk_copy.cuh"
#include "cuda/prefill_attention.h"
#include "cuda/tensor_map.h"
#include "cuda/wgmma.cuh"

namespace fathom::cuda {

inline constexpr int kTileTokens = 128;  // of keys or values
inline constexpr int kValueWidth = 128;
inline constexpr int kColumnBytes = kTileTokens * kSwizzledValues * 2;

// A tile of queries, keys or values: columns of 64 values, swizzled.
template <int kWidth>
struct alignas(1024) SwizzledTile {
  static constexpr int kColumns = kWidth / kSwizzledValues, kBytes = kColumns * kColumnBytes;
  std::uint16_t column[kColumns][kTileTokens][kSwizzledValues];
};

// What the blocks do, one item of every block a round. Heads go by sections, whose keys and values fit the second-level cache. In a
// section all heads of the longest tile come first, and every other round is dealt backwards: who had the longest of a round has
// the shortest of the next. A section begins a round, with the other direction than the one before; the places that this leaves free
// would have had short items.
struct PrefillDeal {
  int tiles, heads, together;  // heads of a section

  __device__ int rounds_of_section() const { return (tiles * together + gridDim.x - 1) / gridDim.x; }
  __device__ int rounds() const { return (heads + together - 1) / together * rounds_of_section(); }
  __device__ bool item(int round, int& tile, int& head) const {
    const int each = rounds_of_section(), section = round / each, place = round % each;
    const int block = (section + place) % 2 == 0 ? blockIdx.x : gridDim.x - 1 - blockIdx.x;
    const int first_head = section * together, present = min(together, heads - first_head);
    const int number = place * gridDim.x + block;
    tile = number / present;
    head = first_head + number % present;
    return tile < tiles;
  }
};

// Rows of one head and the tokens [begin, end) that they may see.
struct PrefillItem {
  PrefillTile tile;
  int head = 0, begin = 0, end = 0;

  // Without rows where the block has nothing to do this round.
  template <class Source>
  __device__ PrefillItem(const Source& source, const PrefillDeal& deal, int round) {
    int number;
    if (!deal.item(round, number, head)) return;
    tile = source.op.tile[number];
    end = tile.position + tile.rows;
    begin = source.window() > 0 ? max(0, tile.position + 1 - source.window()) / kPageTokens * kPageTokens : 0;
  }
  __device__ int steps() const { return tile.rows > 0 ? (end - begin + kTileTokens - 1) / kTileTokens : 0; }
};

inline MappedArray mapped_queries(const std::uint16_t* q, int rows, int heads, int key) {
  const auto head_bytes = static_cast<std::uint64_t>(key) * 2;
  return {
      .data = q,
      .size = {static_cast<std::uint64_t>(key), static_cast<std::uint64_t>(heads), static_cast<std::uint64_t>(rows), 1},
      .bytes = {head_bytes, heads * head_bytes, heads * head_bytes},
      .box = {kSwizzledValues, 1, kPrefillRows, 1}};
}

// Keys and values of pages.
struct PagedContext {
  static constexpr int kKey = 128;
  CUtensorMap queries, pages;
  PrefillAttention op;

  explicit PagedContext(const PrefillAttention& o)
      : queries(tensor_map(mapped_queries(o.q, o.rows, o.heads, kKey))), op(o) {
    constexpr std::uint64_t kHeadBytes = kPageTokens * kKey * 2,
                            kAnyPage = 1u << 31;  // the table knows how many there are
    pages = tensor_map({.data = o.pages,
                        .size = {kKey, kPageTokens, 2 * static_cast<std::uint64_t>(o.kv_heads), kAnyPage},
                        .bytes = {kKey * 2, kHeadBytes, static_cast<std::uint64_t>(o.page_stride) * 2},
                        .box = {kSwizzledValues, kPageTokens, 1, 1}});
  }
  __device__ int window() const { return static_cast<int>(op.window); }

  struct Place {
    int page[kTileTokens / kPageTokens];  // -1, which is outside, where the context has ended
  };
  __device__ Place place(const PrefillItem& item, int first) const {
    const std::int32_t* line = op.table + static_cast<std::int64_t>(item.tile.sequence) * op.table_stride;
    Place at;
#pragma unroll
    for (int p = 0; p < kTileTokens / kPageTokens; ++p) {
      const int token = first + p * kPageTokens;
      at.page[p] = token < item.end ? line[token / kPageTokens] : -1;
    }
    return at;
  }
  __device__ void fetch_keys(const PrefillItem& item, const Place& at, SwizzledTile<kKey>& to,
                             BulkBarrier& counted) const {
    fetch(item.head / (op.heads / op.kv_heads), at, to, counted);
  }
  __device__ void fetch_values(const PrefillItem& item, const Place& at, SwizzledTile<kValueWidth>& to,
                               BulkBarrier& counted) const {
    fetch(op.kv_heads + item.head / (op.heads / op.kv_heads), at, to, counted);
  }
  __device__ void fetch(int which, const Place& at, SwizzledTile<kKey>& to, BulkBarrier& counted) const {
#pragma unroll
    for (int p = 0; p < kTileTokens / kPageTokens; ++p) {
#pragma unroll
      for (int c = 0; c < SwizzledTile<kKey>::kColumns; ++c) {
        copy_box(to.column[c][p * kPageTokens], &pages, c * kSwizzledValues, 0, which, at.page[p], counted);
      }
    }
  }
};

// Keys and values made from latents, and the rotary part of keys that all heads share.
struct ExpandedContext {
  static constexpr int kKey = 192, kOwn = 128;  // values of a key that are its head's own
  CUtensorMap queries, expanded, rotary;
  ExpandedAttention op;

  explicit ExpandedContext(const ExpandedAttention& o)
      : queries(tensor_map(mapped_queries(o.q, o.rows, o.heads, kKey))), op(o) {
    constexpr std::uint64_t kHeadBytes = (kOwn + kValueWidth) * 2;
    const auto heads = static_cast<std::uint64_t>(o.heads), tokens = static_cast<std::uint64_t>(o.tokens),
               rotary_bytes = static_cast<std::uint64_t>(o.rotary_stride) * 2;
    expanded = tensor_map({.data = o.expanded,
                           .size = {kOwn + kValueWidth, heads, tokens, 1},
                           .bytes = {kHeadBytes, heads * kHeadBytes, heads * kHeadBytes},
                           .box = {kSwizzledValues, 1, kTileTokens, 1}});
    rotary = tensor_map({.data = o.rotary,
                         .size = {kKey - kOwn, 1, tokens, 1},
                         .bytes = {rotary_bytes, rotary_bytes, rotary_bytes},
                         .box = {kSwizzledValues, 1, kTileTokens, 1}});
  }
  __device__ int window() const { return 0; }

  using Place = int;  // of the first token in the two arrays
  __device__ Place place(const PrefillItem& item, int first) const {
    return op.first_expanded[item.tile.sequence] + first;
  }
  __device__ void fetch_keys(const PrefillItem& item, Place at, SwizzledTile<kKey>& to, BulkBarrier& counted) const {
#pragma unroll
    for (int c = 0; c < kOwn / kSwizzledValues; ++c) {
      copy_box(to.column[c], &expanded, c * kSwizzledValues, item.head, at, 0, counted);
    }
    copy_box(to.column[kOwn / kSwizzledValues], &rotary, 0, 0, at, 0, counted);
  }
  __device__ void fetch_values(const PrefillItem& item, Place at, SwizzledTile<kValueWidth>& to,
                               BulkBarrier& counted) const {
#pragma unroll
    for (int c = 0; c < SwizzledTile<kValueWidth>::kColumns; ++c) {
      copy_box(to.column[c], &expanded, kOwn + c * kSwizzledValues, item.head, at, 0, counted);
    }
  }
};

}  // namespace fathom::cuda
