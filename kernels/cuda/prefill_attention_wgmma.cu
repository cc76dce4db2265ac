// Prompts on Hopper: a block has 128 rows of a head. One warp has keys and values brought to shared memory, 128 tokens at a time; two
// warpgroups of 64 rows each compute. A warpgroup issues the products of its next scores and those of its last weights with values,
// and takes the softmax of those scores while the tensor cores are busy with the rest and with the other warpgroup; that the two
// take turns need not be arranged (it was, and changed nothing). Blocks stay for several items, so that the first keys of one arrive
// while the last rows of another are written.
#include <algorithm>

#include "cuda/attention_split.cuh"
#include "cuda/bulk_copy.cuh"
#include "cuda/launch.cuh"
#include "cuda/prefill_launch.h"
#include "cuda/tensor_map.h"
#include "cuda/wgmma.cuh"

namespace fathom::cuda {
namespace {

constexpr int kConsumers = 2, kThreads = (1 + kConsumers) * kWarpgroup;
constexpr int kTokens = 128;  // of a tile of keys or values
constexpr int kStages = 2;
constexpr int kValue = 128;
constexpr int kColumnBytes = kTokens * kSwizzledValues * 2;
static_assert(kPrefillRows == 64 * kConsumers && kPrefillRows == kTokens);
// 65,536 registers / 384 threads leave 168 each at the start.
constexpr int kProducerRegisters = 24, kConsumerRegisters = 240;

// A tile of queries, keys or values: columns of 64 values, swizzled.
template <int kWidth>
struct alignas(1024) Tile {
  static constexpr int kColumns = kWidth / kSwizzledValues, kBytes = kColumns * kColumnBytes;
  std::uint16_t column[kColumns][kTokens][kSwizzledValues];
};

// What the blocks do, one item of every block a round. Heads go by sections, whose keys and values fit the second-level cache. In a
// section all heads of the longest tile come first, and every other round is dealt backwards: who had the longest of a round has
// the shortest of the next. A section begins a round, with the other direction than the one before; the places that this leaves free
// would have had short items.
struct Deal {
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
struct Item {
  PrefillTile tile;
  int head = 0, begin = 0, end = 0;

  // Without rows where the block has nothing to do this round.
  template <class Source>
  __device__ Item(const Source& source, const Deal& deal, int round) {
    int number;
    if (!deal.item(round, number, head)) return;
    tile = source.op.tile[number];
    end = tile.position + tile.rows;
    begin = source.window() > 0 ? max(0, tile.position + 1 - source.window()) / kPageTokens * kPageTokens : 0;
  }
  __device__ int steps() const { return tile.rows > 0 ? (end - begin + kTokens - 1) / kTokens : 0; }
};

MappedArray mapped_queries(const std::uint16_t* q, int rows, int heads, int key) {
  const auto head_bytes = static_cast<std::uint64_t>(key) * 2;
  return {
      .data = q,
      .size = {static_cast<std::uint64_t>(key), static_cast<std::uint64_t>(heads), static_cast<std::uint64_t>(rows), 1},
      .bytes = {head_bytes, heads * head_bytes, heads * head_bytes},
      .box = {kSwizzledValues, 1, kPrefillRows, 1}};
}

// Keys and values of pages.
struct Paged {
  static constexpr int kKey = 128;
  CUtensorMap queries, pages;
  PrefillAttention op;

  explicit Paged(const PrefillAttention& o) : queries(tensor_map(mapped_queries(o.q, o.rows, o.heads, kKey))), op(o) {
    constexpr std::uint64_t kHeadBytes = kPageTokens * kKey * 2,
                            kAnyPage = 1u << 31;  // the table knows how many there are
    pages = tensor_map({.data = o.pages,
                        .size = {kKey, kPageTokens, 2 * static_cast<std::uint64_t>(o.kv_heads), kAnyPage},
                        .bytes = {kKey * 2, kHeadBytes, static_cast<std::uint64_t>(o.page_stride) * 2},
                        .box = {kSwizzledValues, kPageTokens, 1, 1}});
  }
  __device__ int window() const { return static_cast<int>(op.window); }

