// NVIDIA's GPUs, through CUDA and NVML.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "gpu_cases/gpu_cases.h"
#include "inventory/gpus.h"
#include "machine/machine.h"

namespace fathom::probe {

namespace {

GpuRules rules_of(Depth depth) {
  switch (depth) {
    case Depth::kQuick:
      return {};
    case Depth::kStandard:
      return {.detail = Detail::kMany,
              .figure = Seconds(0.5),
              .point = Seconds(0.03),  // of some 1,300
              .settle = Seconds(1),
              .sustained = Seconds(30)};
    case Depth::kFull:
      return {.detail = Detail::kAll,
              .figure = Seconds(2),
              .point = Seconds(0.3),
              .settle = Seconds(1),
              .most_settle = Seconds(10),
              .sustained = Seconds(60)};
  }
  return {};
}

// Dense and grouped heads; latent attention and experts; then the same as a rank of a larger group has them. Matrices of two models are
// the fewest between which a third's are predicted within the bars of docs/probe.md.
std::vector<ModelShare> models_of(Depth depth) {
  const bool all = depth != Depth::kQuick;
  std::vector<ModelShare> models = {
      {.model = "llama-3.1-8b"}, {.model = "qwen2.5-32b"}, {.model = "deepseek-v2-lite", .products = all}};
  if (all) {
    models.push_back({.model = "llama-3.1-70b", .ranks = 4});
    models.push_back({.model = "deepseek-r1", .ranks = 8});
  }
  return models;
}

// In types that the engine has no kernels for: of the first two models; of all takes three times as long.
std::vector<ModelShare> models_of_library(Depth depth) {
  std::vector<ModelShare> models = models_of(depth);
  if (depth == Depth::kQuick) models.clear();
  if (depth == Depth::kStandard) models.resize(2);
  return models;
}

CudaGpu gpu_of(int ordinal) {
  cudaDeviceProp properties{};
  cuda_ok(cudaGetDeviceProperties(&properties, ordinal), "cudaGetDeviceProperties");
  std::array<char, 20> bus{};
  cuda_ok(cudaDeviceGetPCIBusId(bus.data(), static_cast<int>(bus.size()), ordinal), "cudaDeviceGetPCIBusId");
  return {.name = properties.name, .bus = bus.data(), .memory = Bytes(static_cast<double>(properties.totalGlobalMem))};
}

bool can_reach(int from, int to) {
  int possible = 0;
  return cudaDeviceCanAccessPeer(&possible, from, to) == cudaSuccess && possible != 0;
}

class CudaMachine : public Machine {
 public:
  CudaMachine(int devices, const Catalog& catalog, const ProbeOptions& options)
      : catalog_(catalog), options_(options), rules_(rules_of(options.depth)) {
    for (int i = 0; i < devices; ++i) gpus_.push_back(gpu_of(i));
  }

  // Where no case of theirs was asked for, they are left out: whoever is not measured is not judged.
  void describe(MachineRecord& record) const override {
    const std::vector<std::string> names = gpu_case_names();
    if (std::none_of(names.begin(), names.end(), [&](const auto& name) { return is_wanted(name, options_); })) return;
    find_gpus(gpus_, nvml_, can_reach, record);
    const auto add = [&](const char* name, const std::string& value) {
      if (!value.empty()) record.settings.push_back({name, value});
    };
    add("nvidia_driver", nvml_.driver());
    add("nvml", nvml_.missing());
    add("gpu_processes", others());
    add("gpu_environment", environment());
  }

  std::vector<Case> cases() const override {
    return {{"gpu.power", [this] { return measure_gpu_power(cards(), rules_); }},
            {"gpu.memory", [this] { return measure_gpu_memory(cards(), rules_); }},
            {"gpu.gemm", [this] { return measure_gpu_gemm(cards(), rules_, shapes_of_library()); }},
            {"gpu.linear", [this] { return measure_gpu_linear(cards(), rules_, shapes()); }},
            {"gpu.experts", [this] { return measure_gpu_experts(cards(), rules_, shapes()); }},
            {"gpu.attention", [this] { return measure_gpu_attention(cards(), rules_, shapes()); }},
            {"gpu.launch", [this] { return measure_gpu_launch(cards(), rules_); }},
            {"gpu.copy", [this] { return measure_gpu_copies(cards(), rules_); }},
            {"gpu.peer", [this] { return measure_gpu_peers(cards(), rules_); }},
            {"collective", [this] { return collectives(); }}};
  }

