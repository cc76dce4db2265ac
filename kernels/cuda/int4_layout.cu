#include "cuda/int4_layout.h"
#include "cuda/launch.cuh"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 256;

unsigned blocks_for(std::int64_t items) { return static_cast<unsigned>((items + kThreads - 1) / kThreads); }

// A thread per word. Host: nibble j of word i is input 16 j + i. All sixteen words of a group are in one half of a warp, which
// reads them before it writes any.
__global__ void repack_codes(std::uint32_t* codes, std::int64_t words) {
  wait_for_predecessor();
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const unsigned mine = at < words ? codes[at] : 0;
  const int word = threadIdx.x % 16, half = threadIdx.x & 16, t = word / 4, u = word % 4;
  unsigned packed = 0;
  for (int c = 0; c < 8; ++c) {
    const unsigned from = __shfl_sync(0xffffffffu, mine, half + 8 * (t % 2) + c);
    const unsigned nibble = from >> (4 * (2 * u + t / 2)) & 15;
    packed |= nibble << (4 * (c / 2 + 4 * (c % 2)));
  }
  if (at < words) codes[at] = packed;
}

__global__ void turn_scales(const std::uint16_t* from, std::uint16_t* to, std::int64_t rows, std::int64_t groups) {
  wait_for_predecessor();
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (at < rows * groups) to[at] = from[at % rows * groups + at / rows];
}

__global__ void turn_zeros(const std::uint8_t* from, std::uint8_t* to, std::int64_t rows, std::int64_t groups) {
  wait_for_predecessor();
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (at >= rows * groups) return;
  const std::int64_t row = at % rows, group = at / rows;
  to[at] = from[row * ((groups + 1) / 2) + group / 2] >> (4 * (group % 2)) & 15;
}

}  // namespace

void repack_int4_codes(const Launch& how, void* codes, std::int64_t rows, std::int64_t cols) {
  const std::int64_t words = rows * cols / 8;
  launch("repack_int4_codes", repack_codes, blocks_for(words), kThreads, 0, how, static_cast<std::uint32_t*>(codes),
         words);
}

void turn_int4_scales(const Launch& how, const std::uint16_t* from, std::uint16_t* to, std::int64_t rows,
                      std::int64_t cols) {
  launch("turn_int4_scales", turn_scales, blocks_for(rows * cols / 128), kThreads, 0, how, from, to, rows, cols / 128);
}

void turn_int4_zeros(const Launch& how, const std::uint8_t* from, std::uint8_t* to, std::int64_t rows,
                     std::int64_t cols) {
  launch("turn_int4_zeros", turn_zeros, blocks_for(rows * cols / 128), kThreads, 0, how, from, to, rows, cols / 128);
}

}  // namespace fathom::cuda
