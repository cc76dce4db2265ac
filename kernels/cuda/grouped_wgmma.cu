// Products of experts with many tokens each, on Hopper. A block computes tiles of 128 rows of weights and up to 256 tokens: rows are
// the first operand of the products, so that weights of any format can be widened in registers, and with a gate every sixteen are
// eight of gate and their eight of up, which so meet in one thread. A warpgroup brings what is needed to shared memory, weights by
// boxes and tokens, which lie anywhere, by copies of sixteen bytes; two warpgroups of 64 rows each compute. Blocks stay for
// several tiles, so that the first inputs of one arrive while the last sums of another are written. Reference: host/matrix.h.
#include <algorithm>

#include "cuda/grouped_rows.cuh"
#include "cuda/launch.cuh"
#include "cuda/linear_launch.h"

namespace fathom::cuda {
namespace {

constexpr int kThreads = (1 + kGroupedConsumers) * kWarpgroup;
// 65,536 registers / 384 threads leave 168 each at the start.
constexpr int kProducerRegisters = 72, kConsumerRegisters = 216;

// The warpgroup that fetches: all threads tokens, the first warp weights too.
template <int kParts>
struct Producer {
  static constexpr int kChunks = kStepInputs / 8, kTokensApart = kWarpgroup / kChunks,
                       kTokens = kGroupedTokens / kTokensApart;  // that a thread copies, a chunk of each
  const GroupedProducts& op;
  GroupedShared& shared;
  const int chunk = threadIdx.x % kChunks, first = threadIdx.x / kChunks;
  GroupedShared::Weights::Turn weights;
  GroupedShared::Tokens::Turn tokens;

  __device__ void run() {
    GroupedDeal deal(op);
    for (GroupedTile tile; deal.next(tile);) bring(tile);
  }
  __device__ void bring(const GroupedTile& tile) {
    unsigned from[kTokens];  // sixteen bytes each
#pragma unroll
    for (int i = 0; i < kTokens; ++i) {
      const int pair = tile.first_pair + min(first + i * kTokensApart, tile.pairs - 1);
      from[i] = static_cast<unsigned>((op.a.x_rows == nullptr ? pair : op.a.x_rows[pair]) * (op.a.x_stride / 8));
    }
    for (int step = 0, steps = op.steps(); step < steps; ++step) {
      if (step % kParts == 0 && threadIdx.x < 32) bring_weights(tile, step / kParts);
      bring_tokens(tile, step, from);
    }
  }
  __device__ void bring_weights(const GroupedTile& tile, int at) {
    const unsigned stage = weights.stage();
    shared.weights.wait_empty(weights);
    ++weights.count;
    if (threadIdx.x == 0) shared.weights.full[stage].arrive_and_expect(WeightTile::kBytes);
    __syncwarp();
    const int slab = threadIdx.x;
    if (slab >= kGroupedRows / kSlabRows) return;
    const int matrix = op.a.gated ? slab % 2 : 0, place = op.a.gated ? slab / 2 : slab;
    copy_box(shared.weights.tile[stage].slab[slab], &op.weights[matrix], at * kSwizzledValues,
             tile.expert * static_cast<int>(op.a.rows) + tile.row + kSlabRows * place, 0, 0,
             shared.weights.full[stage]);
  }
  // Tokens and inputs that there are not become zeros.
  __device__ void bring_tokens(const GroupedTile& tile, int step, const unsigned (&from)[kTokens]) {
    const unsigned stage = tokens.stage();
    shared.tokens.wait_empty(tokens);
    ++tokens.count;
    const int column = step * kStepInputs + 8 * chunk;
    const std::uint16_t* x = op.a.x + (column < op.a.cols ? column : 0);
    const unsigned to = shared_address(shared.tokens.tile[stage].token[first]) + 16 * (chunk ^ first % 8);
#pragma unroll
    for (int i = 0; i < kTokens; ++i) {
      const int token = first + i * kTokensApart;
      if (i * kTokensApart >= (tile.pairs + 31) / 32 * 32) break;
      copy_16(to + i * kTokensApart * kStepInputs * 2, x + std::size_t{from[i]} * 8,
              token < tile.pairs && column < op.a.cols);
    }
    shared.tokens.full[stage].arrive_after_copies();
  }
};

// One of the two warpgroups that compute, with 64 rows of each tile.
template <class Format>
struct Consumer {
  using Rows = GroupedRows<Format>;
  const GroupedProducts& op;
  GroupedShared& shared;
  const GroupedPlace place = {};
  GroupedShared::Weights::Turn weights;
  GroupedShared::Tokens::Turn tokens, done;  // `done`: of products that have ended
  unsigned written = 0;

  float sum[kGroupedTokens / 2];

  __device__ void run() {
    GroupedDeal deal(op);
    for (GroupedTile tile; deal.next(tile);) compute(tile);
  }

