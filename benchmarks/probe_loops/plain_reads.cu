#include <cstdint>
#include <cub/device/device_reduce.cuh>
#include <stdexcept>

#include "plain_reads.h"

namespace fathom {

namespace {

constexpr std::size_t kResultBytes = 256, kScratchBytes = std::size_t{64} << 20;
constexpr int kThreads = 512, kBlocksPerMultiprocessor = 4;

struct AddVectors {
  __device__ uint4 operator()(const uint4& a, const uint4& b) const {
    return make_uint4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
  }
};

// As a tutorial would write it: a grid-stride loop over 16 bytes at a time.
__global__ void add_up(const uint4* from, std::size_t count, std::uint32_t* sum) {
  std::uint32_t own = 0;
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    const uint4 v = from[i];
    own += v.x + v.y + v.z + v.w;
  }
  for (int lane = 16; lane > 0; lane /= 2) own += __shfl_xor_sync(0xffffffffu, own, lane);
  if (threadIdx.x % 32 == 0) atomicAdd(sum, own);
}

void ok(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

// `reduce(memory, bytes)` asks for its bytes when memory is null, as CUB's functions do.
template <class Reduce>
PlainRead by_cub(const char* name, void* scratch, const Reduce& reduce) {
  std::size_t wanted = 0;
  ok(reduce(nullptr, wanted));
  if (wanted > kScratchBytes - kResultBytes) throw std::runtime_error("CUB wants more scratch than there is");
  return {name, [=] {
            std::size_t size = wanted;
            ok(reduce(static_cast<std::uint8_t*>(scratch) + kResultBytes, size));
          }};
}

}  // namespace

std::size_t plain_read_scratch_bytes() { return kScratchBytes; }

std::vector<PlainRead> plain_reads(const void* from, std::size_t bytes, void* scratch, cudaStream_t stream) {
  const auto* words = static_cast<const std::uint32_t*>(from);
  const auto* longs = static_cast<const unsigned long long*>(from);
  const auto* floats = static_cast<const float*>(from);
  const auto* vectors = static_cast<const uint4*>(from);
  const int count = static_cast<int>(bytes / 4);
  int device = 0, multiprocessors = 0;
  ok(cudaGetDevice(&device));
  ok(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  return {
      by_cub("cub-sum-uint32", scratch,
             [=](void* memory, std::size_t& size) {
               return cub::DeviceReduce::Sum(memory, size, words, static_cast<std::uint32_t*>(scratch), count, stream);
             }),
      by_cub("cub-max-uint32", scratch,
             [=](void* memory, std::size_t& size) {
               return cub::DeviceReduce::Max(memory, size, words, static_cast<std::uint32_t*>(scratch), count, stream);
             }),
      by_cub("cub-sum-uint64", scratch,
             [=](void* memory, std::size_t& size) {
               return cub::DeviceReduce::Sum(memory, size, longs, static_cast<unsigned long long*>(scratch), count / 2,
                                             stream);
             }),
      by_cub("cub-max-float", scratch,
             [=](void* memory, std::size_t& size) {
               return cub::DeviceReduce::Max(memory, size, floats, static_cast<float*>(scratch), count, stream);
             }),
      by_cub("cub-sum-uint4", scratch,
             [=](void* memory, std::size_t& size) {
               return cub::DeviceReduce::Reduce(memory, size, vectors, static_cast<uint4*>(scratch), count / 4,
                                                AddVectors{}, make_uint4(0, 0, 0, 0), stream);
             }),
      {"grid-stride-loop", [=] {
         add_up<<<kBlocksPerMultiprocessor * multiprocessors, kThreads, 0, stream>>>(
             vectors, bytes / sizeof(uint4), static_cast<std::uint32_t*>(scratch));
         ok(cudaGetLastError());
       }}};
}

}  // namespace fathom
