// Device memory, random operands and comparisons for the kernel tests.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

#include "cuda/launch.h"
#include "host/convert.h"

namespace fathom::cuda {

inline void ok(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

// Bytes 0xff at first: a NaN in bf16, fp32 and e4m3, page number -1.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(std::size_t count) : count_(count) {
    ok(cudaMalloc(&data_, bytes() + 64));
    poison();
  }
  explicit OnDevice(const std::vector<T>& values) : OnDevice(values.size()) {
    ok(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice));
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  ~OnDevice() { cudaFree(data_); }

  T* data() const { return static_cast<T*>(data_); }
  std::size_t bytes() const { return count_ * sizeof(T); }
  void poison() const { ok(cudaMemset(data_, 0xff, bytes() + 64)); }
  void clear() const { ok(cudaMemset(data_, 0, bytes())); }
  std::vector<T> values() const {
    std::vector<T> to(count_);
    ok(cudaDeviceSynchronize());
    ok(cudaMemcpy(to.data(), data_, bytes(), cudaMemcpyDeviceToHost));
    return to;
  }

 private:
  std::size_t count_;
  void* data_ = nullptr;
};

// Fresh numbers in every run; the seed is printed when a test fails.
class Random {
 public:
  Random() : seed_(std::random_device()()), engine_(seed_) {}
  unsigned seed() const { return seed_; }
  float normal() { return normal_(engine_); }
  std::uint16_t bf16() { return host::to_bf16(normal()); }
  unsigned bits() { return engine_(); }
  int below(int n) { return static_cast<int>(engine_() % static_cast<unsigned>(n)); }

 private:
  unsigned seed_;
  std::mt19937 engine_;
  std::normal_distribution<float> normal_;
};

inline std::vector<float> normals(Random& random, std::size_t count) {
  std::vector<float> x(count);
  for (float& v : x) v = random.normal();
  return x;
}

inline std::vector<std::uint16_t> bf16_normals(Random& random, std::size_t count) {
  std::vector<std::uint16_t> x(count);
  for (std::uint16_t& v : x) v = random.bf16();
  return x;
}

// |a - b| / |b|; a NaN or an infinity counts as no agreement at all.
inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - b[i];
    if (!std::isfinite(d)) return INFINITY;
    error += d * d;
    size += static_cast<double>(b[i]) * b[i];
  }
  return size > 0 ? std::sqrt(error / size) : std::sqrt(error);
}

inline std::vector<float> widened(const std::vector<std::uint16_t>& values) {
  std::vector<float> to;
  for (std::uint16_t v : values) to.push_back(host::from_bf16(v));
  return to;
}

}  // namespace fathom::cuda
