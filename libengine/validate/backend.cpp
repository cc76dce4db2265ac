#include "validate/backend.h"

#include <fmt/format.h>

#include "executor/cuda.h"
#include "plan/host_device.h"
#include "serve/engine.h"
#include "validate/host_machine.h"

namespace fathom {

namespace {

// Three, six and seven besides the powers of two: products go in passes of a few tokens (six with AVX-512), so their time
// rises in steps that a rate between four and eight does not show. Prompts as closely as sequences, or the fit leans to
// decoding and the time to the first token is off. All twice, minutes apart, because what else runs on a machine comes
// and goes.
ProfileShapes host_shapes() {
  ProfileShapes shapes{.prompts = {16, 32, 64, 128, 256}, .passes = 2};
  for (int sequences : {1, 2, 3, 4, 6, 7, 8}) {
    for (std::int64_t context : {64, 512, 2048}) shapes.decodes.push_back({sequences, context});
  }
  return shapes;
}

// A GPU is at its best with more: what a cluster serves, by one context or several. Contexts lie off the powers of two, where a
// step is captured anew.
ProfileShapes device_shapes() {
  return {
      .decodes = {{1, 192},  {1, 600},  {1, 1500},  {1, 3000},  {2, 600},  {4, 192},  {4, 1500},  {7, 192},   {7, 600},
                  {7, 1500}, {7, 3000}, {12, 600},  {16, 192},  {24, 192}, {24, 600}, {32, 1500}, {32, 3000}, {48, 192},
                  {56, 192}, {56, 600}, {56, 1500}, {56, 3000}, {96, 192}, {96, 600}, {128, 192}},
      .prompts = {64, 128, 256, 512, 1024, 2048, 3072, 6144}};
}

}  // namespace

Backend host_backend() {
  return {.name = "host",
          .machine = describe_host(),
          .accelerator = kHostAccelerator,
          .memory = "this machine",
          .make_executor = make_host_executor,
          .free_memory = available_memory,
          .activation_bytes = sizeof(float),
          .exact_cache = CacheFormat::kFp32,
          .profile = host_shapes()};
}

Backend cuda_backend() {
  const CudaDevice device = cuda_device();
  return {.name = "cuda",
          .machine = fmt::format("{}, {} multiprocessors, {:.0f} GiB", device.name, device.multiprocessors,
                                 static_cast<double>(device.memory) / (1 << 30)),
          .device = device.bus,
          .memory = "the device",
          .make_executor = make_cuda_executor,
          .free_memory = [] { return cuda_device().free; },
          .memory_per_rank = true,
          .widens_weights = true,
          .profile = device_shapes(),
          .rows_run = cuda_rows};
}

}  // namespace fathom
