// The kernels of linear.h for weights in bf16.
#include "cuda/linear_dot.cuh"
#include "cuda/linear_launch.h"
#include "cuda/linear_mma.cuh"

namespace fathom::cuda {

void dot_bf16(const Launch& how, const LinearArguments& a, const DeviceTraits& device) {
  launch_dot<Bf16Rows>(how, a, device.multiprocessors);
}

void mma_bf16(const Launch& how, const LinearArguments& a, const DeviceTraits& device, int tokens, int slots,
              const Workspace& workspace) {
  launch_mma_of<Bf16Rows>(how, a, device, tokens, slots, workspace);
}

}  // namespace fathom::cuda
