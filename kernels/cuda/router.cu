// A warp routes a token: expert e is lane e % 32's, number e / 32 of its own.
#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "cuda/router.h"

namespace fathom::cuda {
namespace {

constexpr int kWarps = 4, kMostExperts = 512, kEach = kMostExperts / 32;

// The largest of the warp's values, ties to the lower number; to all lanes. A NaN never wins.
__device__ inline void warp_best(float& value, int& number) {
#pragma unroll
  for (int d = 16; d > 0; d /= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, value, d);
    const int place = __shfl_xor_sync(0xffffffffu, number, d);
    if (other > value || (other == value && place < number)) value = other, number = place;
  }
}

// Closes the experts of all but the best groups; scores pass through shared memory, a group to a lane.
__device__ inline void close_groups(const Router& op, float (&choice)[kEach], float* shared, int lane) {
  const int size = op.experts / op.groups;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    if (32 * i + lane < op.experts) shared[32 * i + lane] = choice[i];
  }
  __syncwarp();
  float first = -INFINITY, second = -INFINITY;
  if (lane < op.groups) {
    for (int e = lane * size; e < (lane + 1) * size; ++e) {
      const float s = shared[e];
      if (s > first) {
        second = first, first = s;
      } else if (s > second) {
        second = s;
      }
    }
  }
  float group = op.group_by_top2 && size > 1 ? first + second : first;
  if (lane >= op.groups) group = -INFINITY;
  unsigned open = 0;
  bool taken = lane >= op.groups;
  for (int k = 0; k < op.groups_kept; ++k) {
    float value = taken ? -INFINITY : group;
    int number = taken ? 64 + lane : lane;  // a group that scores -inf still comes before none
    warp_best(value, number);
    if (number < 32) open |= 1u << number;
    taken = taken || number == lane;
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int e = 32 * i + lane;
    if (e < op.experts && !(open >> (e / size) & 1)) choice[i] = -INFINITY;
  }
  __syncwarp();
}

__global__ __launch_bounds__(32 * kWarps) void route_rows(const __grid_constant__ Router op) {
  __shared__ float shared[kWarps][kMostExperts];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, row = blockIdx.x * kWarps + warp;
  start_successor();
  wait_for_predecessor();
  if (row >= op.rows) return;
  float score[kEach], choice[kEach];
  float highest = -INFINITY, sum = 0;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int e = 32 * i + lane;
    score[i] = e < op.experts ? op.logits[static_cast<std::int64_t>(row) * op.experts + e] : -INFINITY;
    highest = fmaxf(highest, score[i]);
  }
  if (op.scoring == RouterScoring::kSoftmax) {
#pragma unroll
    for (int d = 16; d > 0; d /= 2) highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, d));
#pragma unroll
    for (int i = 0; i < kEach; ++i) sum += score[i] = expf(score[i] - highest);
    sum = warp_sum(sum);
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int e = 32 * i + lane;
    if (op.scoring == RouterScoring::kSoftmax) score[i] /= sum;
    if (op.scoring == RouterScoring::kSigmoid) score[i] = 1 / (1 + expf(-score[i]));
    choice[i] = e < op.experts ? score[i] + (op.bias == nullptr ? 0.0f : op.bias[e]) : -INFINITY;
  }
  if (op.groups_kept < op.groups) close_groups(op, choice, shared[warp], lane);

  float mine = 0;  // lane k keeps choice k
  int expert = 0;
  unsigned taken = 0;  // this lane's experts that are chosen
  for (int k = 0; k < op.chosen; ++k) {
    float value = -INFINITY, own = 0;
    int number = 4 * kMostExperts + lane;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int e = 32 * i + lane;
      if (e < op.experts && !(taken >> i & 1) && (number > kMostExperts || choice[i] > value)) {
        value = choice[i], number = e, own = score[i];
      }
    }
    const int best_of_lane = number;
    warp_best(value, number);
    const float chosen = __shfl_sync(0xffffffffu, own, number % 32);
    if (best_of_lane == number) taken |= 1u << (number / 32);
    if (lane == k) mine = chosen, expert = number;
  }
  if (op.scoring == RouterScoring::kSoftmaxOfSelected) {
    float top = lane < op.chosen ? mine : -INFINITY;
#pragma unroll
    for (int d = 16; d > 0; d /= 2) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, d));
    mine = lane < op.chosen ? expf(mine - top) : 0.0f;
    mine /= warp_sum(mine);
  }
  float factor = op.scaling;
  if (op.normalise) factor /= 1e-20f + warp_sum(lane < op.chosen ? mine : 0.0f);
  if (lane < op.chosen) {
    const std::int64_t at = static_cast<std::int64_t>(row) * op.chosen + lane;
    op.expert[at] = op.position != nullptr && op.position[row] < 0 ? -1 : expert;
    op.weight[at] = mine * factor;
  }
}

}  // namespace

void route(const Launch& how, const Router& op) {
  if (op.experts > kMostExperts || op.chosen > 32 || op.chosen > op.experts || op.groups > 32 ||
      op.experts % op.groups != 0) {
    throw CudaError("router: so many experts, choices or groups are not supported");
  }
  if (op.rows < 1) return;
  launch("router", route_rows, (op.rows + kWarps - 1) / kWarps, 32 * kWarps, 0, how, op);
}

}  // namespace fathom::cuda
