#include "inventory/gpus.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom::probe {

namespace {

template <class Quantity>
std::optional<Quantity> as(const std::optional<double>& value) {
  return value ? std::optional(Quantity(*value)) : std::nullopt;
}

std::string device_of(std::size_t index) { return fmt::format("gpu{}", index); }

void add_what_nvml_tells(const NvmlDevice& device, Gpu& gpu) {
  if (const std::string name = device.name(); !name.empty()) gpu.name = name;
  gpu.uuid = device.uuid();
  if (const auto memory = device.memory_bytes()) gpu.memory = Bytes(*memory);
  gpu.memory_peak = as<BytesPerSecond>(device.memory_peak_bytes_per_s());
  gpu.clock_max = as<Hertz>(device.clock_max_hz());
  gpu.power_limit = as<Watts>(device.power_limit_w());
  gpu.power_limit_default = as<Watts>(device.power_limit_default_w());
  gpu.temperature_slowdown = device.temperature_slowdown_c();
  gpu.pcie_generation_max = device.pcie_generation_max();
  gpu.pcie_width_max = device.pcie_width_max();
  gpu.nvlinks = device.nvlinks();
  gpu.nvlinks_expected = device.nvlinks_on_board();
  gpu.ecc_uncorrected = device.ecc_uncorrected();
  gpu.remap_pending = device.remap_pending();
  gpu.remap_failed = device.remap_failed();
  gpu.ecc = device.ecc();
  gpu.persistence = device.persistence();
  gpu.mig = device.mig();
}

std::string kind_of_link(const NvmlDevice& from, const NvmlDevice& to) {
  return from.nvlink_to(to).value_or(false) ? "nvlink" : from.path_to(to);
}

void keep_the_worse(const NvmlDevice& device, Gpu& gpu) {
  const auto larger = [](auto& kept, const auto& now) { kept = std::max(kept, now); };  // nothing is less than anything
  larger(gpu.ecc_uncorrected, device.ecc_uncorrected());
  larger(gpu.remap_pending, device.remap_pending());
  larger(gpu.remap_failed, device.remap_failed());
  if (const std::optional<int> links = device.nvlinks(); links && gpu.nvlinks) {
    gpu.nvlinks = std::min(*gpu.nvlinks, *links);
  }
}

}  // namespace

void find_gpus(const std::vector<CudaGpu>& gpus, const Nvml& nvml, const PeerAccess& peers, MachineRecord& record) {
  std::vector<std::optional<NvmlDevice>> devices;
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    devices.push_back(nvml.device(gpus[i].bus));
    Gpu gpu{};
    gpu.device = device_of(i);
    gpu.name = gpus[i].name;
    gpu.bus = gpus[i].bus;
    gpu.memory = gpus[i].memory;
    if (devices.back()) add_what_nvml_tells(*devices.back(), gpu);
    record.gpus.push_back(std::move(gpu));
  }
  for (std::size_t from = 0; from < gpus.size(); ++from) {
    for (std::size_t to = 0; to < gpus.size(); ++to) {
      if (from == to) continue;
      Link link{};
      link.from = device_of(from);
      link.to = device_of(to);
      if (devices[from] && devices[to]) link.kind = kind_of_link(*devices[from], *devices[to]);
      link.peer_access = peers(static_cast<int>(from), static_cast<int>(to));
      record.links.push_back(std::move(link));
    }
  }
}

void conclude_gpu(const GpuUnderLoad& seen, Gpu& gpu) {
  if (seen.device != nullptr) keep_the_worse(*seen.device, gpu);
  gpu.clock = as<Hertz>(seen.watch.mean_clock_hz);
  gpu.temperature = seen.watch.most_celsius;
  gpu.throttle_reasons = seen.watch.event_reasons;
  gpu.pcie_generation = seen.pcie_generation;
  gpu.pcie_width = seen.pcie_width;
}

}  // namespace fathom::probe
