// A block takes 128 rows of one head, each of its four warps 32 of them, and walks the context in tiles of 64 tokens. Values are
// copied while scores are computed, the next keys while values are summed; two blocks share a multiprocessor and hide
// each other's softmax. Shared rows are stored with their 16-byte chunks exchanged by row, so that eight rows of a column
// fall into different banks. Hopper has a kernel of its own for heads of 128 and for MLA,
// prefill_attention_wgmma.cu.
#include "cuda/attention_split.cuh"
#include "cuda/launch.cuh"
#include "cuda/mma.cuh"
#include "cuda/prefill_launch.h"
#include "cuda/reduce.cuh"

namespace fathom::cuda {
namespace {

constexpr int kWarps = 4, kThreads = 32 * kWarps;
constexpr int kTokens = 64;  // of a tile, and of a page
static_assert(kTokens == kPageTokens && kPrefillRows == 32 * kWarps);

// Where keys and values of one sequence and one head are. page(first) is of 64 tokens, the first of which is `first`.
template <int kDim>
struct Paged {
  static constexpr int kKey = kDim, kValue = kDim;
  const std::uint16_t* pages;
  const std::int32_t* table;
  std::int64_t page_stride, value_offset;

  __device__ Paged(const PrefillAttention& op, const PrefillTile& tile, int head)
      : pages(op.pages + head / (op.heads / op.kv_heads) * static_cast<std::int64_t>(kPageTokens) * kDim),
        table(op.table + static_cast<std::int64_t>(tile.sequence) * op.table_stride),
        page_stride(op.page_stride),
        value_offset(static_cast<std::int64_t>(op.kv_heads) * kPageTokens * kDim) {}
  __device__ const std::uint16_t* page(int first) const { return pages + table[first / kPageTokens] * page_stride; }
  // The 16 bytes (or more) from value `i` of row `row` on.
  __device__ const std::uint16_t* key(const std::uint16_t* page, int, unsigned row, unsigned i) const {
    return page + row * kDim + i;
  }
  __device__ const std::uint16_t* value(const std::uint16_t* page, unsigned row, unsigned i) const {
    return page + value_offset + row * kDim + i;
  }
};

struct Expanded {
  static constexpr int kKey = 192, kValue = 128, kOwn = 128;  // values of a key that are its head's own
  const std::uint16_t *expanded, *rotary;
  std::int64_t stride, rotary_stride;

