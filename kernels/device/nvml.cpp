#include "device/nvml.h"

#include <dlfcn.h>

#include <array>
#include <utility>

namespace fathom {

namespace {

// The few declarations of nvml.h that are needed here: that header comes with the toolkit, the library with the driver.
constexpr int kSuccess = 0;
constexpr int kSmClock = 1, kMemoryClock = 2;
constexpr int kCoreTemperature = 0, kSlowdownThreshold = 1;
constexpr int kUncorrected = 1, kVolatile = 0;
constexpr int kNvLinkPeers = 2;
constexpr unsigned kHostBridge = 30;  // of a common ancestor on PCIe; 40 and more are beyond it
constexpr unsigned kMostNvLinks = 18;
constexpr unsigned kTextLength = 96;

struct Memory {
  unsigned long long total, free, used;
};
struct Process {
  unsigned pid;
  unsigned long long used;
  unsigned instance, compute_instance;
};

}  // namespace

struct NvmlDevice::Functions {
  using Number = int (*)(void*, unsigned*);
  using Chosen = int (*)(void*, int, unsigned*);
  using Large = int (*)(void*, unsigned long long*);
  using Text = int (*)(void*, char*, unsigned);
  using Modes = int (*)(void*, unsigned* now, unsigned* after_a_reset);

  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*driver)(char*, unsigned) = nullptr;
  int (*by_bus)(const char*, void**) = nullptr;
  Text name = nullptr, uuid = nullptr;
  int (*memory)(void*, Memory*) = nullptr;
  Number bus_width = nullptr, power = nullptr, power_limit = nullptr, power_limit_default = nullptr,
         persistence = nullptr;
  Chosen clock = nullptr, clock_max = nullptr, temperature = nullptr, threshold = nullptr;
  Large energy = nullptr, reasons = nullptr;
  Number generation = nullptr, generation_max = nullptr, width = nullptr, width_max = nullptr;
  int (*nvlink)(void*, unsigned, unsigned*) = nullptr;
  int (*ecc)(void*, int, int, unsigned long long*) = nullptr;
  int (*remapped)(void*, unsigned*, unsigned*, unsigned*, unsigned*) = nullptr;
  Modes ecc_mode = nullptr, mig_mode = nullptr;
  int (*peers)(void*, void*, int, int*) = nullptr;
  int (*ancestor)(void*, void*, unsigned*) = nullptr;
  int (*processes)(void*, unsigned*, Process*) = nullptr;
  bool started = false;

  explicit Functions(const Nvml::Find& find) {
    const auto take = [&](auto& function, const char* symbol) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(find(symbol));
    };
    take(init, "nvmlInit_v2");
    take(shutdown, "nvmlShutdown");
    take(driver, "nvmlSystemGetDriverVersion");
    take(by_bus, "nvmlDeviceGetHandleByPciBusId_v2");
    take(name, "nvmlDeviceGetName");
    take(uuid, "nvmlDeviceGetUUID");
    take(memory, "nvmlDeviceGetMemoryInfo");
    take(bus_width, "nvmlDeviceGetMemoryBusWidth");
    take(power, "nvmlDeviceGetPowerUsage");
    take(power_limit, "nvmlDeviceGetEnforcedPowerLimit");
    take(power_limit_default, "nvmlDeviceGetPowerManagementDefaultLimit");
    take(persistence, "nvmlDeviceGetPersistenceMode");
    take(ecc_mode, "nvmlDeviceGetEccMode");
    take(mig_mode, "nvmlDeviceGetMigMode");
    take(clock, "nvmlDeviceGetClockInfo");
    take(clock_max, "nvmlDeviceGetMaxClockInfo");
    take(temperature, "nvmlDeviceGetTemperature");
    take(threshold, "nvmlDeviceGetTemperatureThreshold");
    take(energy, "nvmlDeviceGetTotalEnergyConsumption");
    take(reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");  // drivers from 535 on have it under this name, too
    take(generation, "nvmlDeviceGetCurrPcieLinkGeneration");
    take(generation_max, "nvmlDeviceGetMaxPcieLinkGeneration");
    take(width, "nvmlDeviceGetCurrPcieLinkWidth");
    take(width_max, "nvmlDeviceGetMaxPcieLinkWidth");
    take(nvlink, "nvmlDeviceGetNvLinkState");
    take(ecc, "nvmlDeviceGetTotalEccErrors");
    take(remapped, "nvmlDeviceGetRemappedRows");
    take(peers, "nvmlDeviceGetP2PStatus");
    take(ancestor, "nvmlDeviceGetTopologyCommonAncestor");
    take(processes, "nvmlDeviceGetComputeRunningProcesses_v3");
    started = init != nullptr && by_bus != nullptr && init() == kSuccess;
  }
  Functions(const Functions&) = delete;
  Functions& operator=(const Functions&) = delete;
  ~Functions() {
    if (started && shutdown != nullptr) shutdown();
  }
};

