// Prompts on Hopper: a block has 128 rows of a head. One warp has keys and values brought to shared memory, 128 tokens at a time; two
// warpgroups of 64 rows each compute. A warpgroup issues the products of its next scores and those of its last weights with values,
// and takes the softmax of those scores while the tensor cores are busy with the rest and with the other warpgroup; that the two
// take turns need not be arranged (it was, and changed nothing). Blocks stay for several items, so that the first keys of one arrive
// while the last rows of another are written.
#include <algorithm>

#include "cuda/attention_split.cuh"
#include "cuda/launch.cuh"
#include "cuda/prefill_items.cuh"
#include "cuda/prefill_launch.h"
#include "cuda/ring.cuh"

namespace fathom::cuda {
namespace {

constexpr int kConsumers = 2, kThreads = (1 + kConsumers) * kWarpgroup;
static_assert(kPrefillRows == 64 * kConsumers && kPrefillRows == kTileTokens);
// 65,536 registers / 384 threads leave 168 each at the start.
constexpr int kProducerRegisters = 24, kConsumerRegisters = 240;

template <class Source>
struct Shared {
  using Queries = Ring<SwizzledTile<Source::kKey>, 1>;
  using Keys = Ring<SwizzledTile<Source::kKey>, 2>;
  using Values = Ring<SwizzledTile<kValueWidth>, 2>;
  Queries queries;
  Keys keys;
  Values values;
  BulkBarrier ragged;  // values of which only some rows count

  __device__ void begin() {
    constexpr unsigned kWarps = kConsumers * kWarpgroup / 32;
    queries.begin(1, kWarps), keys.begin(1, kWarps), values.begin(1, kWarps);
    ragged.begin(1);
    show_barriers();
  }
};

// Rows beyond a context may hold a NaN, which would survive a weight of zero. By all lanes of a warp.
__device__ inline void clear_rows(SwizzledTile<kValueWidth>& values, int first) {
  constexpr int kChunks = kSwizzledValues / 8;
  const int lane = threadIdx.x % 32;
  for (int row = first + lane / kChunks; row < kTileTokens; row += 32 / kChunks) {
    for (auto& column : values.column) {
      *reinterpret_cast<uint4*>(column[row] + lane % kChunks * 8) = make_uint4(0, 0, 0, 0);
    }
  }
  fence_async_proxy();
}

// The warp that fetches. Waits are for all lanes, copies are for one.
template <class Source>
struct Producer {
  const Source& source;
  Shared<Source>& shared;
  const bool leads = threadIdx.x % 32 == 0;
  typename Shared<Source>::Queries::Turn queries;
  typename Shared<Source>::Keys::Turn keys;
  typename Shared<Source>::Values::Turn values;
  unsigned ragged = 0;

