// Memory of the current device, owned and accounted for.
#pragma once

#include <cstddef>
#include <utility>

#include "device/cuda_handles.h"
#include "storage/buffer.h"

namespace fathom {

// Bytes of device memory, uninitialised, aligned to 256.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(Account& account, Purpose purpose, std::size_t bytes);
  DeviceBuffer(DeviceBuffer&& other) noexcept { *this = std::move(other); }
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  ~DeviceBuffer();

  void clear() const;  // zeros; returns when they are there

  std::size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  Account* account_ = nullptr;
  Purpose purpose_ = Purpose::kWeights;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace fathom