  void conclude(MachineRecord& record) const override {
    for (std::size_t i = 0; i < std::min(cards_.size(), record.gpus.size()); ++i) {
      if (cards_[i]->under_load().samples > 0) {
        const std::optional<NvmlDevice>& device = cards_[i]->nvml();
        conclude_gpu({.watch = cards_[i]->under_load(),
                      .device = device ? &*device : nullptr,
                      .pcie_generation = cards_[i]->pcie_generation(),
                      .pcie_width = cards_[i]->pcie_width()},
                     record.gpus[i]);
      }
    }
  }

 private:
  // What of the environment changes what CUDA and NCCL do. Only these: others may hold secrets.
  static std::string environment() {
    std::string set;
    for (const char* name : {"CUDA_VISIBLE_DEVICES", "CUDA_LAUNCH_BLOCKING", "CUDA_MODULE_LOADING",
                             "CUDA_DEVICE_MAX_CONNECTIONS", "NCCL_P2P_DISABLE", "NCCL_P2P_LEVEL", "NCCL_SHM_DISABLE",
                             "NCCL_NVLS_ENABLE", "NCCL_ALGO", "NCCL_PROTO", "NCCL_MIN_NCHANNELS", "NCCL_MAX_NCHANNELS",
                             "NCCL_MIN_CTAS", "NCCL_MAX_CTAS", "NCCL_NTHREADS", "NCCL_BUFFSIZE"}) {
      const char* value = std::getenv(name);
      if (value != nullptr) set += fmt::format("{}{}={}", set.empty() ? "" : " ", name, value);
    }
    return set;
  }

  // Processes that compute on the GPUs before this one does; empty when nobody tells.
  std::string others() const {
    std::optional<int> all;
    for (const CudaGpu& gpu : gpus_) {
      const std::optional<NvmlDevice> device = nvml_.device(gpu.bus);
      const std::optional<int> here = device ? device->processes() : std::nullopt;
      if (here) all = all.value_or(0) + *here;
    }
    return all ? fmt::format("{}", *all) : "";
  }

  // Made when the first case runs: a context takes memory, and a second of time.
  const Cards& cards() const {
    while (cards_.size() < gpus_.size()) {
      cards_.push_back(std::make_unique<Card>(static_cast<int>(cards_.size()), nvml_.device(gpus_[cards_.size()].bus)));
    }
    return cards_;
  }

  std::vector<Result> collectives() const {
    if (cards().size() < 2) {
      return {without_figure("collective", "gpu0", Status::kNotSupported, "there is one GPU")};
    }
    std::vector<Result> results = measure_nccl(cards(), rules_);
    for (Result& result : measure_small_sums(cards(), rules_)) results.push_back(std::move(result));
    return results;
  }

  ModelShapes shapes() const { return shapes_of(models_of(options_.depth), catalog_); }
  ModelShapes shapes_of_library() const { return shapes_of(models_of_library(options_.depth), catalog_); }

  const Catalog& catalog_;
  const ProbeOptions options_;
  const GpuRules rules_;
  const Nvml nvml_;
  std::vector<CudaGpu> gpus_;
  mutable Cards cards_;
};

}  // namespace

std::unique_ptr<Machine> gpu_machine(const Catalog& catalog, const ProbeOptions& options) {
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status == cudaErrorInsufficientDriver) {
    return without_gpus(fmt::format("there is no driver of NVIDIA, or none that is new enough for CUDA {}.{}",
                                    CUDART_VERSION / 1000, CUDART_VERSION / 10 % 100));
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && devices == 0)) {
    return without_gpus("the driver shows no device: there is none, or CUDA_VISIBLE_DEVICES hides it");
  }
  if (status != cudaSuccess) return without_gpus(fmt::format("CUDA: {}", cudaGetErrorString(status)));
  try {
    return std::make_unique<CudaMachine>(devices, catalog, options);
  } catch (const cuda::CudaError& error) {
    return without_gpus(error.what());
  }
}

}  // namespace fathom::probe
