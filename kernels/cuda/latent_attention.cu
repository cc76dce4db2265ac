// Absorbed MLA flash decoding, 576 values per key of which 512 are the value. Rows (new rows times heads) go in tiles of sixteen, four
// warps to a tile. Against a page of 64 tokens each warp multiplies a quarter of the inputs, 144, so that its share of the queries
// stays in registers; the four parts of the scores meet in shared memory; then each warp takes a quarter of the outputs, 128.
// The next page is under way meanwhile.
#include <algorithm>

#include "cuda/attention_split.cuh"
#include "cuda/decode_attention.h"
#include "cuda/launch.cuh"
#include "cuda/mma.cuh"
#include "cuda/plain_attention.cuh"

namespace fathom::cuda {
namespace {

constexpr int kKey = 576, kValue = 512;
constexpr int kPageRow = 2 * kKey + 16;  // bytes in shared memory
constexpr int kPageBytes = kPageTokens * kPageRow;
constexpr int kScoreRow = 68;  // floats
constexpr int kWeightRow = 2 * kPageTokens + 16;

template <int kTiles>
struct Sizes {
  static constexpr int kThreads = 128 * kTiles, kRows = 16 * kTiles;
  static constexpr int kScores = 2 * kPageBytes;                              // float [tile][part][16][68]
  static constexpr int kWeights = kScores + kTiles * 4 * 16 * kScoreRow * 4;  // bf16 [tile][16][72]
  static constexpr int kFactors = kWeights + kTiles * 16 * kWeightRow;        // float [tile][16][2]
  static constexpr int kSharedBytes = kFactors + kRows * 8;
};

struct Arguments {
  LatentAttention op;
  SplitSums parts;
};

__device__ inline void tile_barrier(int tile) {  // of the four warps of a tile
  asm volatile("bar.sync %0, 128;" ::"r"(tile + 1) : "memory");
}

// Grid: (tiles, sequences, splits).
template <int kTiles>
__global__ __launch_bounds__(Sizes<kTiles>::kThreads, 1) void decode_latent(const __grid_constant__ Arguments a) {
#ifdef FATHOM_TENSOR_CORES
  using S = Sizes<kTiles>;
  extern __shared__ __align__(16) char shared[];
  const LatentAttention& op = a.op;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const int tile = warp / 4, part = warp % 4;
  const int sequence = blockIdx.y, split = blockIdx.z, splits = gridDim.z;
  const int all_rows = op.rows * op.heads, first_row = blockIdx.x * S::kRows;
  const int rows = min(S::kRows, all_rows - first_row);

  if (splits == 1) start_successor();
  wait_for_predecessor();
  const int length = op.lengths[sequence];
  if (length <= 0) return;
  const SplitRange range = split_range(0, length, split, splits);
  if (range.first >= range.last) return;
  const int last_token = min(length, range.last * kPageTokens);
  const std::int32_t* table = op.table + static_cast<std::int64_t>(sequence) * op.table_stride;

  const auto fetch = [&](int page, int slot) {
    if (page < range.last) {
      constexpr int kChunks = kKey / 8;
      const std::uint16_t* from = op.pages + table[page] * op.page_stride;
#pragma unroll 6
      for (int i = threadIdx.x; i < kPageTokens * kChunks; i += S::kThreads) {
        const int row = i / kChunks, chunk = i % kChunks;
        const bool inside = page * kPageTokens + row < last_token;
        copy_16(shared_address(shared + slot * kPageBytes + row * kPageRow + 16 * chunk), from + (inside ? 8 * i : 0),
                inside);
      }
    }
    end_copy_group();
  };
  fetch(range.first, 0);

  unsigned q[9][4];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = first_row + min(16 * tile + g + 8 * half, rows - 1);
    const auto* from = reinterpret_cast<const unsigned*>(
        op.q + (static_cast<std::int64_t>(sequence) * all_rows + row) * kKey + 144 * part);
#pragma unroll
    for (int k = 0; k < 9; ++k) {
      q[k][half] = from[8 * k + t];
      q[k][half + 2] = from[8 * k + t + 4];
    }
  }

  // Of the softmax, eight lanes have a row: this one's, and the tokens it may see.
  const int soft_row = 4 * part + lane / 8, soft_first = lane % 8 * 8;
  const int to_token = length - (op.rows - 1 - (first_row + min(16 * tile + soft_row, rows - 1)) / op.heads);
  const float scale = op.scale * kLog2E;
  float* scores = reinterpret_cast<float*>(shared + S::kScores) + tile * 4 * 16 * kScoreRow;
  char* weights = shared + S::kWeights + tile * 16 * kWeightRow;
  float* factors = reinterpret_cast<float*>(shared + S::kFactors) + tile * 16 * 2;
  float peak = -INFINITY, total = 0;
  float sum[16][4] = {};