  __device__ void run(const PrefillDeal& deal) {
    for (int round = 0; round < deal.rounds(); ++round) bring(PrefillItem(source, deal, round));
  }
  // Where the next tile is has been read before the wait for its place.
  __device__ void bring(const PrefillItem& item) {
    const int steps = item.steps();
    if (steps == 0) return;
    typename Source::Place at = source.place(item, item.begin), next = at;
    bring_queries(item);
    bring_keys(item, at);
    for (int step = 0; step < steps; ++step, at = next) {
      const int first = item.begin + step * kTileTokens;
      if (step + 1 < steps) {
        next = source.place(item, first + kTileTokens);
        bring_keys(item, next);
      }
      bring_values(item, at, item.end - first);
    }
  }
  __device__ void bring_queries(const PrefillItem& item) {
    shared.queries.wait_empty(queries);
    ++queries.count;
    if (!leads) return;
    shared.queries.full[0].arrive_and_expect(SwizzledTile<Source::kKey>::kBytes);
#pragma unroll
    for (int c = 0; c < SwizzledTile<Source::kKey>::kColumns; ++c) {
      copy_box(shared.queries.tile[0].column[c], &source.queries, c * kSwizzledValues, item.head, item.tile.first_row,
               0, shared.queries.full[0]);
    }
  }
  __device__ void bring_keys(const PrefillItem& item, const typename Source::Place& at) {
    const unsigned stage = keys.stage();
    shared.keys.wait_empty(keys);
    ++keys.count;
    if (!leads) return;
    shared.keys.full[stage].arrive_and_expect(SwizzledTile<Source::kKey>::kBytes);
    source.fetch_keys(item, at, shared.keys.tile[stage], shared.keys.full[stage]);
  }
  __device__ void bring_values(const PrefillItem& item, const typename Source::Place& at, int rows) {
    const unsigned stage = values.stage();
    BulkBarrier &full = shared.values.full[stage], &arrived = rows < kTileTokens ? shared.ragged : full;
    shared.values.wait_empty(values);
    ++values.count;
    if (leads) {
      arrived.arrive_and_expect(SwizzledTile<kValueWidth>::kBytes);
      source.fetch_values(item, at, shared.values.tile[stage], arrived);
    }
    if (rows >= kTileTokens) return;
    shared.ragged.wait(ragged++ % 2);
    clear_rows(shared.values.tile[stage], rows);
    __syncwarp();
    if (leads) full.arrive();
  }
};

__device__ inline float quad_max(float x) {  // of the four lanes that share a row
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

// What a lane knows of its two rows: the highest of the unscaled scores, the sum of its own weights.
struct Softmax {
  float scale;  // to the exponent's base 2
  float peak[2] = {-INFINITY, -INFINITY}, total[2] = {};
  float shrink[2] = {};  // of sums so far, by what was seen last

  // Scores to weights. Four maxima and four sums at a time: one would be a chain of 64.
  __device__ void weigh(float (&score)[64]) {
    float highest[4] = {peak[0], peak[0], peak[1], peak[1]}, weights[4] = {};
#pragma unroll
    for (int i = 0; i < 64; ++i) highest[i % 4] = fmaxf(highest[i % 4], score[i]);
    float zero[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float now = quad_max(fmaxf(highest[2 * half], highest[2 * half + 1]));
      // A row that has seen nothing yet keeps its sums at zero.
      zero[half] = now == -INFINITY ? 0.0f : now * scale;
      shrink[half] = exp2_fast(peak[half] * scale - zero[half]);
      peak[half] = now;
    }
#pragma unroll
    for (int i = 0; i < 64; ++i) {
      score[i] = exp2_fast(fmaf(score[i], scale, -zero[i % 4 / 2]));
      weights[i % 4] += score[i];
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      total[half] = total[half] * shrink[half] + (weights[2 * half] + weights[2 * half + 1]);
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
  typename Shared<Source>::Queries::Turn queries;
  typename Shared<Source>::Keys::Turn keys;
  typename Shared<Source>::Values::Turn values;
  Softmax softmax = {};
  float score[kValues] = {}, sum[kValues] = {};
  unsigned query[Source::kKey / 16][4], weight[kTileTokens / 16][4];

  __device__ void run(const PrefillDeal& deal) {
    for (int round = 0; round < deal.rounds(); ++round) attend(PrefillItem(source, deal, round));
  }

  __device__ void attend(const PrefillItem& item) {
    const int steps = item.steps();
    if (steps == 0) return;
    softmax = {source.op.scale * kLog2E};
#pragma unroll
    for (float& s : sum) s = 0;
    load_queries();

    shared.keys.wait_full(keys);
    begin_products();
    multiply_queries();
    weigh_scores<0>(item, item.begin);
    pack_weights();
    for (int step = 1; step < steps; ++step) {
      shared.keys.wait_full(keys);
      shared.values.wait_full(values);
      begin_products();
      multiply_queries();
      multiply_values();
      weigh_scores<1>(item, item.begin + step * kTileTokens);
      end_sums();
#pragma unroll
      for (int i = 0; i < kValues; ++i) sum[i] *= softmax.shrink[i % 4 / 2];
      pack_weights();
    }
    shared.values.wait_full(values);
    begin_products();
    multiply_values();
    end_sums();
    write(item);
  }

  // To registers: 1 to 3 % faster from 8,192 tokens on than products that read them from shared memory.
  __device__ void load_queries() {
    shared.queries.wait_full(queries);
    const unsigned at = shared_address(&shared.queries.tile[0]), from = row - g + threadIdx.x % 16;
#pragma unroll
    for (int i = 0; i < Source::kKey / 16; ++i) {
      const unsigned chunk = i % 4 * 2 + threadIdx.x % 32 / 16;
      load_matrices(query[i], at + i / 4 * kColumnBytes + from * 2 * kSwizzledValues + 16 * (chunk ^ (from % 8)));
    }
    shared.queries.release(queries);
  }
  __device__ void multiply_queries() {
    const std::uint64_t b = swizzled_matrix(shared_address(&shared.keys.tile[keys.stage()]), kColumnBytes);
#pragma unroll
    for (int i = 0; i < Source::kKey / 16; ++i) {
      multiply<false>(score, query[i], later(b, i / 4 * kColumnBytes + i % 4 * 32), i > 0);
    }
    end_products();
  }
  __device__ void multiply_values() {
    const std::uint64_t b = swizzled_matrix(shared_address(&shared.values.tile[values.stage()]), kColumnBytes);
#pragma unroll
    for (int i = 0; i < kTileTokens / 16; ++i) {
      multiply<true>(sum, weight[i], later(b, i * 16 * 2 * kSwizzledValues), true);
    }
    end_products();
  }

  // When at most kPending groups of products are left, the scores are there.
  template <int kPending>
  __device__ void weigh_scores(const PrefillItem& item, int first) {
    wait_for_products<kPending>();
    settle(score);
    shared.keys.release(keys);
    mask(item, first);
    softmax.weigh(score);
    settle(score);  // or the compiler takes the softmax to after the next wait
  }
  __device__ void end_sums() {
    wait_for_products<0>();
    settle(sum);
    shared.values.release(values);
  }

  // Tokens that a row may not see: after its own, or before its window.
  __device__ void mask(const PrefillItem& item, int first) {
    const int window = source.window();
    if (first + kTileTokens <= item.tile.position + 64 * group + 1 && window == 0) return;
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

  __device__ void write(const PrefillItem& item) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float all = softmax.total[half];
      all += __shfl_xor_sync(0xffffffffu, all, 1);
      all += __shfl_xor_sync(0xffffffffu, all, 2);
      const float factor = all > 0 ? 1 / all : 0.0f;
      if (row + 8 * half >= item.tile.rows) continue;
      const std::int64_t at =
          static_cast<std::int64_t>(item.tile.first_row + row + 8 * half) * source.op.heads + item.head;
      unsigned* out = reinterpret_cast<unsigned*>(source.op.out + at * kValueWidth);
#pragma unroll
      for (int n = 0; n < kValueWidth / 8; ++n) {
        out[4 * n + t] = to_bf16_pair(sum[4 * n + 2 * half] * factor, sum[4 * n + 2 * half + 1] * factor);
      }
    }
  }
};

template <class Source>
__global__ __launch_bounds__(kThreads, 1) void prefill(const __grid_constant__ Source source, const PrefillDeal deal) {
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

  const std::int64_t bytes = kv_heads * context * kValueWidth * 4;
  const int items = op.tiles * op.heads, blocks = std::min(items, device_traits().multiprocessors);
  const auto sections =
      static_cast<int>(std::clamp<std::int64_t>((bytes + kSectionBytes - 1) / kSectionBytes, 1, items / blocks));
  launch(name, prefill<Source>, dim3(blocks), kThreads, sizeof(Shared<Source>), how, Source(op),
         PrefillDeal{op.tiles, op.heads, (op.heads + sections - 1) / sections});
}

}  // namespace

bool prefill_by_warpgroups(const Launch& how, const PrefillAttention& op) {
  if (device_traits().compute != 90 || op.head_dim != PagedContext::kKey) return false;
  run<PagedContext>("prefill_attention", how, op, op.kv_heads, std::int64_t{op.tiles} * kPrefillRows);
  return true;
}

bool prefill_by_warpgroups(const Launch& how, const ExpandedAttention& op) {
  if (device_traits().compute != 90) return false;
  run<ExpandedContext>("expanded_attention", how, op, op.heads, op.tokens);
  return true;
}

}  // namespace fathom::cuda
