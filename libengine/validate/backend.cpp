#include "validate/backend.h"

#include <fmt/format.h>

#include "executor/cuda.h"
#include "plan/host_device.h"
#include "serve/engine.h"
#include "validate/host_machine.h"

namespace fathom {

Backend host_backend() {
  return {.name = "host",
          .machine = describe_host(),
          .accelerator = kHostAccelerator,
          .memory = "this machine",
          .make_executor = make_host_executor,
          .free_memory = available_memory,
          .activation_bytes = sizeof(float),
          .exact_cache = CacheFormat::kFp32};
}

Backend cuda_backend() {
  const CudaDevice device = cuda_device();
  return {.name = "cuda",
          .machine = fmt::format("{}, {} multiprocessors, {:.0f} GiB", device.name, device.multiprocessors,
                                 static_cast<double>(device.memory) / (1 << 30)),
          .device = device.bus,
          .memory = "the device",
          .make_executor = make_cuda_executor,
          .free_memory = [] { return cuda_device().free; }};
}

}  // namespace fathom