  int slot = 0;
  for (int page = range.first; page < range.last; ++page, slot ^= 1) {
    wait_for_copies<0>();
    __syncthreads();  // the page is there, and nobody reads the one before
    fetch(page + 1, slot ^ 1);
    const unsigned rows_at = shared_address(shared + slot * kPageBytes);

#pragma unroll
    for (int half = 0; half < 2; ++half) {  // 32 tokens each: registers
      float score[4][4] = {};
#pragma unroll
      for (int k = 0; k < 9; ++k) {
#pragma unroll
        for (int n = 0; n < 2; ++n) {
          unsigned b[4];
          load_matrices(b, rows_at + (32 * half + 16 * n + lane % 8 + lane / 16 * 8) * kPageRow +
                               (18 * part + 2 * k + lane / 8 % 2) * 16);
          mma_bf16(score[2 * n], q[k][0], q[k][1], q[k][2], q[k][3], b[0], b[1]);
          mma_bf16(score[2 * n + 1], q[k][0], q[k][1], q[k][2], q[k][3], b[2], b[3]);
        }
      }
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        float* to = scores + (part * 16 + g) * kScoreRow + 32 * half + 8 * n + 2 * t;
        *reinterpret_cast<float2*>(to) = make_float2(score[n][0], score[n][1]);
        *reinterpret_cast<float2*>(to + 8 * kScoreRow) = make_float2(score[n][2], score[n][3]);
      }
    }
    tile_barrier(tile);

    float s[8] = {};
#pragma unroll
    for (int p = 0; p < 4; ++p) {
      const auto* from = reinterpret_cast<const float4*>(scores + (p * 16 + soft_row) * kScoreRow + soft_first);
      const float4 low = from[0], high = from[1];
      s[0] += low.x, s[1] += low.y, s[2] += low.z, s[3] += low.w;
      s[4] += high.x, s[5] += high.y, s[6] += high.z, s[7] += high.w;
    }
    float highest = peak;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      s[i] = page * kPageTokens + soft_first + i < to_token ? s[i] * scale : -INFINITY;
      highest = fmaxf(highest, s[i]);
    }
#pragma unroll
    for (int d = 1; d < 8; d *= 2) highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, d));
    const float shrink = peak == -INFINITY ? 0.0f : exp2f(peak - highest);
    peak = highest;
    total *= shrink;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      s[i] = s[i] == -INFINITY ? 0.0f : exp2f(s[i] - peak);
      total += s[i];
    }
    *reinterpret_cast<uint4*>(weights + soft_row * kWeightRow + 2 * soft_first) = make_uint4(
        to_bf16_pair(s[0], s[1]), to_bf16_pair(s[2], s[3]), to_bf16_pair(s[4], s[5]), to_bf16_pair(s[6], s[7]));
    if (lane % 8 == 0) factors[soft_row] = shrink;
    tile_barrier(tile);

    const float shrinks[2] = {factors[g], factors[g + 8]};
#pragma unroll
    for (int n = 0; n < 16; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[n][i] *= shrinks[i / 2];
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      unsigned p[4];
      load_matrices(p, shared_address(weights) + (lane % 8 + lane / 8 % 2 * 8) * kWeightRow + (2 * k + lane / 16) * 16);
#pragma unroll
      for (int d = 0; d < 8; ++d) {
        unsigned b[4];
        load_matrices_transposed(
            b, rows_at + (16 * k + lane % 8 + lane / 8 % 2 * 8) * kPageRow + (16 * part + 2 * d + lane / 16) * 16);
        mma_bf16(sum[2 * d], p[0], p[1], p[2], p[3], b[0], b[1]);
        mma_bf16(sum[2 * d + 1], p[0], p[1], p[2], p[3], b[2], b[3]);
      }
    }
  }
  wait_for_copies<0>();
  if (splits > 1) start_successor();  // the join: until here its blocks would crowd where there is room