  struct Place {
    int page[kTokens / kPageTokens];  // -1, which is outside, where the context has ended
  };
  __device__ Place place(const Item& item, int first) const {
    const std::int32_t* line = op.table + static_cast<std::int64_t>(item.tile.sequence) * op.table_stride;
    Place at;
#pragma unroll
    for (int p = 0; p < kTokens / kPageTokens; ++p) {
      const int token = first + p * kPageTokens;
      at.page[p] = token < item.end ? line[token / kPageTokens] : -1;
    }
    return at;
  }
  __device__ void fetch_keys(const Item& item, const Place& at, Tile<kKey>& to, BulkBarrier& counted) const {
    fetch(item.head / (op.heads / op.kv_heads), at, to, counted);
  }
  __device__ void fetch_values(const Item& item, const Place& at, Tile<kValue>& to, BulkBarrier& counted) const {
    fetch(op.kv_heads + item.head / (op.heads / op.kv_heads), at, to, counted);
  }
  __device__ void fetch(int which, const Place& at, Tile<kKey>& to, BulkBarrier& counted) const {
#pragma unroll
    for (int p = 0; p < kTokens / kPageTokens; ++p) {
#pragma unroll
      for (int c = 0; c < Tile<kKey>::kColumns; ++c) {
        copy_box(to.column[c][p * kPageTokens], &pages, c * kSwizzledValues, 0, which, at.page[p], counted);
      }
    }
  }
};

// Keys and values made from latents, and the rotary part of keys that all heads share.
struct Expanded {
  static constexpr int kKey = 192, kOwn = 128;  // values of a key that are its head's own
  CUtensorMap queries, expanded, rotary;
  ExpandedAttention op;

  explicit Expanded(const ExpandedAttention& o)
      : queries(tensor_map(mapped_queries(o.q, o.rows, o.heads, kKey))), op(o) {
    constexpr std::uint64_t kHeadBytes = (kOwn + kValue) * 2;
    const auto heads = static_cast<std::uint64_t>(o.heads), tokens = static_cast<std::uint64_t>(o.tokens),
               rotary_bytes = static_cast<std::uint64_t>(o.rotary_stride) * 2;
    expanded = tensor_map({.data = o.expanded,
                           .size = {kOwn + kValue, heads, tokens, 1},
                           .bytes = {kHeadBytes, heads * kHeadBytes, heads * kHeadBytes},
                           .box = {kSwizzledValues, 1, kTokens, 1}});
    rotary = tensor_map({.data = o.rotary,
                         .size = {kKey - kOwn, 1, tokens, 1},
                         .bytes = {rotary_bytes, rotary_bytes, rotary_bytes},
                         .box = {kSwizzledValues, 1, kTokens, 1}});
  }
  __device__ int window() const { return 0; }

  using Place = int;  // of the first token in the two arrays
  __device__ Place place(const Item& item, int first) const { return op.first_expanded[item.tile.sequence] + first; }
  __device__ void fetch_keys(const Item& item, Place at, Tile<kKey>& to, BulkBarrier& counted) const {
#pragma unroll
    for (int c = 0; c < kOwn / kSwizzledValues; ++c) {
      copy_box(to.column[c], &expanded, c * kSwizzledValues, item.head, at, 0, counted);
    }
    copy_box(to.column[kOwn / kSwizzledValues], &rotary, 0, 0, at, 0, counted);
  }
  __device__ void fetch_values(const Item& item, Place at, Tile<kValue>& to, BulkBarrier& counted) const {
#pragma unroll
    for (int c = 0; c < Tile<kValue>::kColumns; ++c) {
      copy_box(to.column[c], &expanded, kOwn + c * kSwizzledValues, item.head, at, 0, counted);
    }
  }
};

// Buffers that are filled and emptied in turn.
struct Turn {
  unsigned count = 0;
  __device__ unsigned stage() const { return count % kStages; }
  __device__ unsigned parity() const { return count / kStages % 2; }
};

struct Exchange {
  BulkBarrier full, empty;
  __device__ void begin() {
    full.begin(1);
    empty.begin(kConsumers * kWarpgroup / 32);
  }
};

template <class Source>
struct Shared {
  Tile<Source::kKey> queries, keys[kStages];
  Tile<kValue> values[kStages];
  Exchange queries_there, keys_there[kStages], values_there[kStages];
  BulkBarrier ragged;  // values of which only some rows count

