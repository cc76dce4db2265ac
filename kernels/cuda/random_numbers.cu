#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include "cuda/launch.cuh"
#include "cuda/random_numbers.h"

namespace fathom::cuda {
namespace {

constexpr int kBlocks = 2048, kThreads = 256;

__device__ std::uint64_t random_word(std::uint64_t i) {
  std::uint64_t x = i + 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
  return (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
}

__device__ std::uint32_t random_half(std::uint64_t i) { return static_cast<std::uint32_t>(random_word(i) >> 32); }

template <class Each>
__device__ void for_each(std::size_t count, const Each& each) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) each(i);
}

__global__ void fill(std::uint32_t* to, std::size_t words, std::uint32_t mask, std::uint32_t base, std::uint64_t seed) {
  for_each(words, [=](std::size_t i) { to[i] = (random_half(i + seed) & mask) | base; });
}

__global__ void count(const std::uint32_t* from, std::size_t words, std::uint64_t seed, unsigned long long* others) {
  unsigned long long found = 0;
  for_each(words, [&](std::size_t i) { found += from[i] != random_half(i + seed); });
  if (found > 0) atomicAdd(others, found);
}

__global__ void sum(std::size_t words, std::uint64_t seed, unsigned long long* total) {
  unsigned long long own = 0;
  for_each(words / 2, [&](std::size_t i) {
    own += random_half(2 * i + seed) | static_cast<unsigned long long>(random_half(2 * i + 1 + seed)) << 32;
  });
  atomicAdd(total, own);
}

__device__ float normal(std::uint64_t i) {
  const std::uint64_t word = random_word(i);
  const float u = (static_cast<float>(word >> 40) + 0.5f) * 0x1p-24f;
  const float v = static_cast<float>(word >> 16 & 0xffffff) * 0x1p-24f;
  return sqrtf(-2 * logf(u)) * cospif(2 * v);
}

template <class Number>
__global__ void fill_numbers(Number* to, std::size_t numbers, std::uint64_t seed) {
  for_each(numbers, [=](std::size_t i) { to[i] = Number(normal(i + seed)); });
}

__global__ void fill_codes(std::int8_t* to, std::size_t numbers, std::uint64_t seed) {
  for_each(numbers, [=](std::size_t i) { to[i] = static_cast<std::int8_t>(random_half(i + seed)); });
}

}  // namespace

void fill_random(const Launch& how, void* to, std::size_t bytes, std::uint16_t mask, std::uint16_t base,
                 std::uint64_t seed) {
  launch("fill_random", fill, kBlocks, kThreads, 0, how, static_cast<std::uint32_t*>(to), bytes / 4, mask * 0x10001u,
         base * 0x10001u, seed);
}

void count_others(const Launch& how, const void* from, std::size_t bytes, std::uint64_t seed,
                  unsigned long long* others) {
  launch("count_others", count, kBlocks, kThreads, 0, how, static_cast<const std::uint32_t*>(from), bytes / 4, seed,
         others);
}

void sum_random(const Launch& how, std::size_t bytes, std::uint64_t seed, unsigned long long* total) {
  launch("sum_random", sum, kBlocks, kThreads, 0, how, bytes / 4, seed, total);
}

void fill_normal(const Launch& how, void* to, std::size_t numbers, NumberType type, std::uint64_t seed) {
  const auto fill_as = [&](auto kernel, auto* typed) {
    launch("fill_normal", kernel, kBlocks, kThreads, 0, how, typed, numbers, seed);
  };
  switch (type) {
    case NumberType::kBf16:
      return fill_as(fill_numbers<__nv_bfloat16>, static_cast<__nv_bfloat16*>(to));
    case NumberType::kFp16:
      return fill_as(fill_numbers<__half>, static_cast<__half*>(to));
    case NumberType::kFp32:
      return fill_as(fill_numbers<float>, static_cast<float*>(to));
    case NumberType::kE4m3:
      return fill_as(fill_numbers<__nv_fp8_e4m3>, static_cast<__nv_fp8_e4m3*>(to));
    case NumberType::kInt8:
      return fill_as(fill_codes, static_cast<std::int8_t*>(to));
  }
}

}  // namespace fathom::cuda
