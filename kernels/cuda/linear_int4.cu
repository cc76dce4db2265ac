// The kernels of linear.h for weights in four bits with a scale per 128 inputs.
#include "cuda/linear_dot.cuh"
#include "cuda/linear_launch.h"
#include "cuda/linear_mma.cuh"

namespace fathom::cuda {

void dot_int4(const Launch& how, const LinearArguments& a, const DeviceTraits& device) {
  launch_dot<Int4Rows>(how, a, device.multiprocessors);
}

void mma_int4(const Launch& how, const LinearArguments& a, const DeviceTraits& device, int tokens, int slots,
              const Workspace& workspace) {
  launch_mma_of<Int4Rows>(how, a, device, tokens, slots, workspace);
}

}  // namespace fathom::cuda