  __device__ void begin() {
    queries_there.begin();
    for (int s = 0; s < kStages; ++s) keys_there[s].begin(), values_there[s].begin();
    ragged.begin(1);
    show_barriers();
  }
};

// Rows beyond a context may hold a NaN, which would survive a weight of zero. By all lanes of a warp.
__device__ inline void clear_rows(Tile<kValue>& values, int first) {
  constexpr int kChunks = kSwizzledValues / 8;
  const int lane = threadIdx.x % 32;
  for (int row = first + lane / kChunks; row < kTokens; row += 32 / kChunks) {
    for (auto& column : values.column) {
      *reinterpret_cast<uint4*>(column[row] + lane % kChunks * 8) = make_uint4(0, 0, 0, 0);
    }
  }
  show_stores();
}

// The warp that fetches. Waits are for all lanes, copies are for one.
template <class Source>
struct Producer {
  const Source& source;
  Shared<Source>& shared;
  const bool leads = threadIdx.x % 32 == 0;
  Turn queries, keys, values;
  unsigned ragged = 0;

  __device__ void run(const Deal& deal) {
    for (int round = 0; round < deal.rounds(); ++round) bring(Item(source, deal, round));
  }
  __device__ void bring(const Item& item) {
    const int steps = item.steps();
    if (steps == 0) return;
    typename Source::Place at = source.place(item, item.begin), next = at;
    bring_queries(item);
    bring_keys(item, at);
    for (int step = 0; step < steps; ++step, at = next) {
      const int first = item.begin + step * kTokens;
      if (step + 1 < steps) {
        next = source.place(item, first + kTokens);
        bring_keys(item, next);
      }
      bring_values(item, at, item.end - first);
    }
  }
  __device__ void bring_queries(const Item& item) {
    Exchange& there = shared.queries_there;
    there.empty.wait(queries.count % 2 ^ 1);
    ++queries.count;
    if (!leads) return;
    there.full.arrive_and_expect(Tile<Source::kKey>::kBytes);
#pragma unroll
    for (int c = 0; c < Tile<Source::kKey>::kColumns; ++c) {
      copy_box(shared.queries.column[c], &source.queries, c * kSwizzledValues, item.head, item.tile.first_row, 0,
               there.full);
    }
  }
  __device__ void bring_keys(const Item& item, const typename Source::Place& at) {
    Exchange& there = shared.keys_there[keys.stage()];
    there.empty.wait(keys.parity() ^ 1);
    if (leads) {
      there.full.arrive_and_expect(Tile<Source::kKey>::kBytes);
      source.fetch_keys(item, at, shared.keys[keys.stage()], there.full);
    }
    ++keys.count;
  }
  __device__ void bring_values(const Item& item, const typename Source::Place& at, int rows) {
    Exchange& there = shared.values_there[values.stage()];
    Tile<kValue>& to = shared.values[values.stage()];
    BulkBarrier& arrived = rows < kTokens ? shared.ragged : there.full;
    there.empty.wait(values.parity() ^ 1);
    ++values.count;
    if (leads) {
      arrived.arrive_and_expect(Tile<kValue>::kBytes);
      source.fetch_values(item, at, to, arrived);
    }
    if (rows >= kTokens) return;
    arrived.wait(ragged++ % 2);
    clear_rows(to, rows);
    __syncwarp();
    if (leads) there.full.arrive();
  }
};

// What a lane knows of its two rows: the highest of the unscaled scores, the sum of its own weights.
struct Softmax {
  float scale;  // to the exponent's base 2
  float peak[2] = {-INFINITY, -INFINITY}, total[2] = {};

