// Power and clocks of an NVIDIA device while something runs on it, from the driver's management library (NVML), which is looked for
// when the program runs.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "compare/trace.h"

namespace fathom {

class NvmlSampler {
 public:
  // `bus` as CUDA names it: "0000:19:00.0"; empty: nothing is sampled.
  explicit NvmlSampler(std::string bus);
  NvmlSampler(const NvmlSampler&) = delete;
  NvmlSampler& operator=(const NvmlSampler&) = delete;
  ~NvmlSampler();

  void start();  // from now on; later calls do nothing
  // Ends it. Empty without NVML, without such a device, or when it ran too short for a sample.
  std::optional<DeviceState> stop();

 private:
  struct Thread;
  std::string bus_;
  std::unique_ptr<Thread> thread_;
};

}  // namespace fathom
