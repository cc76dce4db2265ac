// GPUs as CUDA numbers them, with what the driver's management library tells of each.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "device/nvml.h"
#include "device/sampler.h"
#include "record/machine_record.h"

namespace fathom::probe {

// What CUDA knows without NVML.
struct CudaGpu {
  std::string name, bus;  // "NVIDIA H200", "0000:19:00.0"
  std::optional<Bytes> memory;
};

// Adds the GPUs, "gpu0" first, at rest: what a slot and a clock are now is for conclude_gpu(), because they sleep. `peers`: whether one can
// reach the memory of another.
using PeerAccess = std::function<bool(int from, int to)>;
void find_gpus(const std::vector<CudaGpu>& gpus, const Nvml& nvml, const PeerAccess& peers, MachineRecord& record);

// What was seen while cases ran, and what the driver tells now: errors that the load brought about, links that it lost.
struct GpuUnderLoad {
  DeviceWatch watch;
  const NvmlDevice* device = nullptr;                        // null where NVML does not know it
  std::optional<int> pcie_generation = {}, pcie_width = {};  // while something was copied
};
void conclude_gpu(const GpuUnderLoad& seen, Gpu& gpu);

}  // namespace fathom::probe
