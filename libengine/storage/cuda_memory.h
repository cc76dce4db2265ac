// Memory, streams and events of the current device, owned.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <utility>

#include "storage/buffer.h"

namespace fathom {

void cuda_ok(cudaError_t status, const char* what);  // throws cuda::CudaError

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

// Host memory that the device copies from and to without a detour.
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  explicit PinnedBuffer(std::size_t bytes);
  PinnedBuffer(PinnedBuffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  PinnedBuffer& operator=(PinnedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  ~PinnedBuffer();

  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
};

class CudaStream {
 public:
  CudaStream();
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;
  ~CudaStream();
  operator cudaStream_t() const { return stream_; }
  void wait() const;  // until all that was put in is done
  bool idle() const;  // all that was put in is done

 private:
  cudaStream_t stream_ = nullptr;
};

class CudaEvent {
 public:
  CudaEvent();
  CudaEvent(CudaEvent&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  CudaEvent& operator=(CudaEvent&&) = delete;
  ~CudaEvent();
  operator cudaEvent_t() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace fathom