  // Scores to weights; sums so far shrink by shrink[half].
  __device__ void weigh(float (&score)[64], float (&shrink)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float highest = peak[half];
#pragma unroll
      for (int n = 2 * half; n < 64; n += 4) highest = fmaxf(highest, fmaxf(score[n], score[n + 1]));
      highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 1));
      highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 2));
      // A row that has seen nothing yet keeps its sums at zero.
      const float zero = highest == -INFINITY ? 0.0f : highest * scale;
      shrink[half] = exp2_fast(peak[half] * scale - zero);
      peak[half] = highest;
      float weights = 0;
#pragma unroll
      for (int n = 2 * half; n < 64; n += 4) {
        score[n] = exp2_fast(fmaf(score[n], scale, -zero));
        score[n + 1] = exp2_fast(fmaf(score[n + 1], scale, -zero));
        weights += score[n] + score[n + 1];
      }
      total[half] = total[half] * shrink[half] + weights;
    }
  }
};

// One of the two warpgroups that compute, with 64 rows of each item.
template <class Source>
struct Consumer {
  static constexpr int kValues = 64;  // that a lane has of a tile's scores or sums
  const Source& source;
  Shared<Source>& shared;
  const int group = static_cast<int>(threadIdx.x) / kWarpgroup - 1, warp = threadIdx.x % kWarpgroup / 32,
            g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  const int row = 64 * group + 16 * warp + g;  // of the item; the other one of this lane is 8 below
  Turn queries, keys, values;
  float score[kValues] = {}, sum[kValues] = {};
  unsigned weight[kTokens / 16][4];

  __device__ void run(const Deal& deal) {
    for (int round = 0; round < deal.rounds(); ++round) attend(Item(source, deal, round));
  }

  __device__ void release(Exchange& there) const {
    if (threadIdx.x % 32 == 0) there.empty.arrive();
  }

  __device__ void multiply_queries() {
    const unsigned q = shared_address(&shared.queries) + group * 64 * kSwizzledValues * 2,
                   k = shared_address(&shared.keys[keys.stage()]);
    const std::uint64_t a = swizzled_matrix(q, 0), b = swizzled_matrix(k, 0);
#pragma unroll
    for (int i = 0; i < Source::kKey / 16; ++i) {
      const unsigned at = i / 4 * kColumnBytes + i % 4 * 32;
      multiply_rows(score, later(a, at), later(b, at), i > 0);
    }
    end_products();
  }
  __device__ void multiply_values() {
    const std::uint64_t b = swizzled_matrix(shared_address(&shared.values[values.stage()]), kColumnBytes);
#pragma unroll
    for (int i = 0; i < kTokens / 16; ++i) {
      multiply_across(sum, weight[i], later(b, i * 16 * kSwizzledValues * 2));
    }
    end_products();
  }

  // Tokens that a row may not see: after its own, or before its window.
  __device__ void mask(const Item& item, int first) {
    const int window = source.window();
    if (first + kTokens <= item.tile.position + 64 * group + 1 && window == 0) return;
#pragma unroll
    for (int i = 0; i < kValues; ++i) {
      const int token = first + 2 * t + i / 4 * 8 + i % 2, own = item.tile.position + row + i % 4 / 2 * 8;
      if (token > own || (window > 0 && token <= own - window)) score[i] = -INFINITY;
    }
  }
  __device__ void pack_weights() {
#pragma unroll
    for (int i = 0; i < kValues / 2; ++i) weight[i / 4][i % 4] = to_bf16_pair(score[2 * i], score[2 * i + 1]);
  }

  __device__ void attend(const Item& item) {
    const int steps = item.steps();
    if (steps == 0) return;
    Softmax softmax{source.op.scale * kLog2E};
    float shrink[2];
#pragma unroll
    for (float& s : sum) s = 0;
    shared.queries_there.full.wait(queries.count++ % 2);

    shared.keys_there[keys.stage()].full.wait(keys.parity());
    begin_products();
    multiply_queries();
    wait_for_products<0>();
    settle(score);
    release(shared.keys_there[keys.stage()]);
    ++keys.count;
    mask(item, item.begin);
    softmax.weigh(score, shrink);
    pack_weights();

    for (int step = 1; step < steps; ++step) {
      shared.keys_there[keys.stage()].full.wait(keys.parity());
      shared.values_there[values.stage()].full.wait(values.parity());
      begin_products();
      multiply_queries();
      multiply_values();
      wait_for_products<1>();
      settle(score);
      release(shared.keys_there[keys.stage()]);
      ++keys.count;
      mask(item, item.begin + step * kTokens);
      softmax.weigh(score, shrink);
      settle(score);  // or the compiler takes the softmax to after the wait
      wait_for_products<0>();
      settle(sum);
      release(shared.values_there[values.stage()]);
      ++values.count;
#pragma unroll
      for (int i = 0; i < kValues; ++i) sum[i] *= shrink[i % 4 / 2];
      pack_weights();
    }
    release(shared.queries_there);

    shared.values_there[values.stage()].full.wait(values.parity());
    begin_products();
    multiply_values();
    wait_for_products<0>();
    settle(sum);
    release(shared.values_there[values.stage()]);
    ++values.count;
    write(item, softmax);
  }

