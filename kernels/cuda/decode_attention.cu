// GQA flash decoding. Sixteen rows (new rows times the query heads of a KV head) are the A operand of the tensor cores. Each of four
// warps walks its own sixteen tokens of a page with its own running maximum and sum and its own queue of background
// copies, so that nothing waits for a barrier until the end.
#include <algorithm>

#include "cuda/attention_split.cuh"
#include "cuda/decode_attention.h"
#include "cuda/launch.cuh"
#include "cuda/mma.cuh"
#include "cuda/plain_attention.cuh"
#include "cuda/rope_head.cuh"

namespace fathom::cuda {
namespace {

constexpr int kWarps = 4, kThreads = 32 * kWarps;
constexpr int kRows = 16;  // of a tile
constexpr int kTile = 16;  // tokens of a warp's step

template <int kDim, int kQueue>
struct Sizes {
  static constexpr int kStages = kQueue;
  static constexpr int kRowBytes = 2 * kDim + 16;  // rows of eight 16-byte reads fall into different banks
  static constexpr int kStageBytes = 2 * kTile * kRowBytes;
  static constexpr int kQueueBytes = kWarps * kStages * kStageBytes;
  static constexpr int kSumBytes = kWarps * kRows * (kDim + 2) * 4;
  static constexpr int kSharedBytes = kQueueBytes > kSumBytes ? kQueueBytes : kSumBytes;
  // Heads that are turned meet in the queue's last stage, which is filled last.
  static constexpr int kTurnedAt = (kStages - 1) * kStageBytes, kNewestAt = kTurnedAt + kRows * kRowBytes;
  static_assert(kNewestAt + 2 * 2 * kDim <= kStages * kStageBytes);
};

struct Arguments {
  DecodeAttention op;
  SplitSums parts;
};

// One row's place: row = new row * group + head of the group.
struct RowPlace {
  int group, row;
  __device__ int new_row() const { return row / group; }
  __device__ std::int64_t at(const DecodeAttention& op, int sequence, int kv_head) const {
    return ((static_cast<std::int64_t>(sequence) * op.rows + new_row()) * op.heads + kv_head * group + row % group) *
           op.head_dim;
  }
};

// A tile's queries, turned, to `queries`; of the newest token keys and values, turned, to `newest` and their page. Every warp has a few of
// these heads and reads them all before it works on one.
template <int kDim, int kRowBytes>
__device__ void turn_heads(const RopeHeads& op, int row, int kv_head, int group, int first_row, int rows,
                           bool has_newest, char* queries, char* newest) {
  constexpr int kPairs = kDim / 64, kHalf = kDim / 2, kEach = kRows / kWarps;
  const int warp = threadIdx.x / 32;
  const HeadAngles<kPairs> angles(op.rows, row);
  HeadValues<kPairs> query[kEach], key, value;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int head = kv_head * group + first_row + warp + i * kWarps;
    if (warp + i * kWarps < rows) query[i].read(op.rows, op.q + row * op.q_stride + head * kDim, kHalf);
  }
  if (has_newest) {
    key.read(op.rows, op.k + row * op.k_stride + kv_head * kDim, kHalf);
    value.read(op.rows, op.v + row * op.v_stride + kv_head * kDim, kHalf);
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int tile_row = warp + i * kWarps;
    if (tile_row >= rows) continue;
    query[i].write(op.rows, op.q_norm, op.epsilon, &angles,
                   reinterpret_cast<std::uint16_t*>(queries + tile_row * kRowBytes), kHalf);
  }
  if (!has_newest) return;
  auto* keys = reinterpret_cast<std::uint16_t*>(newest);
  key.write(op.rows, op.k_norm, op.epsilon, &angles, keys, kHalf);
  value.write(op.rows, nullptr, 0, nullptr, keys + kDim, kHalf);
}

// A lane's part of the newest token's keys and values.
template <int kDim>
__device__ void put_newest(const uint4& part, void* keys, void* values) {
  constexpr int kChunks = kDim / 8;
  const int lane = threadIdx.x % 32;
  if (lane < 2 * kChunks) static_cast<uint4*>(lane < kChunks ? keys : values)[lane % kChunks] = part;
}

// Grid: (KV heads * tiles, sequences, splits).
template <int kDim, int kQueue>
__global__ __launch_bounds__(kThreads, 2) void decode(const __grid_constant__ Arguments a) {
#ifdef FATHOM_TENSOR_CORES
  using S = Sizes<kDim, kQueue>;
  extern __shared__ __align__(16) char shared[];
  const DecodeAttention& op = a.op;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const int kv_head = blockIdx.x / a.parts.tiles, first_row = blockIdx.x % a.parts.tiles * kRows;
  const int sequence = blockIdx.y, split = blockIdx.z, splits = gridDim.z;
  const int group = op.heads / op.kv_heads, rows = min(kRows, op.rows * group - first_row);

  if (splits == 1) start_successor();
  const int length = op.lengths[sequence];  // lengths and tables are there before the step begins
  if (length <= 0) return wait_for_predecessor();
  const int window = static_cast<int>(op.window);
  const SplitRange range = split_range(a.parts.first_token(length), length, split, splits);
  if (range.first >= range.last) return wait_for_predecessor();
  const int last_token = min(length, range.last * kPageTokens);
  const std::int32_t* table = op.table + static_cast<std::int64_t>(sequence) * op.table_stride;

  char* queue = shared + warp * S::kStages * S::kStageBytes;
  const std::int64_t head_values = kPageTokens * kDim;
  // The newest token's place, where it comes by way of `newest`, and not from its page.
  const bool turns = op.rope.rows.rows > 0;
  const int newest_row = turns && (length - 1) % kPageTokens / kTile == warp ? length - 1 : -1;
  const auto fetch = [&](int page, int slot) {
    constexpr int kChunks = kDim / 8;  // of a row
    if (page < range.last) {
      const std::uint16_t* keys = op.pages + table[page] * op.page_stride + kv_head * head_values + warp * kTile * kDim;
      const std::uint16_t* values = keys + op.kv_heads * head_values;
      const int first = page * kPageTokens + warp * kTile;
#pragma unroll
      for (int i = 0; i < kTile * kChunks / 32; ++i) {
        const int row = (i * 32 + lane) / kChunks, chunk = (i * 32 + lane) % kChunks;
        const bool inside = first + row < last_token;
        if (first + row == newest_row) continue;
        const unsigned to = shared_address(queue + slot * S::kStageBytes + row * S::kRowBytes + 16 * chunk);
        const std::int64_t from = inside ? row * kDim + 8 * chunk : 0;
        copy_16(to, keys + from, inside);
        copy_16(to + kTile * S::kRowBytes, values + from, inside);
      }
    }
    end_copy_group();
  };
  const int settled = (length - op.rows) / kPageTokens;  // of the pages before it no row is new
#pragma unroll
  for (int s = 0; s < S::kStages - 1; ++s) {
    if (range.first + s < settled) fetch(range.first + s, s);
  }
  wait_for_predecessor();
#pragma unroll
  for (int s = 0; s < S::kStages - 1; ++s) {
    if (range.first + s >= settled) fetch(range.first + s, s);
  }

  const bool has_newest = newest_row >= range.first * kPageTokens && newest_row < last_token;
  char* queries = shared + S::kTurnedAt;  // of the first warp
  uint4 newest = {0, 0, 0, 0};
  if (turns) {
    char* own = queue + S::kNewestAt;
    turn_heads<kDim, S::kRowBytes>(op.rope, sequence, kv_head, group, first_row, rows, has_newest, queries, own);
    __syncthreads();
    if (has_newest) {
      if (lane < kDim / 4) newest = reinterpret_cast<const uint4*>(own)[lane];
      if (first_row == 0) {
        std::uint16_t* keys = op.rope.pages + table[newest_row / kPageTokens] * op.rope.page_stride +
                              kv_head * head_values + newest_row % kPageTokens * kDim;
        put_newest<kDim>(newest, keys, keys + op.kv_heads * head_values);
      }
    }
  }

  // Rows g and g + 8 of the queries, and the tokens each of them may see.
  unsigned q[kDim / 16][4];
  int from_token[2], to_token[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const RowPlace place{group, first_row + min(g + 8 * half, rows - 1)};
    to_token[half] = length - (op.rows - 1 - place.new_row());
    from_token[half] = window > 0 ? to_token[half] - window : 0;
    const unsigned* row = turns ? reinterpret_cast<const unsigned*>(queries + (place.row - first_row) * S::kRowBytes)
                                : reinterpret_cast<const unsigned*>(op.q + place.at(op, sequence, kv_head));
#pragma unroll
    for (int k = 0; k < kDim / 16; ++k) {
      q[k][half] = row[8 * k + t];
      q[k][half + 2] = row[8 * k + t + 4];
    }
  }

  if (turns) __syncthreads();  // before the last stage is filled

  const float scale = op.scale * kLog2E;
  float peak[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};
  float sum[kDim / 8][4] = {};
  int slot = 0;
  for (int page = range.first; page < range.last; ++page) {
    wait_for_copies<S::kStages - 2>();
    __syncwarp();
    fetch(page + S::kStages - 1, (slot + S::kStages - 1) % S::kStages);
    if (has_newest && page == newest_row / kPageTokens) {
      char* row = queue + slot * S::kStageBytes + newest_row % kTile * S::kRowBytes;
      put_newest<kDim>(newest, row, row + kTile * S::kRowBytes);
      __syncwarp();
    }
    const unsigned keys = shared_address(queue + slot * S::kStageBytes), values = keys + kTile * S::kRowBytes;

    float score[2][4] = {};
#pragma unroll
    for (int k = 0; k < kDim / 16; ++k) {
      unsigned b[4];  // tokens 0-7 and 8-15, inputs 16 k .. and 16 k + 8 ..
      load_matrices(b, keys + (lane % 8 + lane / 16 * 8) * S::kRowBytes + (2 * k + lane / 8 % 2) * 16);
      mma_bf16(score[0], q[k][0], q[k][1], q[k][2], q[k][3], b[0], b[1]);
      mma_bf16(score[1], q[k][0], q[k][1], q[k][2], q[k][3], b[2], b[3]);
    }
    const int first = page * kPageTokens + warp * kTile;
    float highest[2] = {peak[0], peak[1]};
#pragma unroll
    for (int n = 0; n < 2; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int token = first + 8 * n + 2 * t + i % 2, half = i / 2;
        score[n][i] = token < to_token[half] && token >= from_token[half] ? score[n][i] * scale : -INFINITY;
        highest[half] = fmaxf(highest[half], score[n][i]);
      }
    }
    float shrink[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      highest[half] = fmaxf(highest[half], __shfl_xor_sync(0xffffffffu, highest[half], 1));
      highest[half] = fmaxf(highest[half], __shfl_xor_sync(0xffffffffu, highest[half], 2));
      shrink[half] = peak[half] == -INFINITY ? 0.0f : exp2f(peak[half] - highest[half]);
      peak[half] = highest[half];
      total[half] *= shrink[half];
    }
#pragma unroll
    for (int n = 0; n < 2; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        score[n][i] = score[n][i] == -INFINITY ? 0.0f : exp2f(score[n][i] - peak[i / 2]);
        total[i / 2] += score[n][i];
      }
    }
    const unsigned p[4] = {to_bf16_pair(score[0][0], score[0][1]), to_bf16_pair(score[0][2], score[0][3]),
                           to_bf16_pair(score[1][0], score[1][1]), to_bf16_pair(score[1][2], score[1][3])};
#pragma unroll
    for (int d = 0; d < kDim / 16; ++d) {
      unsigned b[4];  // tokens 0-7 and 8-15 of outputs 16 d .., then of 16 d + 8 ..
      load_matrices_transposed(b, values + (lane % 8 + lane / 8 % 2 * 8) * S::kRowBytes + (2 * d + lane / 16) * 16);
#pragma unroll
      for (int n = 0; n < 2; ++n) {
        float(&s)[4] = sum[2 * d + n];
        s[0] *= shrink[0], s[1] *= shrink[0], s[2] *= shrink[1], s[3] *= shrink[1];
        mma_bf16(s, p[0], p[1], p[2], p[3], b[2 * n], b[2 * n + 1]);
      }
    }
    slot = (slot + 1) % S::kStages;
    __syncwarp();
  }
  wait_for_copies<0>();
  if (splits > 1) start_successor();  // the join: until here its blocks would crowd where there is room
  __syncthreads();

  // The four warps' sums, [warp][row][head_dim + 2].
  constexpr int kWidth = kDim + 2;
  float* sums = reinterpret_cast<float*>(shared);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    total[half] += __shfl_xor_sync(0xffffffffu, total[half], 1);
    total[half] += __shfl_xor_sync(0xffffffffu, total[half], 2);
    float* to = sums + (warp * kRows + g + 8 * half) * kWidth;
    if (t == 0) to[0] = peak[half], to[1] = total[half];
