// The kernels of linear_stream.cuh, for every weight format.
#include "cuda/linear_launch.h"
#include "cuda/linear_stream.cuh"

namespace fathom::cuda {

void stream_linear(const Launch& how, WeightFormat format, const LinearArguments& a, const DeviceTraits& device,
                   int slots) {
  switch (format) {
    case WeightFormat::kBf16:
      return launch_stream<Bf16Rows>(how, a, device, slots);
    case WeightFormat::kFp8Block128:
      return launch_stream<Fp8Rows>(how, a, device, slots);
    case WeightFormat::kInt4G128:
      return launch_stream<Int4Rows>(how, a, device, slots);
  }
}

}  // namespace fathom::cuda
