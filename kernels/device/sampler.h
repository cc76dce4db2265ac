// Power, clocks and temperature of an NVIDIA device while something runs on it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "device/nvml.h"

namespace fathom {

// What was seen, from the first sample to the last.
struct DeviceWatch {
  int samples = 0;
  std::optional<double> mean_watts = {}, most_watts = {};
  std::optional<double> least_clock_hz = {}, mean_clock_hz = {}, most_clock_hz = {};  // of the multiprocessors
  std::optional<double> memory_clock_hz = {};                                         // last
  std::optional<double> most_celsius = {};
  std::optional<unsigned> event_reasons = {};  // or-ed

  void add(const DeviceWatch& later);  // means by their samples
};

class NvmlSampler {
 public:
  // Without a device nothing is sampled.
  explicit NvmlSampler(std::optional<NvmlDevice> device,
                       std::chrono::milliseconds between = std::chrono::milliseconds(50));
  NvmlSampler(const NvmlSampler&) = delete;
  NvmlSampler& operator=(const NvmlSampler&) = delete;
  ~NvmlSampler();

  void start();  // from now on; later calls do nothing
  // Ends it, after one sample at least. Absent without a device.
  std::optional<DeviceWatch> stop();

 private:
  struct Thread;
  std::optional<NvmlDevice> device_;
  std::chrono::milliseconds between_;
  std::unique_ptr<Thread> thread_;
};

}  // namespace fathom
