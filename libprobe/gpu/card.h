// One GPU as its cases see it: its stream, its latch, its memory, and who watches it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "cuda/launch.h"
#include "device/cuda_handles.h"
#include "device/sampler.h"
#include "harness/result.h"

namespace fathom::probe {

// Device memory of the current card, as it comes. Throws std::bad_alloc where there is none left.
class CardMemory {
 public:
  CardMemory() = default;
  explicit CardMemory(std::size_t bytes);
  CardMemory(CardMemory&& other) noexcept;
  CardMemory& operator=(CardMemory&& other) noexcept;
  ~CardMemory();

  std::size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

  template <class T>
  static CardMemory of(const std::vector<T>& values) {
    CardMemory memory(values.size() * sizeof(T));
    cuda_ok(cudaMemcpy(memory.data_, values.data(), memory.bytes_, cudaMemcpyHostToDevice), "a copy to the device");
    return memory;
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// `count` values from device memory, when the device is done.
template <class T>
std::vector<T> on_host(const void* from, std::size_t count) {
  std::vector<T> values(count);
  cuda_ok(cudaMemcpy(values.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost), "a copy from the device");
  return values;
}

class Card {
 public:
  // Of the device that CUDA calls `ordinal`, whose context is made here. `nvml`: absent where NVML does not know it.
  Card(int ordinal, std::optional<NvmlDevice> nvml);
  Card(const Card&) = delete;
  Card& operator=(const Card&) = delete;

  void use() const;  // makes it the current device of this thread
  int ordinal() const { return ordinal_; }
  const std::string& device() const { return device_; }  // "gpu0": the key of its results
  const cuda::DeviceTraits& traits() const { return traits_; }
  std::size_t second_level_cache() const { return second_level_cache_; }
  std::size_t free_memory() const;
  const CudaStream& stream() const { return *stream_; }
  // What kernels of the engine share; 256 MiB, enough for any of their shapes.
  const cuda::Workspace& workspace();

  // A number for the next latch on this card's stream, and how to open it.
  std::uint32_t hold();
  void open(std::uint32_t number);

  const std::optional<NvmlDevice>& nvml() const { return nvml_; }
  void watch() { sampler_.start(); }
  std::optional<DeviceWatch> watched();  // since watch()
  void look_at_slot();                   // while something is copied: a slot at rest sleeps
  const std::optional<int>& pcie_generation() const { return pcie_generation_; }
  const std::optional<int>& pcie_width() const { return pcie_width_; }
  const DeviceWatch& under_load() const { return under_load_; }  // all that was watched

 private:
  int ordinal_;
  std::string device_;
  std::optional<NvmlDevice> nvml_;
  cuda::DeviceTraits traits_;
  std::size_t second_level_cache_ = 0;
  std::optional<CudaStream> stream_;
  std::optional<PinnedBuffer> gate_;
  std::uint32_t held_ = 0;
  NvmlSampler sampler_;
  DeviceWatch under_load_;
  std::optional<int> pcie_generation_, pcie_width_;
  CardMemory workspace_memory_, counters_;
  cuda::Workspace workspace_;
};

// Every byte, in the order of the card's stream: cudaMemset() has a stream of its own, which nothing waits for.
void clear(const Card& card, const CardMemory& memory, int byte);

}  // namespace fathom::probe
