#include "cuda/decode_attention.h"
#include "cuda/gather_latents.h"
#include "cuda/launch.cuh"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 256;

// Grid: (pages, sequences).
__global__ __launch_bounds__(kThreads) void gather(const __grid_constant__ GatherLatents op) {
  const int sequence = op.first_sequence + blockIdx.y, begin = blockIdx.x * kPageTokens;
  start_successor();
  wait_for_predecessor();
  const int tokens = min(kPageTokens, op.lengths[sequence] - begin);
  if (tokens <= 0) return;
  const int page = op.table[static_cast<std::int64_t>(sequence) * op.table_stride + blockIdx.x];
  const auto* from = reinterpret_cast<const uint4*>(op.pages + page * op.page_stride);
  auto* to = reinterpret_cast<uint4*>(op.out + (static_cast<std::int64_t>(op.first[sequence]) + begin) * op.width);
  for (int i = threadIdx.x; i < tokens * (op.width / 8); i += kThreads) to[i] = from[i];
}

}  // namespace

void gather_latents(const Launch& how, const GatherLatents& op) {
  if (op.width % 8 != 0) throw CudaError("gather_latents: the width must be a multiple of 8");
  if (op.sequences < 1 || op.longest < 1) return;
  launch("gather_latents", gather, dim3((op.longest + kPageTokens - 1) / kPageTokens, op.sequences), kThreads, 0, how,
         op);
}

}  // namespace fathom::cuda