#pragma unroll
    for (int n = 0; n < kDim / 8; ++n) {
      to[2 + 8 * n + 2 * t] = sum[n][2 * half];
      to[2 + 8 * n + 2 * t + 1] = sum[n][2 * half + 1];
    }
  }
  __syncthreads();
  float* partial = a.parts.at(sequence, blockIdx.x, split, 0);
  for (int i = threadIdx.x; i < rows * kDim; i += kThreads) {
    const int row = i / kDim, d = i % kDim;
    float highest = -INFINITY, value = 0, weight = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) highest = fmaxf(highest, sums[(w * kRows + row) * kWidth]);
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      const float* from = sums + (w * kRows + row) * kWidth;
      const float shrink = from[0] == -INFINITY ? 0.0f : exp2f(from[0] - highest);
      value += shrink * from[2 + d];
      weight += shrink * from[1];
    }
    if (range.active == 1) {
      const RowPlace place{group, first_row + row};
      op.out[place.at(op, sequence, kv_head) + d] = to_bf16(weight > 0 ? value / weight : 0.0f);
    } else {
      float* to = partial + row * a.parts.width();
      to[d] = value;
      if (d == 0) to[kDim] = highest, to[kDim + 1] = weight;
    }
  }
#else
  __trap();
#endif
}