  __device__ Expanded(const ExpandedAttention& op, const PrefillTile& tile, int head)
      : expanded(op.expanded +
                 (static_cast<std::int64_t>(op.first_expanded[tile.sequence]) * op.heads + head) * (kOwn + kValue)),
        rotary(op.rotary + op.first_expanded[tile.sequence] * op.rotary_stride),
        stride(static_cast<std::int64_t>(op.heads) * (kOwn + kValue)),
        rotary_stride(op.rotary_stride) {}
  __device__ const std::uint16_t* page(int first) const { return expanded + first * stride; }
  __device__ const std::uint16_t* key(const std::uint16_t* page, int first, unsigned row, unsigned i) const {
    return i < kOwn ? page + row * stride + i : rotary + (first + row) * rotary_stride + i - kOwn;
  }
  __device__ const std::uint16_t* value(const std::uint16_t* page, unsigned row, unsigned i) const {
    return page + row * stride + kOwn + i;
  }
};

template <class Source>
struct Shared {
  static constexpr int kQuery = kPrefillRows * Source::kKey * 2, kKeys = kTokens * Source::kKey * 2,
                       kValues = kTokens * Source::kValue * 2, kBytes = kQuery + kKeys + kValues;
};

// Byte of a 16-byte chunk in a shared tile whose rows have kWidth values.
template <int kWidth>
__device__ inline unsigned chunk_at(unsigned row, unsigned chunk) {
  return row * 2 * kWidth + 16 * (chunk ^ (row % 8));
}

// Rows [first, first + count) to a shared tile of kTileRows, zeros beyond: a NaN there would survive a weight of zero.
template <int kWidth, int kTileRows, class At>
__device__ inline void fetch(unsigned to, int count, const At& at) {
  constexpr int kChunks = kWidth / 8;
#pragma unroll
  for (int i = 0; i < kTileRows * kChunks / kThreads; ++i) {
    const unsigned n = i * kThreads + threadIdx.x, row = n / kChunks, chunk = n % kChunks;
    const bool inside = static_cast<int>(row) < count;
    copy_16(to + chunk_at<kWidth>(row, chunk), at(inside ? row : 0, 8 * chunk), inside);
  }
}

// Grid: (heads, tiles).
template <class Source, class Op>
__global__ __launch_bounds__(kThreads, 2) void prefill(const __grid_constant__ Op op, int window) {
#ifdef FATHOM_TENSOR_CORES
  constexpr int kKey = Source::kKey, kValue = Source::kValue;
  extern __shared__ __align__(128) char shared[];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const int head = blockIdx.x;
  const unsigned queries = shared_address(shared), keys = queries + Shared<Source>::kQuery,
                 values = keys + Shared<Source>::kKeys;
  start_successor();
  wait_for_predecessor();
  const PrefillTile tile = op.tile[blockIdx.y];
  if (tile.rows <= 0) return;
  const Source source(op, tile, head);
  const int end = tile.position + tile.rows;  // of the context of the last row
  const int begin = window > 0 ? max(0, tile.position + 1 - window) / kTokens * kTokens : 0;

  const auto fetch_keys = [&](int first) {
    const std::uint16_t* page = source.page(first);
    fetch<kKey, kTokens>(keys, end - first, [&](unsigned row, unsigned i) { return source.key(page, first, row, i); });
    end_copy_group();
  };
  const auto fetch_values = [&](int first) {
    const std::uint16_t* page = source.page(first);
    fetch<kValue, kTokens>(values, end - first, [&](unsigned row, unsigned i) { return source.value(page, row, i); });
    end_copy_group();
  };
  const std::uint16_t* q = op.q + (static_cast<std::int64_t>(tile.first_row) * op.heads + head) * kKey;
  fetch<kKey, kPrefillRows>(queries, tile.rows,
                            [&](unsigned row, unsigned i) { return q + row * op.heads * kKey + i; });
  fetch_keys(begin);

  // Rows of a lane: warp * 32 + 16 m + g + 8 half. Peaks and totals are per [m][half], peaks of unscaled scores.
  const float scale = op.scale * kLog2E;
  float peak[2][2] = {{-INFINITY, -INFINITY}, {-INFINITY, -INFINITY}}, total[2][2] = {};
  float sum[2][kValue / 8][4] = {};
  for (int first = begin; first < end; first += kTokens) {
    wait_for_copies<0>();
    __syncthreads();  // the keys are there, and nobody needs the values before
    fetch_values(first);

    float score[2][kTokens / 8][4] = {};
#pragma unroll
    for (int k = 0; k < kKey / 16; ++k) {
      unsigned a[2][4];
#pragma unroll
      for (int m = 0; m < 2; ++m) {
        load_matrices(a[m], queries + chunk_at<kKey>(warp * 32 + 16 * m + lane % 16, 2 * k + lane / 16));
      }
#pragma unroll
      for (int n = 0; n < kTokens / 16; ++n) {
        unsigned b[4];
        load_matrices(b, keys + chunk_at<kKey>(16 * n + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2));
#pragma unroll
        for (int m = 0; m < 2; ++m) {
          mma_bf16(score[m][2 * n], a[m][0], a[m][1], a[m][2], a[m][3], b[0], b[1]);
          mma_bf16(score[m][2 * n + 1], a[m][0], a[m][1], a[m][2], a[m][3], b[2], b[3]);
        }
      }
    }

    // Tiles that cross the diagonal or the far edge of the window.
    if (first + kTokens > tile.position + 1 || window > 0) {
#pragma unroll
      for (int m = 0; m < 2; ++m) {
#pragma unroll
        for (int n = 0; n < kTokens / 8; ++n) {
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            const int own = tile.position + warp * 32 + 16 * m + g + i / 2 * 8, token = first + 8 * n + 2 * t + i % 2;
            if (token > own || (window > 0 && token <= own - window)) score[m][n][i] = -INFINITY;
          }
        }
      }
    }

    unsigned p[2][kTokens / 16][4];
#pragma unroll
    for (int m = 0; m < 2; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float highest = peak[m][half];
#pragma unroll
        for (int n = 0; n < kTokens / 8; ++n) {
          highest = fmaxf(highest, fmaxf(score[m][n][2 * half], score[m][n][2 * half + 1]));
        }
        highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 1));
        highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 2));
        // A row that has seen nothing yet keeps its sums at zero.
        const float zero = highest == -INFINITY ? 0.0f : highest * scale;
        const float shrink = exp2_fast(peak[m][half] * scale - zero);
        peak[m][half] = highest;
        float weights = 0;
#pragma unroll
        for (int n = 0; n < kTokens / 8; ++n) {
          float(&s)[4] = score[m][n];
          s[2 * half] = exp2_fast(fmaf(s[2 * half], scale, -zero));
          s[2 * half + 1] = exp2_fast(fmaf(s[2 * half + 1], scale, -zero));
          weights += s[2 * half] + s[2 * half + 1];
        }
        total[m][half] = total[m][half] * shrink + weights;
#pragma unroll
        for (int n = 0; n < kValue / 8; ++n) {
          sum[m][n][2 * half] *= shrink;
          sum[m][n][2 * half + 1] *= shrink;
        }
      }
#pragma unroll
      for (int n = 0; n < kTokens / 16; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float(&s)[4] = score[m][2 * n + i / 2];
          p[m][n][i] = to_bf16_pair(s[i % 2 * 2], s[i % 2 * 2 + 1]);
        }
      }
    }

    wait_for_copies<0>();
    __syncthreads();  // the values are there, and nobody needs these keys
    if (first + kTokens < end) fetch_keys(first + kTokens);
