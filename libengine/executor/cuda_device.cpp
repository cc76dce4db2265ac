#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <array>
#include <stdexcept>

#include "comm/cuda_peers.h"
#include "executor/cuda.h"
#include "executor/cuda_executor.h"
#include "storage/cuda_memory.h"

namespace fathom {

namespace {

constexpr int kLeastCompute = 80;  // tensor cores with bf16
// Bytes of shared memory for a block, which the queues of attention take; GPUs for desks have 99 KiB.
constexpr std::size_t kLeastShared = 160 * 1024;

}  // namespace

CudaDevice cuda_device() {
  int devices = 0;
  if (const cudaError_t status = cudaGetDeviceCount(&devices); status != cudaSuccess || devices == 0) {
    throw std::runtime_error(fmt::format("no CUDA device: {}", cudaGetErrorString(status)));
  }
  int number = 0;
  cuda_ok(cudaGetDevice(&number), "cudaGetDevice");
  cudaDeviceProp properties = {};
  cuda_ok(cudaGetDeviceProperties(&properties, number), "cudaGetDeviceProperties");
  CudaDevice device{.name = properties.name,
                    .multiprocessors = properties.multiProcessorCount,
                    .compute = 10 * properties.major + properties.minor};
  if (device.compute < kLeastCompute) {
    throw std::runtime_error(fmt::format("{} has compute capability {}.{}; the CUDA executor needs 8.0 or later",
                                         device.name, properties.major, properties.minor));
  }
  if (properties.sharedMemPerBlockOptin < kLeastShared) {
    throw std::runtime_error(fmt::format("{} gives a block {} KiB of shared memory; the CUDA executor needs {}",
                                         device.name, properties.sharedMemPerBlockOptin / 1024, kLeastShared / 1024));
  }
  std::size_t free = 0, all = 0;
  cuda_ok(cudaMemGetInfo(&free, &all), "cudaMemGetInfo");
  device.memory = static_cast<std::int64_t>(all);
  device.free = static_cast<std::int64_t>(free);
  std::array<char, 32> bus = {};
  if (cudaDeviceGetPCIBusId(bus.data(), static_cast<int>(bus.size()), number) == cudaSuccess) device.bus = bus.data();
  return device;
}

int cuda_devices() {
  int devices = 0;
  return cudaGetDeviceCount(&devices) == cudaSuccess ? devices : 0;
}

int cuda_rows(int rows) { return cuda::step_size(rows); }

std::unique_ptr<Executor> make_cuda_executor(const ExecutorParts& parts) {
  if (const std::string why = unsupported_on_cuda(parts); !why.empty()) throw std::invalid_argument(why);
  if (parts.program.layout().devices_per_replica() > 1) take_device(parts.groups.world);
  return std::make_unique<CudaExecutor>(parts);
}

}  // namespace fathom
