// What the driver's management library (NVML) tells of NVIDIA devices. The library comes with the driver and is looked for when
// the program runs: without it nothing is told, and `missing()` says why.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace fathom {

// One device. Whatever it does not answer is absent. SI units.
class NvmlDevice {
 public:
  std::string name() const;  // "NVIDIA H200"
  std::string uuid() const;
  std::optional<double> memory_bytes() const;
  std::optional<double> memory_peak_bytes_per_s() const;  // bus width x highest memory clock, both edges

  std::optional<double> clock_hz() const;  // of the multiprocessors, now
  std::optional<double> clock_max_hz() const;
  std::optional<double> memory_clock_hz() const;
  std::optional<double> power_w() const;                // Ampere and later: the mean of about the last second
  std::optional<double> energy_j() const;               // since the driver was loaded
  std::optional<double> power_limit_w() const;          // in force
  std::optional<double> power_limit_default_w() const;  // as the board came
  std::optional<double> temperature_c() const;
  std::optional<double> temperature_slowdown_c() const;  // from which on the hardware slows down
  std::optional<unsigned> event_reasons() const;         // why the clock is no higher: a mask

  std::optional<int> pcie_generation() const;
  std::optional<int> pcie_generation_max() const;  // of card and slot together
  std::optional<int> pcie_width() const;
  std::optional<int> pcie_width_max() const;
  std::optional<int> nvlinks() const;           // active
  std::optional<int> nvlinks_on_board() const;  // that can be asked at all

  std::optional<std::int64_t> ecc_uncorrected() const;  // since the driver was loaded
  std::optional<bool> remap_pending() const;
  std::optional<bool> remap_failed() const;
  std::optional<bool> ecc() const;                               // on, now: a change waits for a reset
  std::optional<bool> persistence() const;                       // the driver stays when nobody computes
  std::optional<bool> mig() const;                               // cut into instances
  std::optional<bool> nvlink_to(const NvmlDevice& other) const;  // peers by NVLink, or through its switches
  // How far apart on PCIe: "pcie" within one host bridge, "sys" beyond it.
  std::string path_to(const NvmlDevice& other) const;
  std::optional<int> processes() const;  // that compute on it

 private:
  friend class Nvml;
  struct Functions;
  NvmlDevice(std::shared_ptr<const Functions> functions, void* handle);
  std::optional<double> number(int (*function)(void*, unsigned*), double unit) const;
  std::pair<std::optional<bool>, std::optional<bool>> remapping() const;  // of rows: waits for a reset; failed

  std::shared_ptr<const Functions> functions_;
  void* handle_;
};

class Nvml {
 public:
  // A function of the library by its name; nullptr where it has none. Tests bring functions of their own.
  using Find = std::function<void*(const char* name)>;
  Nvml();
  explicit Nvml(const Find& find);

  const std::string& missing() const { return missing_; }  // empty: it is there
  std::string driver() const;                              // "580.159.04"
  // `bus` as CUDA names it: "0000:19:00.0". CUDA and NVML number devices differently.
  std::optional<NvmlDevice> device(const std::string& bus) const;

 private:
  std::shared_ptr<const NvmlDevice::Functions> functions_;
  std::string missing_;
};

}  // namespace fathom
