// Numbers to measure with: what is multiplied decides the power that it takes, and zeros make a product 12 % faster on an H200.
//
// Word i is the finaliser of MurmurHash3 over i + seed: the same on every device, so that what was moved can be told from what was not.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

// (random & mask) | base in every 16-bit word; `bytes` a multiple of 4.
void fill_random(const Launch& how, void* to, std::size_t bytes, std::uint16_t mask = 0xffff, std::uint16_t base = 0,
                 std::uint64_t seed = 0);
// How many of its 32-bit words differ from what fill_random() writes with every bit; adds to *count, on the device.
void count_others(const Launch& how, const void* from, std::size_t bytes, std::uint64_t seed,
                  unsigned long long* count);
// What read_memory() (memory_loops.h) finds there: the sum of its 64-bit words; adds to *sum, on the device.
void sum_random(const Launch& how, std::size_t bytes, std::uint64_t seed, unsigned long long* sum);

// Normally distributed numbers of deviation 1 (Box and Muller), rounded to the type; of int8 every code is as likely.
enum class NumberType { kBf16, kFp16, kFp32, kE4m3, kInt8 };
constexpr std::size_t size_of(NumberType type) {
  return type == NumberType::kFp32 ? 4 : type == NumberType::kBf16 || type == NumberType::kFp16 ? 2 : 1;
}
void fill_normal(const Launch& how, void* to, std::size_t count, NumberType type, std::uint64_t seed);

}  // namespace fathom::cuda
