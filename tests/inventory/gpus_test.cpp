// NVML as functions of our own: what the driver tells, in its units, becomes the record's, and what it does not tell is absent.
#include "inventory/gpus.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

namespace fathom::probe {
namespace {

constexpr int kOk = 0, kNotSupported = 3;

// Two devices on NVLink, and a third behind another socket that answers little; handles are their numbers.
std::size_t number_of(void* device) { return reinterpret_cast<std::size_t>(device); }

int init() { return kOk; }
int no_driver() { return 9; }
int by_bus(const char* bus, void** device) {
  static const std::map<std::string, std::size_t> kDevices = {
      {"0000:19:00.0", 1}, {"0000:29:00.0", 2}, {"0000:99:00.0", 3}};
  const auto found = kDevices.find(bus);
  if (found == kDevices.end()) return 6;
  *device = reinterpret_cast<void*>(found->second);
  return kOk;
}
int name(void*, char* text, unsigned) { return std::strcpy(text, "NVIDIA H200"), kOk; }
int bus_width(void* device, unsigned* bits) { return *bits = 6144, number_of(device) == 3 ? kNotSupported : kOk; }
int clock(void*, int which, unsigned* mhz) { return *mhz = which == 2 ? 3201 : 1755, kOk; }
int clock_max(void*, int which, unsigned* mhz) { return *mhz = which == 2 ? 3201 : 1980, kOk; }
int power(void*, unsigned* milliwatts) { return *milliwatts = 612'500, kOk; }
int power_limit(void*, unsigned* milliwatts) { return *milliwatts = 650'000, kOk; }
int default_limit(void*, unsigned* milliwatts) { return *milliwatts = 700'000, kOk; }
int persistence(void*, unsigned* is_on) { return *is_on = 1, kOk; }
int ecc_mode(void* device, unsigned* now, unsigned* later) {
  *now = number_of(device) == 2 ? 0 : 1, *later = 1;
  return number_of(device) == 3 ? kNotSupported : kOk;
}
int mig_mode(void*, unsigned* now, unsigned* later) { return *now = 0, *later = 1, kOk; }
int temperature(void*, int, unsigned* celsius) { return *celsius = 57, kOk; }
int threshold(void*, int which, unsigned* celsius) { return *celsius = which == 1 ? 87u : 92u, kOk; }
int reasons(void*, unsigned long long* mask) { return *mask = 4, kOk; }
int width(void*, unsigned* lanes) { return *lanes = 16, kOk; }
int nvlink(void* device, unsigned link, unsigned* active) {
  if (number_of(device) == 3 || link >= 18) return kNotSupported;
  *active = number_of(device) == 2 && link >= 12 ? 0 : 1;
  return kOk;
}
int ecc(void* device, int kind, int since, unsigned long long* errors) {
  if (kind != 1 || since != 0) return kNotSupported;
  *errors = number_of(device) == 2 ? 3 : 0;
  return kOk;
}
int remapped(void* device, unsigned*, unsigned*, unsigned* pending, unsigned* failed) {
  return *pending = 0, *failed = number_of(device) == 2 ? 1 : 0, kOk;
}
int peers(void* a, void* b, int, int* status) {
  *status = number_of(a) == 3 || number_of(b) == 3 ? 1 : 0;
  return kOk;
}
int ancestor(void*, void*, unsigned* level) { return *level = 50, kOk; }

template <class Function>
void* any(Function* function) {
  return reinterpret_cast<void*>(function);
}

Nvml::Find invented_library() {
  static const std::map<std::string, void*> kFunctions = {
      {"nvmlInit_v2", any(init)},
      {"nvmlDeviceGetHandleByPciBusId_v2", any(by_bus)},
      {"nvmlDeviceGetName", any(name)},
      {"nvmlDeviceGetMemoryBusWidth", any(bus_width)},
      {"nvmlDeviceGetClockInfo", any(clock)},
      {"nvmlDeviceGetMaxClockInfo", any(clock_max)},
      {"nvmlDeviceGetPowerUsage", any(power)},
      {"nvmlDeviceGetEnforcedPowerLimit", any(power_limit)},
      {"nvmlDeviceGetTemperature", any(temperature)},
      {"nvmlDeviceGetTemperatureThreshold", any(threshold)},
      {"nvmlDeviceGetPowerManagementDefaultLimit", any(default_limit)},
      {"nvmlDeviceGetPersistenceMode", any(persistence)},
      {"nvmlDeviceGetEccMode", any(ecc_mode)},
      {"nvmlDeviceGetMigMode", any(mig_mode)},
      {"nvmlDeviceGetCurrentClocksThrottleReasons", any(reasons)},
      {"nvmlDeviceGetMaxPcieLinkWidth", any(width)},
      {"nvmlDeviceGetNvLinkState", any(nvlink)},
      {"nvmlDeviceGetTotalEccErrors", any(ecc)},
      {"nvmlDeviceGetRemappedRows", any(remapped)},
      {"nvmlDeviceGetP2PStatus", any(peers)},
      {"nvmlDeviceGetTopologyCommonAncestor", any(ancestor)}};
  return [](const char* symbol) {
    const auto found = kFunctions.find(symbol);
    return found == kFunctions.end() ? nullptr : found->second;
  };
}

std::vector<CudaGpu> three() {
  return {{.name = "H200", .bus = "0000:19:00.0", .memory = Bytes(1e9)},
          {.name = "H200", .bus = "0000:29:00.0", .memory = Bytes(1e9)},
          {.name = "H200", .bus = "0000:99:00.0", .memory = Bytes(1e9)}};
}

TEST(Gpus, AreToldInTheRecordsUnits) {
  MachineRecord record;
  find_gpus(
      three(), Nvml(invented_library()), [](int, int) { return true; }, record);
  ASSERT_EQ(record.gpus.size(), 3u);
  const Gpu& gpu = record.gpus.front();
  EXPECT_EQ(gpu.device, "gpu0");
  EXPECT_EQ(gpu.name, "NVIDIA H200");
  EXPECT_EQ(gpu.memory, Bytes(1e9));  // NVML does not tell: CUDA does
  EXPECT_DOUBLE_EQ(gpu.memory_peak->value, 6144 / 8 * 3201e6 * 2);
  EXPECT_EQ(gpu.clock_max, Hertz(1980e6));
  EXPECT_EQ(gpu.power_limit, Watts(650));
  EXPECT_EQ(gpu.power_limit_default, Watts(700));
  EXPECT_EQ(gpu.ecc, true);
  EXPECT_EQ(gpu.persistence, true);
  EXPECT_EQ(gpu.mig, false) << "as it is now, not after a reset";
  EXPECT_EQ(gpu.nvlinks, 18);
  EXPECT_EQ(gpu.temperature_slowdown, 87);
  EXPECT_EQ(gpu.pcie_width_max, 16);
  EXPECT_EQ(gpu.remap_pending, false);
  EXPECT_EQ(gpu.remap_failed, false);
  EXPECT_FALSE(gpu.clock || gpu.temperature || gpu.pcie_width || gpu.throttle_reasons);  // at rest they say nothing
}

// Errors and lost links of the run count, and what was there before it is not forgotten.
TEST(Gpus, WhatTheLoadBroughtAboutIsKept) {
  const Nvml nvml(invented_library());
  const std::optional<NvmlDevice> broken = nvml.device("0000:29:00.0");
  ASSERT_TRUE(broken);
  Gpu gpu;
  gpu.ecc_uncorrected = 0;
  gpu.remap_pending = true;
  gpu.nvlinks = 18;
  GpuUnderLoad seen;
  seen.device = &*broken;
  conclude_gpu(seen, gpu);
  EXPECT_EQ(gpu.ecc_uncorrected, 3);
  EXPECT_EQ(gpu.remap_pending, true);
  EXPECT_EQ(gpu.remap_failed, true);
  EXPECT_EQ(gpu.nvlinks, 12);
  conclude_gpu({}, gpu);
  EXPECT_EQ(gpu.ecc_uncorrected, 3) << "nobody asked";
}

TEST(Gpus, WhatIsBrokenIsSeen) {
  MachineRecord record;
  find_gpus(
      three(), Nvml(invented_library()), [](int, int) { return true; }, record);
  EXPECT_EQ(record.gpus[1].nvlinks, 12);
  EXPECT_EQ(record.gpus[1].nvlinks_expected, 18);
  EXPECT_EQ(record.gpus[1].ecc_uncorrected, 3);
  EXPECT_EQ(record.gpus[1].remap_failed, true);
  EXPECT_EQ(record.gpus[1].ecc, false);
}

TEST(Gpus, WhatIsNotToldIsAbsent) {
  MachineRecord record;
  find_gpus(
      three(), Nvml(invented_library()), [](int, int) { return true; }, record);
  EXPECT_FALSE(record.gpus[2].ecc);
  EXPECT_FALSE(record.gpus[2].memory_peak || record.gpus[2].nvlinks || record.gpus[2].nvlinks_expected);
}

TEST(Gpus, EveryPairHasALinkEachWay) {
  MachineRecord record;
  find_gpus(
      three(), Nvml(invented_library()), [](int from, int to) { return from + to == 1; }, record);
  ASSERT_EQ(record.links.size(), 6u);
  EXPECT_EQ(record.links[0].from + ">" + record.links[0].to, "gpu0>gpu1");
  EXPECT_EQ(record.links[0].kind, "nvlink");
  EXPECT_EQ(record.links[0].peer_access, true);
  EXPECT_EQ(record.links[1].to, "gpu2");
  EXPECT_EQ(record.links[1].kind, "sys");
  EXPECT_EQ(record.links[1].peer_access, false);
}

TEST(Gpus, WithoutTheLibraryCudaAloneIsHeard) {
  const Nvml nothing([](const char*) -> void* { return nullptr; });
  EXPECT_NE(nothing.missing().find("libnvidia-ml"), std::string::npos);
  MachineRecord record;
  find_gpus(
      three(), nothing, [](int, int) { return true; }, record);
  ASSERT_EQ(record.gpus.size(), 3u);
  EXPECT_EQ(record.gpus[0].name, "H200");
  EXPECT_FALSE(record.gpus[0].clock_max);
  EXPECT_EQ(record.links[0].kind, "");
}

TEST(Gpus, ALibraryThatDoesNotStartSaysSo) {
  const Nvml sick([](const char* symbol) -> void* {
    if (std::string(symbol) == "nvmlInit_v2") return any(no_driver);
    return invented_library()(symbol);
  });
  EXPECT_NE(sick.missing().find("does not start"), std::string::npos);
  EXPECT_FALSE(sick.device("0000:19:00.0"));
  EXPECT_EQ(sick.driver(), "");
}

TEST(Gpus, ASamplerSeesTheDevice) {
  NvmlSampler sampler(Nvml(invented_library()).device("0000:19:00.0"), std::chrono::milliseconds(1));
  sampler.start();
  std::optional<DeviceWatch> seen;
  for (int i = 0; i < 1000 && !(seen = sampler.stop()); ++i) sampler.start();
  ASSERT_TRUE(seen);
  EXPECT_DOUBLE_EQ(*seen->mean_watts, 612.5);
  EXPECT_DOUBLE_EQ(*seen->least_clock_hz, 1755e6);
  EXPECT_DOUBLE_EQ(*seen->most_celsius, 57);
  EXPECT_EQ(seen->event_reasons, 4u);

  Gpu gpu{};
  conclude_gpu({.watch = *seen, .pcie_generation = 5, .pcie_width = 8}, gpu);
  EXPECT_EQ(gpu.clock, Hertz(1755e6));
  EXPECT_EQ(gpu.pcie_width, 8);
  EXPECT_EQ(gpu.throttle_reasons, 4u);
}

TEST(Gpus, WhatWasSeenTwiceIsAddedUp) {
  DeviceWatch first{.samples = 1, .mean_watts = 100, .most_watts = 100, .least_clock_hz = 2e9, .event_reasons = 1};
  first.add({.samples = 3, .mean_watts = 200, .most_watts = 300, .least_clock_hz = 1e9, .event_reasons = 4});
  EXPECT_EQ(first.samples, 4);
  EXPECT_DOUBLE_EQ(*first.mean_watts, 175);
  EXPECT_DOUBLE_EQ(*first.most_watts, 300);
  EXPECT_DOUBLE_EQ(*first.least_clock_hz, 1e9);
  EXPECT_EQ(first.event_reasons, 5u);
  EXPECT_FALSE(first.most_celsius);
}

}  // namespace
}  // namespace fathom::probe
