#include "storage/cuda_memory.h"

#include <fmt/format.h>

#include "cuda/launch.h"

namespace fathom {

DeviceBuffer::DeviceBuffer(Account& account, Purpose purpose, std::size_t bytes)
    : account_(&account), purpose_(purpose), bytes_(bytes) {
  if (bytes == 0) return;
  if (cudaMalloc(&data_, bytes) != cudaSuccess) {
    cudaGetLastError();  // else the next call would report it
    std::size_t free = 0, all = 0;
    cudaMemGetInfo(&free, &all);
    throw cuda::CudaError(fmt::format("the device has no room for {} MiB more: {} of {} MiB are free", bytes >> 20,
                                      free >> 20, all >> 20));
  }
  account_->add(purpose_, static_cast<std::int64_t>(bytes_));
}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  std::swap(account_, other.account_);
  std::swap(purpose_, other.purpose_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (data_ == nullptr) return;
  account_->add(purpose_, -static_cast<std::int64_t>(bytes_));
  cudaFree(data_);
}

void DeviceBuffer::clear() const {
  if (bytes_ == 0) return;
  cuda_ok(cudaMemset(data_, 0, bytes_), "cudaMemset");
  cuda_ok(cudaDeviceSynchronize(), "cudaMemset");
}

}  // namespace fathom
