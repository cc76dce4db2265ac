// A block per row. Each warp has a stretch of the vocabulary: its sum tells which warp's stretch the draw falls into, and that
// warp walks it.
#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "cuda/sample.h"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 1024, kWarps = kThreads / 32;

// The finaliser of MurmurHash3 (Appleby), as the host's sampler has it.
__device__ inline std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
  return x ^ (x >> 33);
}

__device__ inline void better(float& value, int& number, float other, int place) {
  if (other > value || (other == value && place < number)) value = other, number = place;
}

__global__ __launch_bounds__(kThreads) void sample_rows(const __grid_constant__ Sample op) {
  __shared__ float values[kWarps];
  __shared__ int numbers[kWarps];
  __shared__ double sums[kWarps];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, row = blockIdx.x;
  start_successor();
  wait_for_predecessor();
  const float* logits = op.logits + row * op.logit_stride;

  float value = -INFINITY;
  int number = op.vocabulary;
#pragma unroll 8
  for (int i = threadIdx.x; i < op.vocabulary; i += kThreads) better(value, number, logits[i], i);
#pragma unroll
  for (int d = 16; d > 0; d /= 2) {
    better(value, number, __shfl_xor_sync(0xffffffffu, value, d), __shfl_xor_sync(0xffffffffu, number, d));
  }
  if (lane == 0) values[warp] = value, numbers[warp] = number;
  __syncthreads();
  value = values[0], number = numbers[0];
  for (int w = 1; w < kWarps; ++w) better(value, number, values[w], numbers[w]);
  if (number >= op.vocabulary) number = 0;  // all are NaN or -inf
  if (op.temperature <= 0) {
    if (threadIdx.x == 0) op.token[row] = number;
    return;
  }

  const auto weight = [&](int i) { return exp(static_cast<double>(logits[i] - value) / op.temperature); };
  const int each = (op.vocabulary + kWarps - 1) / kWarps, begin = min(warp * each, op.vocabulary),
            end = min(begin + each, op.vocabulary);
  double own = 0;
#pragma unroll 4
  for (int i = begin + lane; i < end; i += 32) own += weight(i);
  own = warp_sum(own);
  if (lane == 0) sums[warp] = own;
  __syncthreads();
  double total = 0;
  for (int w = 0; w < kWarps; ++w) total += sums[w];
  const std::uint64_t bits = mix(mix(mix(op.seed + 1) ^ static_cast<std::uint64_t>(std::int64_t{op.request[row]})) +
                                 static_cast<std::uint64_t>(op.position[row]));
  double left = static_cast<double>(bits >> 11) * 0x1p-53 * total;
  int stretch = 0;
  while (stretch + 1 < kWarps && left >= sums[stretch]) left -= sums[stretch++];
  if (warp != stretch) return;
  for (int base = begin; base < end; base += 32) {
    const double mine = base + lane < end ? weight(base + lane) : 0.0;
    double through = mine;  // of lanes up to this one
#pragma unroll
    for (int d = 1; d < 32; d *= 2) {
      const double before = __shfl_up_sync(0xffffffffu, through, d);
      if (lane >= d) through += before;
    }
    const unsigned beyond = __ballot_sync(0xffffffffu, base + lane < end && left < through);
    if (beyond != 0) {
      number = base + __ffs(beyond) - 1;
      break;
    }
    left -= __shfl_sync(0xffffffffu, through, 31);
  }
  if (lane == 0) op.token[row] = number;
}

}  // namespace

void sample(const Launch& how, const Sample& op) {
  if (op.rows < 1) return;
  launch("sample", sample_rows, op.rows, kThreads, 0, how, op);
}

}  // namespace fathom::cuda