namespace {

// Never closed: the driver's library starts threads of its own.
void* in_library(const char* name) {
  static void* const library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  return library == nullptr ? nullptr : dlsym(library, name);
}

std::optional<int> whole(const std::optional<double>& value) {
  return value ? std::optional(static_cast<int>(*value)) : std::nullopt;
}

}  // namespace

Nvml::Nvml() : Nvml(in_library) {}

Nvml::Nvml(const Find& find) : functions_(std::make_shared<NvmlDevice::Functions>(find)) {
  if (functions_->started) return;
  missing_ = functions_->init == nullptr ? "there is no libnvidia-ml.so.1 (it comes with NVIDIA's driver)"
                                         : "NVML does not start: no driver, or no permission";
}

std::string Nvml::driver() const {
  std::array<char, kTextLength> text{};
  if (!missing_.empty() || functions_->driver == nullptr) return {};
  return functions_->driver(text.data(), kTextLength) == kSuccess ? text.data() : "";
}

std::optional<NvmlDevice> Nvml::device(const std::string& bus) const {
  void* handle = nullptr;
  if (!missing_.empty() || functions_->by_bus(bus.c_str(), &handle) != kSuccess) return std::nullopt;
  return NvmlDevice(functions_, handle);
}

NvmlDevice::NvmlDevice(std::shared_ptr<const Functions> functions, void* handle)
    : functions_(std::move(functions)), handle_(handle) {}

std::optional<double> NvmlDevice::number(Functions::Number function, double unit) const {
  unsigned value = 0;
  if (function == nullptr || function(handle_, &value) != kSuccess) return std::nullopt;
  return value * unit;
}

namespace {

template <class Function>
std::optional<double> chosen(Function function, void* device, int which, double unit) {
  unsigned value = 0;
  if (function == nullptr || function(device, which, &value) != kSuccess) return std::nullopt;
  return value * unit;
}

template <class Function>
std::optional<unsigned long long> large(Function function, void* device) {
  unsigned long long value = 0;
  if (function == nullptr || function(device, &value) != kSuccess) return std::nullopt;
  return value;
}

template <class Function>
std::optional<bool> mode_now(Function function, void* device) {
  unsigned now = 0, after_a_reset = 0;
  if (function == nullptr || function(device, &now, &after_a_reset) != kSuccess) return std::nullopt;
  return now != 0;
}

template <class Function>
std::string text(Function function, void* device) {
  std::array<char, kTextLength> value{};
  if (function == nullptr || function(device, value.data(), kTextLength) != kSuccess) return {};
  return value.data();
}

}  // namespace

std::string NvmlDevice::name() const { return text(functions_->name, handle_); }
std::string NvmlDevice::uuid() const { return text(functions_->uuid, handle_); }

std::optional<double> NvmlDevice::memory_bytes() const {
  Memory memory{};
  if (functions_->memory == nullptr || functions_->memory(handle_, &memory) != kSuccess) return std::nullopt;
  return static_cast<double>(memory.total);
}

std::optional<double> NvmlDevice::memory_peak_bytes_per_s() const {
  const auto bits = number(functions_->bus_width, 1), clock = chosen(functions_->clock_max, handle_, kMemoryClock, 1e6);
  if (!bits || !clock) return std::nullopt;
  return *bits / 8 * *clock * 2;
}

std::optional<double> NvmlDevice::clock_hz() const { return chosen(functions_->clock, handle_, kSmClock, 1e6); }
std::optional<double> NvmlDevice::clock_max_hz() const { return chosen(functions_->clock_max, handle_, kSmClock, 1e6); }
std::optional<double> NvmlDevice::memory_clock_hz() const {
  return chosen(functions_->clock, handle_, kMemoryClock, 1e6);
}
std::optional<double> NvmlDevice::power_w() const { return number(functions_->power, 1e-3); }
std::optional<double> NvmlDevice::power_limit_w() const { return number(functions_->power_limit, 1e-3); }
std::optional<double> NvmlDevice::power_limit_default_w() const {
  return number(functions_->power_limit_default, 1e-3);
}
std::optional<double> NvmlDevice::temperature_c() const {
  return chosen(functions_->temperature, handle_, kCoreTemperature, 1);
}
std::optional<double> NvmlDevice::temperature_slowdown_c() const {
  return chosen(functions_->threshold, handle_, kSlowdownThreshold, 1);
}

