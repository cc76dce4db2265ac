#include "fill.h"

namespace fathom::cuda {
namespace {

__global__ void fill(std::uint32_t* to, std::size_t words, std::uint32_t mask, std::uint32_t base) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < words; i += step) {
    std::uint64_t x = i + 0x9e3779b97f4a7c15u;  // the finaliser of MurmurHash3
    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
    to[i] = (static_cast<std::uint32_t>(x >> 32) & mask) | base;
  }
}

}  // namespace

void fill_random(void* to, std::size_t bytes, std::uint16_t mask, std::uint16_t base) {
  fill<<<2048, 256>>>(static_cast<std::uint32_t*>(to), bytes / 4, mask * 0x10001u, base * 0x10001u);
}

}  // namespace fathom::cuda
