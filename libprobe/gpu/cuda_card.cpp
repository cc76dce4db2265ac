#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include "cuda/start_latch.h"
#include "gpu/card.h"

namespace fathom::probe {

namespace {

constexpr auto kBetweenSamples = std::chrono::milliseconds(20);
constexpr std::size_t kWorkspaceBytes = std::size_t{1} << 28;
constexpr int kCounters = 65536;
constexpr std::uint64_t kPatienceNs = 2'000'000'000;

int chosen(int ordinal) {
  cuda_ok(cudaSetDevice(ordinal), "cudaSetDevice");
  return ordinal;
}

std::size_t cache_of(int ordinal) {
  int bytes = 0;
  cuda_ok(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, ordinal), "cudaDeviceGetAttribute");
  return static_cast<std::size_t>(bytes);
}

}  // namespace

CardMemory::CardMemory(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const cudaError_t status = cudaMalloc(&data_, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // else the next call would report it
    throw std::bad_alloc();
  }
  cuda_ok(status, "cudaMalloc");
}

CardMemory::CardMemory(CardMemory&& other) noexcept { *this = std::move(other); }

CardMemory& CardMemory::operator=(CardMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

CardMemory::~CardMemory() {
  if (data_ != nullptr) cudaFree(data_);
}

Card::Card(int ordinal, std::optional<NvmlDevice> nvml)
    : ordinal_(chosen(ordinal)),
      device_("gpu" + std::to_string(ordinal)),
      nvml_(std::move(nvml)),
      traits_(cuda::device_traits()),
      second_level_cache_(cache_of(ordinal)),
      sampler_(nvml_, kBetweenSamples) {
  stream_.emplace();
  gate_.emplace(sizeof(std::uint32_t));
  std::memset(gate_->as<void>(), 0, sizeof(std::uint32_t));
}

void Card::use() const { chosen(ordinal_); }

std::size_t Card::free_memory() const {
  std::size_t free = 0, all = 0;
  cuda_ok(cudaMemGetInfo(&free, &all), "cudaMemGetInfo");
  return free;
}

const cuda::Workspace& Card::workspace() {
  if (workspace_.data == nullptr) {
    workspace_memory_ = CardMemory(kWorkspaceBytes);
    counters_ = CardMemory(kCounters * sizeof(std::uint32_t));
    cuda_ok(cudaMemset(counters_.as<void>(), 0, counters_.bytes()), "cudaMemset");
    workspace_ = {workspace_memory_.as<void>(), kWorkspaceBytes, counters_.as<std::uint32_t>(), kCounters};
  }
  return workspace_;
}

std::uint32_t Card::hold() {
  cuda::start_latch({.stream = *stream_}, gate_->as<const volatile std::uint32_t>(), ++held_, kPatienceNs);
  return held_;
}

void Card::open(std::uint32_t number) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  *gate_->as<volatile std::uint32_t>() = number;
}

std::optional<DeviceWatch> Card::watched() {
  const std::optional<DeviceWatch> seen = sampler_.stop();
  if (seen) under_load_.add(*seen);
  return seen;
}

void Card::look_at_slot() {
  if (!nvml_) return;
  pcie_generation_ = nvml_->pcie_generation();
  pcie_width_ = nvml_->pcie_width();
}

void clear(const Card& card, const CardMemory& memory, int byte) {
  cuda_ok(cudaMemsetAsync(memory.as<void>(), byte, memory.bytes(), card.stream()), "cudaMemsetAsync");
}

}  // namespace fathom::probe
