#include "validate/nvml_sampler.h"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace fathom {

namespace {

constexpr auto kBetween = std::chrono::milliseconds(50);

// The few declarations of nvml.h that are needed here: that header comes with the toolkit, the library with the driver.
extern "C" {
using NvmlDevice = struct NvmlDeviceHandle*;
using NvmlInit = int (*)();
using NvmlShutdown = int (*)();
using NvmlDeviceByBus = int (*)(const char*, NvmlDevice*);
using NvmlPower = int (*)(NvmlDevice, unsigned*);       // mW
using NvmlClock = int (*)(NvmlDevice, int, unsigned*);  // MHz
}
constexpr int kSmClock = 1, kMemoryClock = 2;

class Nvml {
 public:
  explicit Nvml(const std::string& bus) : library_(dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) return;
    const auto init = find<NvmlInit>("nvmlInit_v2");
    const auto by_bus = find<NvmlDeviceByBus>("nvmlDeviceGetHandleByPciBusId_v2");
    power_ = find<NvmlPower>("nvmlDeviceGetPowerUsage");
    clock_ = find<NvmlClock>("nvmlDeviceGetClockInfo");
    if (init == nullptr || by_bus == nullptr || power_ == nullptr || clock_ == nullptr || init() != 0) return;
    started_ = true;
    if (by_bus(bus.c_str(), &device_) != 0) device_ = nullptr;
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;
  ~Nvml() {
    const auto shutdown = started_ ? find<NvmlShutdown>("nvmlShutdown") : nullptr;
    if (shutdown != nullptr) shutdown();
    if (library_ != nullptr) dlclose(library_);
  }

  bool ready() const { return device_ != nullptr; }
  std::optional<double> watts() const {
    unsigned milliwatts = 0;
    if (power_(device_, &milliwatts) != 0) return std::nullopt;
    return milliwatts * 1e-3;
  }
  double megahertz(int which) const {
    unsigned clock = 0;
    return clock_(device_, which, &clock) == 0 ? clock : 0;
  }

 private:
  template <class Function>
  Function find(const char* name) const {
    return reinterpret_cast<Function>(dlsym(library_, name));
  }

  void* library_;
  bool started_ = false;
  NvmlDevice device_ = nullptr;
  NvmlPower power_ = nullptr;
  NvmlClock clock_ = nullptr;
};

}  // namespace

struct NvmlSampler::Thread {
  std::atomic<bool> ended{false};
  DeviceState state;  // sums until the end
  std::thread thread;

  explicit Thread(const std::string& bus) : thread([this, bus] { sample(Nvml(bus)); }) {}

  void sample(const Nvml& nvml) {
    while (nvml.ready() && !ended) {
      if (const std::optional<double> watts = nvml.watts()) {
        const double clock = nvml.megahertz(kSmClock);
        state.mean_watts += *watts;
        state.most_watts = std::max(state.most_watts, *watts);
        state.mean_clock_mhz += clock;
        state.least_clock_mhz = state.samples == 0 ? clock : std::min(state.least_clock_mhz, clock);
        state.memory_clock_mhz = nvml.megahertz(kMemoryClock);
        ++state.samples;
      }
      std::this_thread::sleep_for(kBetween);
    }
  }
};

NvmlSampler::NvmlSampler(std::string bus) : bus_(std::move(bus)) {}

NvmlSampler::~NvmlSampler() { stop(); }

void NvmlSampler::start() {
  if (thread_ == nullptr && !bus_.empty()) thread_ = std::make_unique<Thread>(bus_);
}

std::optional<DeviceState> NvmlSampler::stop() {
  if (thread_ == nullptr) return std::nullopt;
  thread_->ended = true;
  thread_->thread.join();
  DeviceState state = thread_->state;
  thread_.reset();
  if (state.samples == 0) return std::nullopt;
  state.mean_watts /= state.samples;
  state.mean_clock_mhz /= state.samples;
  return state;
}

}  // namespace fathom
