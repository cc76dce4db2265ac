#include "cuda/embedding.h"
#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"
#include "cuda/rope_head.cuh"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 256;

__host__ __device__ int blocks_of_row(const Embedding& op) { return (op.width / 4 + kThreads - 1) / kThreads; }
__host__ __device__ int blocks_of_angles(const Embedding& op) {
  return op.rope.angles == nullptr ? 0 : (op.rope.dims / 2 + kThreads - 1) / kThreads;
}

// Grid: (groups of four values, then angles; rows).
__global__ void embed_rows(const __grid_constant__ Embedding op) {
  const int block = blockIdx.x, of_angles = block - blocks_of_row(op);
  const int column = 4 * (block * kThreads + threadIdx.x);
  start_successor();
  wait_for_predecessor();
  if (of_angles >= 0) {
    const int pair = of_angles * kThreads + threadIdx.x;
    for (int row = blockIdx.y; row < op.rows && pair < op.rope.dims / 2; row += gridDim.y)
      find_angle(op.rope, row, pair);
    return;
  }
  if (column >= op.width) return;
  for (std::int64_t row = blockIdx.y; row < op.rows; row += gridDim.y) {
    const std::int64_t place = static_cast<std::int64_t>(op.tokens[row]) - op.first;
    float4 value = {0, 0, 0, 0};
    if (place >= 0 && place < op.count) value = read_four(op.table, false, place * op.width + column);
    if (op.partial != nullptr) {
      write_four(op.partial, row * op.width + column, value.x, value.y, value.z, value.w);
    } else {
      *reinterpret_cast<float4*>(op.out + row * op.width + column) = value;
    }
  }
}

}  // namespace

void embed(const Launch& how, const Embedding& op) {
  if (op.width % 4 != 0) throw CudaError("embedding: the width must be a multiple of 4");
  if (op.rows < 1) return;
  const dim3 grid(blocks_of_row(op) + blocks_of_angles(op), op.rows < 4096 ? op.rows : 4096);
  launch("embedding", embed_rows, grid, kThreads, 0, how, op);
}

}  // namespace fathom::cuda