std::optional<double> NvmlDevice::energy_j() const {
  const auto millijoules = large(functions_->energy, handle_);
  return millijoules ? std::optional(static_cast<double>(*millijoules) * 1e-3) : std::nullopt;
}

std::optional<unsigned> NvmlDevice::event_reasons() const {
  const auto mask = large(functions_->reasons, handle_);
  return mask ? std::optional(static_cast<unsigned>(*mask)) : std::nullopt;
}

std::optional<int> NvmlDevice::pcie_generation() const { return whole(number(functions_->generation, 1)); }
std::optional<int> NvmlDevice::pcie_generation_max() const { return whole(number(functions_->generation_max, 1)); }
std::optional<int> NvmlDevice::pcie_width() const { return whole(number(functions_->width, 1)); }
std::optional<int> NvmlDevice::pcie_width_max() const { return whole(number(functions_->width_max, 1)); }

std::optional<int> NvmlDevice::nvlinks() const {
  const std::optional<int> all = nvlinks_on_board();
  if (!all) return std::nullopt;
  int active = 0;
  for (unsigned link = 0; link < kMostNvLinks; ++link) {
    unsigned state = 0;
    if (functions_->nvlink(handle_, link, &state) == kSuccess && state == 1) ++active;
  }
  return active;
}

std::optional<int> NvmlDevice::nvlinks_on_board() const {
  int links = 0;
  for (unsigned link = 0; functions_->nvlink != nullptr && link < kMostNvLinks; ++link) {
    unsigned state = 0;
    if (functions_->nvlink(handle_, link, &state) == kSuccess) ++links;
  }
  return links > 0 ? std::optional(links) : std::nullopt;
}

std::optional<std::int64_t> NvmlDevice::ecc_uncorrected() const {
  unsigned long long errors = 0;
  if (functions_->ecc == nullptr || functions_->ecc(handle_, kUncorrected, kVolatile, &errors) != kSuccess) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(errors);
}

std::optional<bool> NvmlDevice::remap_pending() const { return remapping().first; }
std::optional<bool> NvmlDevice::remap_failed() const { return remapping().second; }

std::pair<std::optional<bool>, std::optional<bool>> NvmlDevice::remapping() const {
  unsigned corrected = 0, uncorrected = 0, pending = 0, failed = 0;
  if (functions_->remapped == nullptr ||
      functions_->remapped(handle_, &corrected, &uncorrected, &pending, &failed) != kSuccess) {
    return {};
  }
  return {pending != 0, failed != 0};
}

std::optional<bool> NvmlDevice::ecc() const { return mode_now(functions_->ecc_mode, handle_); }
std::optional<bool> NvmlDevice::mig() const { return mode_now(functions_->mig_mode, handle_); }

std::optional<bool> NvmlDevice::persistence() const {
  const std::optional<double> mode = number(functions_->persistence, 1);
  return mode ? std::optional(*mode != 0) : std::nullopt;
}

std::optional<bool> NvmlDevice::nvlink_to(const NvmlDevice& other) const {
  int status = -1;
  if (functions_->peers == nullptr || functions_->peers(handle_, other.handle_, kNvLinkPeers, &status) != kSuccess) {
    return std::nullopt;
  }
  return status == 0;
}

std::string NvmlDevice::path_to(const NvmlDevice& other) const {
  unsigned level = 0;
  if (functions_->ancestor == nullptr || functions_->ancestor(handle_, other.handle_, &level) != kSuccess) return {};
  return level <= kHostBridge ? "pcie" : "sys";
}

std::optional<int> NvmlDevice::processes() const {
  std::array<Process, 64> found{};
  auto count = static_cast<unsigned>(found.size());
  if (functions_->processes == nullptr || functions_->processes(handle_, &count, found.data()) != kSuccess) {
    return std::nullopt;
  }
  return static_cast<int>(count);
}

}  // namespace fathom
