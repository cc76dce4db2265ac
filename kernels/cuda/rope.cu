// A warp has a head: a lane the pairs lane, lane + 32, ...
#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "cuda/rope_head.cuh"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32, kMostPairs = 4;  // of a lane

__global__ void angles_of_rows(const RopeRows r) {
  const int half = r.dims / 2, i = blockIdx.x * kThreads + threadIdx.x;
  start_successor();
  wait_for_predecessor();
  if (i < r.rows * half) find_angle(r, i / half, i % half);
}

// Grid: (heads of q, k and v by warps, rows).
__global__ __launch_bounds__(kThreads) void rope_head_rows(const __grid_constant__ RopeHeads op) {
  const int row = blockIdx.y, half = op.head_dim / 2;
  int head = blockIdx.x * kWarps + threadIdx.x / 32;
  start_successor();
  wait_for_predecessor();
  const int position = op.rows.position[row];
  if (head >= op.heads + 2 * op.kv_heads || position < 0) return;
  const std::uint16_t* from;
  std::uint16_t* to;
  const float* norm = nullptr;
  const bool turned = head < op.heads + op.kv_heads;
  if (head < op.heads) {
    from = op.q + row * op.q_stride + head * op.head_dim;
    to = op.q_out + (static_cast<std::int64_t>(row) * op.heads + head) * op.head_dim;
    norm = op.q_norm;
  } else {
    head -= op.heads;
    to = op.pages + page_of(op.rows, row, position, op.page_stride) +
         (static_cast<std::int64_t>(head) * kPageTokens + position % kPageTokens) * op.head_dim;
    if (turned) {
      from = op.k + row * op.k_stride + head * op.head_dim;
      norm = op.k_norm;
    } else {  // the page's values follow its keys
      from = op.v + row * op.v_stride + (head - op.kv_heads) * op.head_dim;
    }
  }
  HeadValues<kMostPairs> values;
  values.read(op.rows, from, half);
  const HeadAngles<kMostPairs> angles(op.rows, row);
  values.write(op.rows, norm, op.epsilon, turned ? &angles : nullptr, to, half);
}

// Grid: (one block for the latent and its key, then four heads of q each; rows).
__global__ __launch_bounds__(kThreads) void rope_latent_rows(const __grid_constant__ RopeLatent op) {
  __shared__ float scratch[kWarps];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, row = blockIdx.y, half = op.rows.dims / 2;
  start_successor();
  wait_for_predecessor();
  const int position = op.rows.position[row];
  if (position < 0) return;
  const std::uint16_t* from;
  std::uint16_t* to;
  if (blockIdx.x == 0) {
    from = op.latents + row * op.latent_stride;
    to = op.pages + page_of(op.rows, row, position, op.page_stride) +
         static_cast<std::int64_t>(position % kPageTokens) * (op.latent + op.rows.dims);
    float squares = 0;
    for (int i = threadIdx.x; i < op.latent; i += kThreads) squares += from_bf16(from[i]) * from_bf16(from[i]);
    const float factor = rsqrtf(block_sum(squares, scratch) / op.latent + op.epsilon);
    for (int i = threadIdx.x; i < op.latent; i += kThreads) {
      to[i] = to_bf16(from_bf16(from[i]) * factor * op.norm[i]);
    }
    if (warp != 0) return;
    from += op.latent, to += op.latent;
  } else {
    const int head = (blockIdx.x - 1) * kWarps + warp;
    if (head >= op.heads) return;
    from = op.q + row * op.q_stride + head * op.q_head_stride;
    to = op.q_out + row * op.q_out_stride + head * op.q_out_head_stride;
  }
  for (int i = lane; i < half; i += 32) {
    const PairPlaces place = pair_places(op.rows, i);
    float a = from_bf16(from[place.first]), b = from_bf16(from[place.second]);
    turn(angle_of(op.rows, row, i), a, b);
    to[place.first] = to_bf16(a), to[place.second] = to_bf16(b);
  }
}

}  // namespace

void rope_angles(const Launch& how, const RopeRows& rows) {
  const int count = rows.rows * (rows.dims / 2);
  if (count < 1) return;
  launch("rope_angles", angles_of_rows, (count + kThreads - 1) / kThreads, kThreads, 0, how, rows);
}

void rope_heads(const Launch& how, const RopeHeads& op) {
  if (op.rows.rows < 1) return;
  if (op.head_dim % 2 != 0 || op.head_dim > 64 * kMostPairs || op.rows.dims > op.head_dim) {
    throw CudaError("rope: the head's size is not supported");
  }
  const dim3 grid((op.heads + 2 * op.kv_heads + kWarps - 1) / kWarps, op.rows.rows);
  launch("rope", rope_head_rows, grid, kThreads, 0, how, op);
}

void rope_latent(const Launch& how, const RopeLatent& op) {
  if (op.rows.rows < 1) return;
  const dim3 grid(1 + (op.heads + kWarps - 1) / kWarps, op.rows.rows);
  launch("rope_latent", rope_latent_rows, grid, kThreads, 0, how, op);
}

}  // namespace fathom::cuda
