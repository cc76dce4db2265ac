// The CUDA twin of the executor, and the device it runs on. Two sets of files implement this, and the build takes one: cuda_*.cpp
// where nvcc is, no_cuda.cpp elsewhere.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "executor/executor_parts.h"

namespace fathom {

struct CudaDevice {
  std::string name;  // "NVIDIA H200"
  int multiprocessors = 0;
  int compute = 0;          // 10 major + minor
  std::int64_t memory = 0;  // bytes
  std::int64_t free = 0;    // bytes that nobody has taken yet
  std::string bus = {};     // "0000:19:00.0", by which NVML knows it
};

// Throws std::runtime_error that says what is missing: CUDA in this program, a driver, a device.
CudaDevice cuda_device();

int cuda_devices();  // that the driver shows; 0 without one

// Rows that a step of `rows` decoding sequences is filled up to: there is a graph for each of a few sizes.
int cuda_rows(int rows);

// One rank's executor on the current device. The parts must outlive it, but for the options. Throws std::invalid_argument for
// models, layouts and options that it does not run (what is decided before anything is allocated), cuda::CudaError.
std::unique_ptr<Executor> make_cuda_executor(const ExecutorParts& parts);

}  // namespace fathom
