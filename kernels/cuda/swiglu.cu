#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "cuda/swiglu.h"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 256;

// Grid: (groups of four values, rows).
__global__ void swiglu_rows(const Swiglu op) {
  const int column = 4 * (blockIdx.x * kThreads + threadIdx.x);
  start_successor();
  wait_for_predecessor();
  if (column >= op.width) return;
  for (std::int64_t row = blockIdx.y; row < op.rows; row += gridDim.y) {
    const float4 gate = read_four(op.gate_up, false, row * 2 * op.width + column);
    const float4 up = read_four(op.gate_up, false, row * 2 * op.width + op.width + column);
    write_four(op.out, row * op.width + column, silu(gate.x) * up.x, silu(gate.y) * up.y, silu(gate.z) * up.z,
               silu(gate.w) * up.w);
  }
}

}  // namespace

void swiglu(const Launch& how, const Swiglu& op) {
  if (op.width % 4 != 0) throw CudaError("swiglu: the width must be a multiple of 4");
  if (op.rows < 1) return;
  const dim3 grid((op.width / 4 + kThreads - 1) / kThreads, op.rows < 4096 ? op.rows : 4096);
  launch("swiglu", swiglu_rows, grid, kThreads, 0, how, op);
}

}  // namespace fathom::cuda
