#include "cuda/embedding.h"
#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 256;

// Grid: (groups of four values, rows).
__global__ void embed_rows(const Embedding op) {
  const int column = 4 * (blockIdx.x * kThreads + threadIdx.x);
  start_successor();
  wait_for_predecessor();
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
  const dim3 grid((op.width / 4 + kThreads - 1) / kThreads, op.rows < 4096 ? op.rows : 4096);
  launch("embedding", embed_rows, grid, kThreads, 0, how, op);
}

}  // namespace fathom::cuda