#pragma unroll
  for (int d = 1; d < 8; d *= 2) total += __shfl_xor_sync(0xffffffffu, total, d);
  tile_barrier(tile);  // factors were read
  if (lane % 8 == 0) factors[2 * soft_row] = peak, factors[2 * soft_row + 1] = total;
  tile_barrier(tile);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = 16 * tile + g + 8 * half;
    if (row >= rows) continue;
    const float own = factors[2 * (g + 8 * half) + 1], factor = own > 0 ? 1 / own : 0.0f;
    if (range.active == 1) {
      unsigned* to = reinterpret_cast<unsigned*>(
          op.out + (static_cast<std::int64_t>(sequence) * all_rows + first_row + row) * kValue + 128 * part);
#pragma unroll
      for (int n = 0; n < 16; ++n) {
        to[4 * n + t] = to_bf16_pair(sum[n][2 * half] * factor, sum[n][2 * half + 1] * factor);
      }
    } else {
      float* to = a.parts.at(sequence, blockIdx.x, split, row);
      if (part == 0 && t == 0) to[kValue] = factors[2 * (g + 8 * half)], to[kValue + 1] = own;
#pragma unroll
      for (int n = 0; n < 16; ++n) {
        *reinterpret_cast<float2*>(to + 128 * part + 8 * n + 2 * t) =
            make_float2(sum[n][2 * half], sum[n][2 * half + 1]);
      }
    }
  }
#else
  __trap();
#endif
}

// How the work is cut: tiles of sixteen rows to a block, blocks per sequence and split, splits of the context.
struct Cut {
  int tiles = 1, units = 1, splits = 1;
};

Cut cut_by(int tiles, const LatentAttention& op, const DeviceTraits& device) {
  const int rows = 16 * tiles, units = (op.rows * op.heads + rows - 1) / rows;
  constexpr int kLeastPages = 2;  // one context of 4,096 of V2-Lite: 16 us in 16 parts, 11 in 64
  return {tiles, units, splits_for(op.sequences * units, device.multiprocessors, op.longest, kLeastPages)};
}

// As few tiles as leave a multiprocessor to every block: R1's 64 heads of two ranks took 0.38 ms for 16 layers of 8 x 1,500 in blocks of one
// tile, 0.55 of two and 0.77 of four, which also kept the kernels after it from overlapping; with 64 x 1,900, 2.46, 1.74 and 1.89.
Cut cut_of(const LatentAttention& op, const DeviceTraits& device) {
  Cut cut = cut_by(1, op, device);
  while (cut.tiles < 4 && cut.units > 1 && op.sequences * cut.units > device.multiprocessors) {
    cut = cut_by(2 * cut.tiles, op, device);
  }
  return cut;
}

template <int kTiles>
void run(const Launch& how, const Arguments& a, const Cut& cut) {
  using S = Sizes<kTiles>;
  static_assert(S::kSharedBytes <= 232448);
  static bool allowed[64] = {};
  int device = 0;
  check(cudaGetDevice(&device), "device");
  if (!allowed[device]) allow_shared_memory(decode_latent<kTiles>, S::kSharedBytes), allowed[device] = true;
  launch("latent_attention", decode_latent<kTiles>, dim3(cut.units, a.op.sequences, cut.splits), S::kThreads,
         S::kSharedBytes, how, a);
}

}  // namespace

// Of any context; fewer tiles make more units of fewer splits.
std::size_t attention_workspace_bytes(const LatentAttention& op, const DeviceTraits& device) {
  std::size_t most = 0;
  for (int tiles : {1, 2, 4}) {
    const Cut cut = cut_by(tiles, op, device);
    most = std::max(most, sizeof(float) * op.sequences * cut.units * cut.splits * 16 * tiles * (kValue + 4));
  }
  return most;
}

void latent_attention(const Launch& how, const LatentAttention& op, const Workspace& workspace) {
  const DeviceTraits& device = device_traits();
  const Cut cut = cut_of(op, device);
  const int shared = cut.tiles == 1   ? Sizes<1>::kSharedBytes
                     : cut.tiles == 2 ? Sizes<2>::kSharedBytes
                                      : Sizes<4>::kSharedBytes;
  if (op.plain || device.compute < 80 || shared > device.shared_bytes) {  // 8.0 has 2 KiB too few
    PlainAttention a = plain_arguments(op);
    a.group = op.heads;
    return run_plain<kKey, kValue>(how, a);
  }
  if (attention_workspace_bytes(op, device) > workspace.bytes) {
    throw CudaError("latent_attention: the workspace is too small");
  }
  SplitSums parts;
  parts.sums = static_cast<float*>(workspace.data);
  parts.out = op.out;
  parts.lengths = op.lengths;
  parts.sequences = op.sequences, parts.splits = cut.splits, parts.dim = kValue;
  parts.tiles = cut.units, parts.tile_rows = 16 * cut.tiles;
  parts.rows = op.rows, parts.heads = op.heads, parts.kv_heads = 1;
  const Arguments a{op, parts};
  switch (cut.tiles) {
    case 1:
      run<1>(how, a, cut);
      break;
    case 2:
      run<2>(how, a, cut);
      break;
    default:
      run<4>(how, a, cut);
  }
  if (parts.splits > 1) join_splits(how, parts);
}

}  // namespace fathom::cuda
