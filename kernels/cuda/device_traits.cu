#include <array>
#include <mutex>

#include "cuda/launch.cuh"

namespace fathom::cuda {

const DeviceTraits& device_traits() {
  static std::array<DeviceTraits, 64> known;
  static std::mutex mutex;
  int device = 0;
  check(cudaGetDevice(&device), "device");
  DeviceTraits& traits = known.at(device);
  const std::lock_guard<std::mutex> lock(mutex);
  if (traits.compute == 0) {
    int major = 0, minor = 0;
    check(cudaDeviceGetAttribute(&traits.multiprocessors, cudaDevAttrMultiProcessorCount, device), "multiprocessors");
    check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "compute capability");
    check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "compute capability");
    check(cudaDeviceGetAttribute(&traits.shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
          "shared memory");
    traits.compute = 10 * major + minor;
  }
  return traits;
}

}  // namespace fathom::cuda
