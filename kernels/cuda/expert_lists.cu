// The lists of router.h. A block per expert reads all choices: nothing passes from block to block, and the order is fixed.
#include <algorithm>

#include "cuda/expert_place.cuh"
#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "cuda/router.h"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32, kMostExperts = 1024;

__global__ __launch_bounds__(kThreads) void list_rows(const __grid_constant__ ExpertLists op) {
  __shared__ unsigned present[kMostExperts / 32];
  __shared__ int scratch[kWarps], counts[kWarps], all_of[kWarps];
  const int own = blockIdx.x, choices = op.rows * op.chosen, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int i = threadIdx.x; i < kMostExperts / 32; i += kThreads) present[i] = 0;
  start_successor();
  wait_for_predecessor();
  __syncthreads();

  // Pairs before this expert's, pairs in all, and which experts have any.
  int before = 0, all = 0;
  for (int i = threadIdx.x; i < choices; i += kThreads) {
    const int e = place_of(op, op.expert[i]);
    if (e < 0 || e >= op.experts) {
      if (own == 0) op.pair_of_choice[i] = -1;
      continue;
    }
    ++all;
    before += e < own;
    atomicOr(&present[e / 32], 1u << e % 32);
  }
  before = block_sum(before, scratch);
  all = block_sum(all, all_of);
  int used_before = 0, used = 0;
  for (int i = 0; i < (op.experts + 31) / 32; ++i) {
    used += __popc(present[i]);
    const unsigned below = 32 * i + 32 <= own ? ~0u : 32 * i >= own ? 0u : (1u << own % 32) - 1;
    used_before += __popc(present[i] & below);
  }
  if (threadIdx.x == 0) {
    op.first_pair[own] = before;
    if (own + 1 == op.experts) op.first_pair[op.experts] = all;
    if (present[own / 32] >> own % 32 & 1) op.used[used_before] = own;
    if (own >= used) op.used[own] = -1;
  }
  if (!(present[own / 32] >> own % 32 & 1)) return;

  int next = before;
  for (int base = 0; base < choices; base += kThreads) {
    const int i = base + threadIdx.x;
    const bool wanted = i < choices && place_of(op, op.expert[i]) == own;
    const unsigned lanes = __ballot_sync(0xffffffffu, wanted);
    if (lane == 0) counts[warp] = __popc(lanes);
    __syncthreads();
    int place = next;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      if (w < warp) place += counts[w];
      next += counts[w];
    }
    if (wanted) {
      place += __popc(lanes & ((1u << lane) - 1));
      op.token_of_pair[place] = i / op.chosen;
      op.pair_of_choice[i] = place;
    }
    __syncthreads();
  }
}

// Grid: (groups of four values, rows).
__global__ void combine_rows(const Combine op) {
  const int column = 4 * (blockIdx.x * kThreads + threadIdx.x);
  start_successor();
  wait_for_predecessor();
  if (column >= op.width) return;
  for (std::int64_t row = blockIdx.y; row < op.rows; row += gridDim.y) {
    float4 sum = {0, 0, 0, 0};
    if (op.add != nullptr) sum = read_four(op.add, true, row * op.width + column);
#pragma unroll 8
    for (int k = 0; k < op.chosen; ++k) {
      const int pair = op.pair_of_choice[row * op.chosen + k];
      if (pair < 0) continue;
      const float weight = op.weight[row * op.chosen + k];
      const float4 y = read_four(op.y, op.y_fp32, static_cast<std::int64_t>(pair) * op.width + column);
      sum.x += weight * y.x, sum.y += weight * y.y, sum.z += weight * y.z, sum.w += weight * y.w;
    }
    if (op.partial != nullptr) {
      write_four(op.partial, row * op.width + column, sum.x, sum.y, sum.z, sum.w);
    } else {
      *reinterpret_cast<float4*>(op.out + row * op.width + column) = sum;
    }
  }
}

}  // namespace

void list_experts(const Launch& how, const ExpertLists& op) {
  if (op.experts > kMostExperts) throw CudaError("list_experts: so many experts are not supported");
  if (op.experts < 1) return;
  launch("list_experts", list_rows, op.experts, kThreads, 0, how, op);
}

void combine(const Launch& how, const Combine& op) {
  if (op.width % 4 != 0) throw CudaError("combine: the width must be a multiple of 4");
  if (op.rows < 1) return;
  const dim3 grid((op.width / 4 + kThreads - 1) / kThreads, std::min(op.rows, 4096));
  launch("combine", combine_rows, grid, kThreads, 0, how, op);
}

}  // namespace fathom::cuda
