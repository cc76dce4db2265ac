// The kernels that the probe's cases of memory, copies and launches use, on the host. A latch does not hold: here everything has run
// when its launch returns.
#include <cstring>

#include "cuda/memory_loops.h"
#include "cuda/random_numbers.h"
#include "cuda/start_latch.h"
#include "executor/cuda/emulated/launches.h"
#include "gpu_cases/cuda/emulated/faults.h"

namespace fathom::cuda {
namespace {

std::uint32_t random_word(std::uint64_t i) {
  std::uint64_t x = i + 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
  return static_cast<std::uint32_t>(((x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u) >> 32);
}

}  // namespace

const DeviceTraits& device_traits() {
  static const DeviceTraits traits{.multiprocessors = 4, .compute = 90, .shared_bytes = 1 << 17};
  return traits;
}

void fill_random(const Launch&, void* to, std::size_t bytes, std::uint16_t mask, std::uint16_t base,
                 std::uint64_t seed) {
  auto* words = static_cast<std::uint32_t*>(to);
  for (std::size_t i = 0; i < bytes / 4; ++i) words[i] = (random_word(i + seed) & mask * 0x10001u) | base * 0x10001u;
}

void count_others(const Launch&, const void* from, std::size_t bytes, std::uint64_t seed, unsigned long long* count) {
  const auto* words = static_cast<const std::uint32_t*>(from);
  for (std::size_t i = 0; i < bytes / 4; ++i) *count += words[i] != random_word(i + seed);
}

void sum_random(const Launch&, std::size_t bytes, std::uint64_t seed, unsigned long long* sum) {
  for (std::size_t i = 0; i < bytes / 8; ++i) {
    *sum += random_word(2 * i + seed) | static_cast<unsigned long long>(random_word(2 * i + 1 + seed)) << 32;
  }
}

void read_memory(const Launch&, const MemoryGrid&, const void* from, std::size_t bytes, int passes,
                 unsigned long long* sum) {
  emulated::launch([=] {
    const auto* words = static_cast<const unsigned long long*>(from);
    const std::size_t count = bytes / 8 - (emulated::faults.reads_miss_a_word ? 1 : 0);
    for (int pass = 0; pass < passes; ++pass) {
      for (std::size_t i = 0; i < count; ++i) *sum += words[i];
    }
  });
}

void write_memory(const Launch&, const MemoryGrid&, void* to, std::size_t bytes, std::uint32_t word) {
  emulated::launch([=] {
    const std::size_t count = bytes / 4 - (emulated::faults.writes_miss_a_word ? 1 : 0);
    for (std::size_t i = 0; i < count; ++i) static_cast<std::uint32_t*>(to)[i] = word;
  });
}

void start_latch(const Launch&, const volatile std::uint32_t*, std::uint32_t, std::uint64_t) {}

void do_nothing(const Launch&, std::uint32_t* launches) {
  emulated::launch([=] {
    if (launches != nullptr && !emulated::faults.launches_are_lost) ++*launches;
  });
}

}  // namespace fathom::cuda