  __device__ void compute(const GroupedTile& tile) {
    Rows rows(op, tile, place);
    const int steps = op.steps();
    for (int step = 0; step < steps; step += 2) {
      multiply<0>(rows, tile, step);
      if (step + 1 < steps) multiply<1>(rows, tile, step + 1);
    }
    wait_for_products<0>();
    settle(sum);
    release_tokens();
    op.a.y_fp32 ? write_wide(tile) : write(tile);
  }

  // Begins the products of a step and ends those of the one before.
  template <int kTurn>
  __device__ void multiply(Rows& rows, const GroupedTile& tile, int step) {
    const int part = step % Rows::kParts;
    if (part == 0) shared.weights.wait_full(weights);
    rows.template prepare<kTurn>(shared.weights.tile[weights.stage()], part);
    if constexpr (Rows::kInRegisters) {
      // Before the products, whose operands the compiler may still be making: it is the fence alone that orders the loads.
      if (part == Rows::kParts - 1 || step == op.steps() - 1) shared.weights.release_loaded(weights);
    } else {
      ++weights.count;
    }
    shared.tokens.wait_full(tokens);
    fence_async_proxy();  // The copies were ordinary ones. A fence in those who copied instead, a step later, was as fast or 7 % slower.
    const std::uint64_t x = swizzled_matrix(shared_address(&shared.tokens.tile[tokens.stage()]), 0);
    ++tokens.count;
    switch ((tile.pairs + 31) / 32) {
      case 1:
        begin<kTurn, 32>(rows, x, step);
        break;
      case 2:
        begin<kTurn, 64>(rows, x, step);
        break;
      case 3:
        begin<kTurn, 96>(rows, x, step);
        break;
      case 4:
        begin<kTurn, 128>(rows, x, step);
        break;
      case 5:
        begin<kTurn, 160>(rows, x, step);
        break;
      case 6:
        begin<kTurn, 192>(rows, x, step);
        break;
      case 7:
        begin<kTurn, 224>(rows, x, step);
        break;
      default:
        begin<kTurn, 256>(rows, x, step);
    }
    wait_for_products<1>();
    if (step > 0) release_tokens();
  }
  // With its own begin_products() and end_products(): around the cases ptxas takes the products one by one.
  template <int kTurn, int kColumns>
  __device__ void begin(Rows& rows, std::uint64_t x, int step) {
    rows.template settle_rows<kTurn>();
    begin_products();
#pragma unroll
    for (int i = 0; i < kStepInputs / 16; ++i) {
      rows.template multiply<kTurn, kColumns>(sum, i, later(x, 32 * i), step > 0 || i > 0);
    }
    end_products();
  }
  // And weights that products read where they lie.
  __device__ void release_tokens() {
    if constexpr (!Rows::kInRegisters) {
      typename GroupedShared::Weights::Turn same{done.count};
      shared.weights.release(same);
    }
    shared.tokens.release(done);
  }

  // 32 tokens at a time through shared memory, because a lane has two tokens of a row and memory wants rows side by side.
  __device__ void write(const GroupedTile& tile) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int from = 0; from < kGroupedTokens; from += OutputTile::kTokens) {
      if (from >= tile.pairs) break;
      OutputTile& out = shared.outputs[place.group][written++ % 2];
      const auto at = [&](int token, int chunk) { return shared_address(&out.token[token][8 * (chunk ^ token % 8)]); };
      if (op.a.gated) {
        unsigned pairs[4];
#pragma unroll
        for (int n = 0; n < 4; ++n) {
          const float* s = sum + from / 2 + 4 * n;
          pairs[n] = to_bf16_pair(silu(s[0]) * s[2], silu(s[1]) * s[3]);
        }
        store_matrices_turned(at(lane, place.warp), pairs);
      } else {
#pragma unroll
        for (int n = 0; n < 4; n += 2) {
          const float* s = sum + from / 2 + 4 * n;
          const unsigned pairs[4] = {to_bf16_pair(s[0], s[1]), to_bf16_pair(s[2], s[3]), to_bf16_pair(s[4], s[5]),
                                     to_bf16_pair(s[6], s[7])};
          store_matrices_turned(at(8 * n + lane / 16 * 8 + lane % 8, 2 * place.warp + lane / 8 % 2), pairs);
        }
      }
      meet();
      write_rows(tile, from, out);
    }
  }
  __device__ void write_rows(const GroupedTile& tile, int from, const OutputTile& out) const {
    const int chunks = op.a.gated ? 4 : 8, first_row = tile.row + 8 * chunks * place.group;
    for (int i = threadIdx.x % kWarpgroup; i < OutputTile::kTokens * chunks; i += kWarpgroup) {
      const int token = i / chunks, chunk = i % chunks, row = first_row + 8 * chunk;
      if (from + token >= tile.pairs || row >= op.a.rows) continue;
      const std::int64_t to = (static_cast<std::int64_t>(tile.first_pair) + from + token) * op.a.y_stride + row;
      *reinterpret_cast<uint4*>(static_cast<std::uint16_t*>(op.a.y) + to) =
          *reinterpret_cast<const uint4*>(&out.token[token][8 * (chunk ^ token % 8)]);
    }
  }
  // Before it all have read what they wrote to the other tile of outputs.
  __device__ void meet() const { asm volatile("bar.sync %0, 128;" ::"r"(place.group + 1) : "memory"); }

