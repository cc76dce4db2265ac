// What every launcher takes besides its operands. Launchers are asynchronous: they allocate nothing, wait for nothing and may be
// captured into a CUDA graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>

struct CUstream_st;

namespace fathom::cuda {

using Stream = CUstream_st*;  // cudaStream_t, without its header

class CudaError : public std::runtime_error {
  using runtime_error::runtime_error;
};

struct Launch {
  Stream stream = nullptr;
  // On Hopper and later: start while the kernel before is still running, fetch weights, and wait for it only then
  // (programmatic dependent launch). Ignored elsewhere.
  bool overlap = false;
};

// Device memory that launches on one stream share. `counters` must be zero once, before the first launch; every kernel leaves
// them zero.
struct Workspace {
  void* data = nullptr;
  std::size_t bytes = 0;
  std::uint32_t* counters = nullptr;
  int counter_count = 0;
};

struct DeviceTraits {
  int multiprocessors = 0;
  int compute = 0;       // 10 major + minor
  int shared_bytes = 0;  // of shared memory that a block may ask for
};
const DeviceTraits& device_traits();  // of the current device; asked once per device

}  // namespace fathom::cuda