  __device__ void write(const Item& item, const Softmax& softmax) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float all = softmax.total[half];
      all += __shfl_xor_sync(0xffffffffu, all, 1);
      all += __shfl_xor_sync(0xffffffffu, all, 2);
      const float factor = all > 0 ? 1 / all : 0.0f;
      if (row + 8 * half >= item.tile.rows) continue;
      const std::int64_t at =
          static_cast<std::int64_t>(item.tile.first_row + row + 8 * half) * source.op.heads + item.head;
      unsigned* out = reinterpret_cast<unsigned*>(source.op.out + at * kValue);
#pragma unroll
      for (int n = 0; n < kValue / 8; ++n) {
        out[4 * n + t] = to_bf16_pair(sum[4 * n + 2 * half] * factor, sum[4 * n + 2 * half + 1] * factor);
      }
    }
  }
};

template <class Source>
__global__ __launch_bounds__(kThreads, 1) void prefill(const __grid_constant__ Source source, const Deal deal) {
#ifndef FATHOM_WARPGROUP_PRODUCTS
  __trap();
#endif
  extern __shared__ __align__(1024) char memory[];
  auto& shared = *reinterpret_cast<Shared<Source>*>(memory);
  start_successor();
  if (threadIdx.x == 0) shared.begin();
  __syncthreads();
  wait_for_predecessor();
  if (threadIdx.x < kWarpgroup) {
    give_registers<kProducerRegisters>();
    if (threadIdx.x < 32) Producer<Source>{source, shared}.run(deal);
  } else {
    take_registers<kConsumerRegisters>();
    Consumer<Source>{source, shared}.run(deal);
  }
}

// Keys and values of a section: what measured best of 8 to 256 MiB.
constexpr std::int64_t kSectionBytes = 32 << 20;

// `kv_heads` have `context` tokens each, or more. Sections are alike, and each has an item for every block.
template <class Source, class Op>
void run(const char* name, const Launch& how, const Op& op, int kv_heads, std::int64_t context) {
  if (op.tiles == 0) return;
  static bool allowed[64] = {};
  int device = 0;
  check(cudaGetDevice(&device), "device");
  if (!allowed[device]) allow_shared_memory(prefill<Source>, sizeof(Shared<Source>)), allowed[device] = true;

  const std::int64_t bytes = kv_heads * context * kValue * 4;
  const int items = op.tiles * op.heads, blocks = std::min(items, device_traits().multiprocessors);
  const auto sections =
      static_cast<int>(std::min<std::int64_t>((bytes + kSectionBytes - 1) / kSectionBytes, items / blocks));
  launch(name, prefill<Source>, dim3(blocks), kThreads, sizeof(Shared<Source>), how, Source(op),
         Deal{op.tiles, op.heads, (op.heads + sections - 1) / sections});
}

}  // namespace

bool prefill_by_warpgroups(const Launch& how, const PrefillAttention& op) {
  if (device_traits().compute != 90 || op.head_dim != Paged::kKey) return false;
  run<Paged>("prefill_attention", how, op, op.kv_heads, std::int64_t{op.tiles} * kPrefillRows);
  return true;
}

bool prefill_by_warpgroups(const Launch& how, const ExpandedAttention& op) {
  if (device_traits().compute != 90) return false;
  run<Expanded>("expanded_attention", how, op, op.heads, op.tokens);
  return true;
}

}  // namespace fathom::cuda