  __device__ void write_wide(const GroupedTile& tile) const {
    const bool gated = op.a.gated;
#pragma unroll
    for (int i = 0; i < kGroupedTokens / 2; ++i) {
      const int token = i / 4 * 8 + 2 * place.t + i % 2, half = i % 4 / 2;
      const int row = tile.row + place.output(gated, half);
      if (token >= tile.pairs || row >= op.a.rows || (gated && half == 1)) continue;
      store_output(op.a, tile.first_pair + token, row, gated ? silu(sum[i]) * sum[i | 2] : sum[i]);
    }
  }
};

template <class Format>
__global__ __launch_bounds__(kThreads, 1) void grouped_products(const __grid_constant__ GroupedProducts op) {
#ifndef FATHOM_WARPGROUP_PRODUCTS
  __trap();
#endif
  extern __shared__ __align__(1024) char memory[];
  auto& shared = *reinterpret_cast<GroupedShared*>(memory);
  start_successor();
  if (threadIdx.x == 0) shared.begin();
  __syncthreads();
  wait_for_predecessor();
  if (threadIdx.x < kWarpgroup) {
    give_registers<kProducerRegisters>();
    Producer<GroupedRows<Format>::kParts>{op, shared}.run();
  } else {
    take_registers<kConsumerRegisters>();
    Consumer<Format>{op, shared}.run();
  }
}

template <class Format>
void run(const Launch& how, const GroupedProducts& op, const DeviceTraits& device) {
  static bool allowed[64] = {};
  int number = 0;
  check(cudaGetDevice(&number), "device");
  if (!allowed[number]) allow_shared_memory(grouped_products<Format>, sizeof(GroupedShared)), allowed[number] = true;
  launch("grouped_linear", grouped_products<Format>, dim3(device.multiprocessors), kThreads, sizeof(GroupedShared), how,
         op);
}

CUtensorMap mapped(const GroupedLinear& op, const Weights& w) {
  const std::int64_t bits = w.format == WeightFormat::kBf16 ? 16 : w.format == WeightFormat::kFp8Block128 ? 8 : 4;
  const auto rows = static_cast<std::uint64_t>(op.experts * w.rows),
             row_bytes = static_cast<std::uint64_t>(w.cols * bits / 8);
  return tensor_map({.data = w.codes,
                     .size = {row_bytes / 2, rows, 1, 1},
                     .bytes = {row_bytes, rows * row_bytes, rows * row_bytes},
                     .box = {kSwizzledValues, kSlabRows, 1, 1}});
}

bool sixteen_bytes(const void* at, std::int64_t stride) {
  return reinterpret_cast<std::uintptr_t>(at) % 16 == 0 && stride % 8 == 0;
}

// Of an expert. Up to 32 the products of linear_mma.cuh read weights once too, and faster. On an H200, us by them and by these, gate and up
// of 64 experts, 1408x2048: of 17 pairs each bf16 258 and 330, fp8 219 and 271, four bits 218 and 266; of 33 569 and 332, 303 and 273, 282
// and 272; of 384 3876 and 941, 1996 and 823, 1905 and 919.
constexpr int kFewestPairs = 33;

}  // namespace

bool grouped_by_warpgroups(const Launch& how, const GroupedLinear& op, const LinearArguments& a,
                           const DeviceTraits& device) {
  if (device.compute != 90 || op.likely_pairs < kFewestPairs) return false;
  if (!sixteen_bytes(op.x, op.x_stride)) return false;
  if (!op.y_fp32 && (op.w.rows % 8 != 0 || !sixteen_bytes(op.y, op.y_stride))) return false;
  GroupedProducts products{.weights = {}, .a = a, .experts = static_cast<int>(op.experts)};
  products.weights[0] = mapped(op, op.w);
  products.weights[1] = mapped(op, a.gated ? op.up : op.w);
  switch (op.w.format) {
    case WeightFormat::kBf16:
      run<Bf16Rows>(how, products, device);
      break;
    case WeightFormat::kFp8Block128:
      run<Fp8Rows>(how, products, device);
      break;
    case WeightFormat::kInt4G128:
      run<Int4Rows>(how, products, device);
      break;
  }
  return true;
}

}  // namespace fathom::cuda
