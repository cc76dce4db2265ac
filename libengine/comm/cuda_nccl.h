// NVIDIA's collectives library, looked for when the program runs: for GPUs that cannot write into each other's memory, and to hold our
// own kernels against.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "comm/communicator.h"

namespace fathom {

// Whether the library is there; `why_not` says what is missing when it is not.
bool nccl_available(std::string* why_not = nullptr);
bool nccl_everywhere(Communicator& group);  // all ranks call it and agree
std::string nccl_version();                 // "2.28.3"; empty without the library

// One rank of a group, on the current device. Calls are put into the stream and may be captured. Every rank makes them in the same
// order. Failures are RankFailures in the library's words.
class NcclGroup {
 public:
  explicit NcclGroup(Communicator& group);  // all ranks call it
  NcclGroup(const NcclGroup&) = delete;
  NcclGroup& operator=(const NcclGroup&) = delete;
  ~NcclGroup();

  void sum_bf16(std::uint16_t* values, std::size_t count, cudaStream_t stream) const;  // in place
  void gather(const float* mine, float* all, std::size_t count_each, cudaStream_t stream) const;
  void send(const float* values, std::size_t count, int to, cudaStream_t stream) const;
  void receive(float* values, std::size_t count, int from, cudaStream_t stream) const;
  void abort();  // calls that wait end, whatever they have

 private:
  void* comm_ = nullptr;
};

}  // namespace fathom
