// A warp routes a token: expert e is lane e % 32's, number e / 32 of its own. Few tokens' lists are made by the same block.
#include "cuda/expert_place.cuh"
#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "cuda/router.h"

namespace fathom::cuda {
namespace {

constexpr int kWarps = 4, kMostExperts = 512, kEach = kMostExperts / 32;
constexpr int kFewRows = 8, kMostChosen = 32;

// Rises with the number; a NaN comes before all, and -0 is 0.
__device__ inline unsigned rising(float x) {
  if (x != x) return 0;
  const unsigned bits = __float_as_uint(x + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// The largest of the warp's values, ties to the lower number; to all lanes. A NaN never wins.
__device__ inline void warp_best(float& value, int& number) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  const unsigned own = rising(value), best = __reduce_max_sync(0xffffffffu, own);
  number = __reduce_min_sync(0xffffffffu, own == best ? number : 0x7fffffff);
  value = best & 0x80000000u ? __uint_as_float(best & 0x7fffffffu) : __uint_as_float(~best);
#else
#pragma unroll
  for (int d = 16; d > 0; d /= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, value, d);
    const int place = __shfl_xor_sync(0xffffffffu, number, d);
    if (other > value || (other == value && place < number)) value = other, number = place;
  }
#endif
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

// One warp's work. `shared` holds a score for each expert.
__device__ inline void route_row(const Router& op, int row, float* shared) {
  const int lane = threadIdx.x % 32;
  float score[kEach], choice[kEach], bias[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {  // weights: there before the logits
    const int e = 32 * i + lane;
    bias[i] = op.bias != nullptr && e < op.experts ? op.bias[e] : 0.0f;
  }
  wait_for_predecessor();
  if (row >= op.rows) return;
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
    choice[i] = e < op.experts ? score[i] + bias[i] : -INFINITY;
  }
  if (op.groups_kept < op.groups) close_groups(op, choice, shared, lane);

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

__global__ __launch_bounds__(32 * kWarps) void route_rows(const __grid_constant__ Router op) {
  __shared__ float shared[kWarps][kMostExperts];
  const int warp = threadIdx.x / 32;
  start_successor();
  route_row(op, blockIdx.x * kWarps + warp, shared[warp]);
}

// One block: a warp for each row, then all for the lists.
__global__ __launch_bounds__(32 * kFewRows) void route_few(const __grid_constant__ Router op,
                                                           const __grid_constant__ ExpertLists lists) {
  __shared__ float shared[kFewRows][kMostExperts];
  __shared__ int places[kFewRows * kMostChosen];  // of each choice; kMostExperts: held elsewhere
  __shared__ bool first[kFewRows * kMostChosen];  // of its place
  const int warp = threadIdx.x / 32, choices = op.rows * op.chosen;
  start_successor();
  route_row(op, warp, shared[warp]);
  __syncthreads();
  for (int i = threadIdx.x; i < choices; i += blockDim.x) {
    const int place = place_of(lists, op.expert[i]);
    places[i] = place >= 0 && place < lists.experts ? place : kMostExperts;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < choices; i += blockDim.x) {
    const int own = places[i];
    int before = 0;
    bool is_first = own < kMostExperts;
    for (int j = 0; j < choices; ++j) {
      before += places[j] < own || (places[j] == own && j < i);
      is_first = is_first && !(places[j] == own && j < i);
    }
    first[i] = is_first;
    lists.pair_of_choice[i] = own < kMostExperts ? before : -1;
    if (own < kMostExperts) lists.token_of_pair[before] = i / op.chosen;
  }
  __syncthreads();
  for (int e = threadIdx.x; e <= lists.experts; e += blockDim.x) {
    int pairs_before = 0, used_before = 0, all_used = 0;
    bool used = false;
    for (int j = 0; j < choices; ++j) {
      pairs_before += places[j] < e;
      used_before += first[j] && places[j] < e;
      all_used += first[j];
      used = used || places[j] == e;
    }
    lists.first_pair[e] = pairs_before;
    if (e == lists.experts) continue;
    if (used) lists.used[used_before] = e;
    if (e >= all_used) lists.used[e] = -1;
  }
}

void check(const Router& op) {
  if (op.experts > kMostExperts || op.chosen > kMostChosen || op.chosen > op.experts || op.groups > 32 ||
      op.experts % op.groups != 0) {
    throw CudaError("router: so many experts, choices or groups are not supported");
  }
}

}  // namespace

void route(const Launch& how, const Router& op) {
  check(op);
  if (op.rows < 1) return;
  launch("router", route_rows, (op.rows + kWarps - 1) / kWarps, 32 * kWarps, 0, how, op);
}

void route_and_list(const Launch& how, const Router& op, const ExpertLists& lists) {
  check(op);
  if (op.rows < 1) return;
  if (op.rows <= kFewRows) {
    launch("route_and_list", route_few, 1, 32 * kFewRows, 0, how, op, lists);
  } else {
    route(how, op);
    list_experts(how, lists);
  }
}

}  // namespace fathom::cuda