int tiles_of(const DecodeAttention& op) { return (op.rows * (op.heads / op.kv_heads) + kRows - 1) / kRows; }

int splits_of(const DecodeAttention& op, const DeviceTraits& device) {
  return splits_for(op.sequences * op.kv_heads * tiles_of(op), 2 * device.multiprocessors, op.longest);
}

template <int kDim, int kQueue>
void run_queued(const Launch& how, const Arguments& a, int splits) {
  using S = Sizes<kDim, kQueue>;
  static bool allowed[64] = {};
  int device = 0;
  check(cudaGetDevice(&device), "device");
  if (!allowed[device]) allow_shared_memory(decode<kDim, kQueue>, S::kSharedBytes), allowed[device] = true;
  launch("decode_attention", decode<kDim, kQueue>, dim3(a.op.kv_heads * a.parts.tiles, a.op.sequences, splits),
         kThreads, S::kSharedBytes, how, a);
}

// A few pages need no long queue, and a short one leaves room for the next kernel's weights beside it.
template <int kDim>
void run(const Launch& how, const Arguments& a, int splits) {
  const bool few = a.op.longest > 0 && a.op.longest <= 4 * kPageTokens;
  few ? run_queued<kDim, 2>(how, a, splits) : run_queued<kDim, kDim == 128 ? 3 : 4>(how, a, splits);
}

}  // namespace