#pragma unroll
    for (int n = 0; n < kTokens / 16; ++n) {
#pragma unroll
      for (int d = 0; d < kValue / 16; ++d) {
        unsigned b[4];
        load_matrices_transposed(b, values + chunk_at<kValue>(16 * n + lane % 8 + lane / 8 % 2 * 8, 2 * d + lane / 16));
#pragma unroll
        for (int m = 0; m < 2; ++m) {
          mma_bf16(sum[m][2 * d], p[m][n][0], p[m][n][1], p[m][n][2], p[m][n][3], b[0], b[1]);
          mma_bf16(sum[m][2 * d + 1], p[m][n][0], p[m][n][1], p[m][n][2], p[m][n][3], b[2], b[3]);
        }
      }
    }
  }

#pragma unroll
  for (int m = 0; m < 2; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float all = total[m][half];
      all += __shfl_xor_sync(0xffffffffu, all, 1);
      all += __shfl_xor_sync(0xffffffffu, all, 2);
      const float factor = all > 0 ? 1 / all : 0.0f;
      const int row = warp * 32 + 16 * m + g + 8 * half;
      if (row >= tile.rows) continue;
      unsigned* out = reinterpret_cast<unsigned*>(
          op.out + (static_cast<std::int64_t>(tile.first_row + row) * op.heads + head) * kValue);
#pragma unroll
      for (int n = 0; n < kValue / 8; ++n) {
        out[4 * n + t] = to_bf16_pair(sum[m][n][2 * half] * factor, sum[m][n][2 * half + 1] * factor);
      }
    }
  }
#else
  __trap();
#endif
}

// For any device: a warp has one row of one head and walks its tokens. Grid: (heads, tiles, rows of a tile / kWarps).
template <class Source, class Op>
__global__ __launch_bounds__(kThreads) void prefill_plain(const __grid_constant__ Op op, int window) {
  constexpr int kKeys = Source::kKey / 32, kValues = Source::kValue / 32;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, head = blockIdx.x;
  start_successor();
  wait_for_predecessor();
  const PrefillTile tile = op.tile[blockIdx.y];
  const int row = blockIdx.z * kWarps + warp;
  if (row >= tile.rows) return;
  const Source source(op, tile, head);
  const std::int64_t at = static_cast<std::int64_t>(tile.first_row + row) * op.heads + head;
  const int last = tile.position + row;
  float q[kKeys], sum[kValues] = {}, peak = -INFINITY, total = 0;
#pragma unroll
  for (int i = 0; i < kKeys; ++i) q[i] = from_bf16(op.q[at * Source::kKey + 32 * i + lane]) * op.scale;
  for (int token = window > 0 ? max(0, last + 1 - window) : 0; token <= last; ++token) {
    const int first = token / kTokens * kTokens;
    const std::uint16_t* page = source.page(first);
    float score = 0;
#pragma unroll
    for (int i = 0; i < kKeys; ++i) {
      score = fmaf(q[i], from_bf16(source.key(page, first, token % kTokens, 32 * i)[lane]), score);
    }
    score = warp_sum(score);
    const float highest = fmaxf(peak, score), shrink = expf(peak - highest), weight = expf(score - highest);
    peak = highest;
    total = total * shrink + weight;
#pragma unroll
    for (int i = 0; i < kValues; ++i) {
      sum[i] = sum[i] * shrink + weight * from_bf16(source.value(page, token % kTokens, 32 * i)[lane]);
    }
  }
#pragma unroll
  for (int i = 0; i < kValues; ++i) op.out[at * Source::kValue + 32 * i + lane] = to_bf16(sum[i] / total);
}

template <class Source, class Op>
void run(const char* name, const Launch& how, const Op& op, int window) {
  if (op.tiles == 0) return;
  if (op.kernel == PrefillKernel::kPlain || device_traits().compute < 80) {
    launch(name, prefill_plain<Source, Op>, dim3(op.heads, op.tiles, kPrefillRows / kWarps), kThreads, 0, how, op,
           window);
    return;
  }
  static bool allowed[64] = {};
  int device = 0;
  check(cudaGetDevice(&device), "device");
  if (!allowed[device]) allow_shared_memory(prefill<Source, Op>, Shared<Source>::kBytes), allowed[device] = true;
  launch(name, prefill<Source, Op>, dim3(op.heads, op.tiles), kThreads, Shared<Source>::kBytes, how, op, window);
}

}  // namespace

void prefill_attention(const Launch& how, const PrefillAttention& op) {
  if (op.kernel == PrefillKernel::kNewest && prefill_by_warpgroups(how, op)) return;
  const int window = static_cast<int>(op.window);
  if (op.head_dim == 128) {
    run<Paged<128>>("prefill_attention", how, op, window);
  } else if (op.head_dim == 64) {
    run<Paged<64>>("prefill_attention", how, op, window);
  } else {
    throw CudaError("prefill_attention: head_dim must be 64 or 128");
  }
}

void expanded_attention(const Launch& how, const ExpandedAttention& op) {
  if (op.kernel == PrefillKernel::kNewest && prefill_by_warpgroups(how, op)) return;
  run<Expanded>("expanded_attention", how, op, 0);
}

}  // namespace fathom::cuda
