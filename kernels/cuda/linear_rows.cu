// The kernels of linear_rows.cuh, for every weight format.
#include "cuda/linear_rows.cuh"

#include "cuda/linear_launch.h"

namespace fathom::cuda {

bool rows_linear(const Launch& how, WeightFormat format, const LinearArguments& a, const DeviceTraits& device) {
  if (device.compute < 90 || a.tokens != 1) return false;
  switch (format) {
    case WeightFormat::kBf16:
      return launch_rows<Bf16Rows, 7>(how, a, device);
    case WeightFormat::kFp8Block128:
      return launch_rows<Fp8Rows, 4>(how, a, device);
    case WeightFormat::kInt4G128:
      return launch_rows<Int4Rows, 4>(how, a, device);
  }
  return false;
}

}  // namespace fathom::cuda
