// The kernels of linear.h for weights in e4m3 with a scale per 128x128.
#include "cuda/linear_dot.cuh"
#include "cuda/linear_launch.h"
#include "cuda/linear_mma.cuh"

namespace fathom::cuda {

void dot_fp8(const Launch& how, const LinearArguments& a, const DeviceTraits& device) {
  launch_dot<Fp8Rows>(how, a, device.multiprocessors);
}

void mma_fp8(const Launch& how, const LinearArguments& a, const DeviceTraits& device, int tokens, int slots,
             const Workspace& workspace) {
  launch_mma_of<Fp8Rows>(how, a, device, tokens, slots, workspace);
}

}  // namespace fathom::cuda
