// A block per row: values stay in registers between the sum of squares and the result.
#include "cuda/launch.cuh"
#include "cuda/numbers.cuh"
#include "cuda/reduce.cuh"
#include "cuda/rms_norm.h"

namespace fathom::cuda {
namespace {

constexpr int kMostWidth = 16384;

// kEach: groups of four values per thread.
template <int kEach>
__global__ __launch_bounds__(1024) void rms_norm_rows(const __grid_constant__ RmsNorm op) {
  __shared__ float scratch[32];
  const int row = blockIdx.x, groups = op.width / 4;
  start_successor();
  float4 weight[kEach];  // there before the input is
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    if (group < groups) weight[i] = *reinterpret_cast<const float4*>(op.weight + 4 * group);
  }
  wait_for_predecessor();
  const std::int64_t from = op.rows_of_x == nullptr ? row : op.rows_of_x[row];
  float4 value[kEach];
  float squares = 0;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    value[i] = make_float4(0, 0, 0, 0);
    if (group >= groups) continue;
    value[i] = read_four(op.x, op.x_fp32, from * op.x_stride + 4 * group);
    if (op.add != nullptr) {
      const float4 more = read_four(op.add, op.add_fp32, from * op.add_stride + 4 * group);
      value[i].x += more.x, value[i].y += more.y, value[i].z += more.z, value[i].w += more.w;
    }
    if (op.sum != nullptr) *reinterpret_cast<float4*>(op.sum + from * op.x_stride + 4 * group) = value[i];
    squares += value[i].x * value[i].x + value[i].y * value[i].y + value[i].z * value[i].z + value[i].w * value[i].w;
  }
  const float factor = rsqrtf(block_sum(squares, scratch) / op.width + op.epsilon);
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int group = i * blockDim.x + threadIdx.x;
    if (group >= groups) continue;
    const float4& w = weight[i];
    write_four(op.out, row * op.out_stride + 4 * group, value[i].x * factor * w.x, value[i].y * factor * w.y,
               value[i].z * factor * w.z, value[i].w * factor * w.w);
  }
}

}  // namespace

void rms_norm(const Launch& how, const RmsNorm& op) {
  if (op.width % 4 != 0 || op.width > kMostWidth) throw CudaError("rms_norm: the width is not supported");
  if (op.rows < 1) return;
  const int groups = op.width / 4, threads = groups > 1024 ? 1024 : (groups + 31) / 32 * 32;
  if (groups <= 1024) {
    launch("rms_norm", rms_norm_rows<1>, op.rows, threads, 0, how, op);
  } else if (groups <= 2048) {
    launch("rms_norm", rms_norm_rows<2>, op.rows, threads, 0, how, op);
  } else {
    launch("rms_norm", rms_norm_rows<4>, op.rows, threads, 0, how, op);
  }
}

}  // namespace fathom::cuda