std::size_t attention_workspace_bytes(const DecodeAttention& op, const DeviceTraits& device) {
  return sizeof(float) * op.sequences * op.kv_heads * tiles_of(op) * splits_of(op, device) * kRows * (op.head_dim + 4);
}

void decode_attention(const Launch& how, const DecodeAttention& op, const Workspace& workspace) {
  const DeviceTraits& device = device_traits();
  if (op.head_dim != 64 && op.head_dim != 128) throw CudaError("decode_attention: head_dim must be 64 or 128");
  if (op.rope.rows.rows > 0 && (op.rows != 1 || op.rope.rows.rows != op.sequences)) {
    throw CudaError("decode_attention: one new row per sequence can be turned");
  }
  if (op.plain || device.compute < 80) {
    rope_heads(how, op.rope);
    PlainAttention a = plain_arguments(op);
    a.group = op.heads / op.kv_heads;
    a.window = static_cast<int>(op.window);
    a.value_offset = static_cast<std::int64_t>(op.kv_heads) * kPageTokens * op.head_dim;
    return op.head_dim == 128 ? run_plain<128, 128>(how, a) : run_plain<64, 64>(how, a);
  }
  if (attention_workspace_bytes(op, device) > workspace.bytes) {
    throw CudaError("decode_attention: the workspace is too small");
  }
  SplitSums parts;
  parts.sums = static_cast<float*>(workspace.data);
  parts.out = op.out;
  parts.lengths = op.lengths;
  parts.sequences = op.sequences, parts.splits = splits_of(op, device), parts.dim = op.head_dim;
  parts.tiles = tiles_of(op), parts.tile_rows = kRows;
  parts.rows = op.rows, parts.heads = op.heads, parts.kv_heads = op.kv_heads;
  parts.window = static_cast<int>(op.window);
  if (op.head_dim == 128) {
    run<128>(how, {op, parts}, parts.splits);
  } else {
    run<64>(how, {op, parts}, parts.splits);
  }
  if (parts.splits > 1) join_splits(how, parts);
}

}  // namespace fathom::cuda
