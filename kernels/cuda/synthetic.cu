#include "cuda/launch.cuh"
#include "cuda/numbers.cuh"
#include "cuda/synthetic.h"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kBlock = 128;  // tile of fp8 both ways, group of four bits

unsigned blocks_for(std::int64_t items) { return static_cast<unsigned>((items + kThreads - 1) / kThreads); }

__device__ inline std::int64_t thread_number() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}

// The finaliser of splitmix64 over a counter, as libengine/weights/random_words.h has it.
__device__ inline std::uint64_t word(std::uint64_t key, std::int64_t i) {
  std::uint64_t z = key + static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}
__device__ inline unsigned sixteen_bits(std::uint64_t key, std::int64_t i) {
  return static_cast<unsigned>(word(key, i / 4) >> (16 * (i % 4))) & 0xffff;
}

__device__ inline float centred(unsigned bits) { return __fsub_rn(static_cast<float>(bits), 32767.5f); }

__device__ inline float scale_of(const SyntheticMatrix& op, std::int64_t block) {
  const float spread = __fmul_rn(centred(sixteen_bits(op.scale_key, block)), 0x1p-18f);
  return __fmul_rn(op.scale, __fadd_rn(1.0f, spread));
}

__device__ inline std::uint16_t to_fp16(float x) {
  std::uint16_t code;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(code) : "f"(x));
  return code;
}

// A thread per word, which is as many neighbouring values of a row.
__global__ __launch_bounds__(kThreads) void bf16_values(const __grid_constant__ SyntheticMatrix op) {
  const std::int64_t at = thread_number(), row = at / (op.cols / 4), col = at % (op.cols / 4) * 4;
  if (row >= op.rows) return;
  const std::uint64_t bits = word(op.value_key, ((op.row + row) * op.tensor_cols + op.col + col) / 4);
  const auto value = [&](int i) {
    return __fmul_rn(centred(static_cast<unsigned>(bits >> (16 * i)) & 0xffff), op.step);
  };
  reinterpret_cast<uint2*>(op.codes)[at] =
      make_uint2(to_bf16_pair(value(0), value(1)), to_bf16_pair(value(2), value(3)));
}

__global__ __launch_bounds__(kThreads) void fp8_codes(const __grid_constant__ SyntheticMatrix op) {
  const std::int64_t at = thread_number(), row = at / (op.cols / 8), col = at % (op.cols / 8) * 8;
  if (row >= op.rows) return;
  const std::uint64_t bits = word(op.value_key, ((op.row + row) * op.tensor_cols + op.col + col) / 8);
  static_cast<std::uint64_t*>(op.codes)[at] = bits & 0xbfbfbfbfbfbfbfbfu;
}

__global__ void fp8_scales(const __grid_constant__ SyntheticMatrix op, std::int64_t tile_rows, std::int64_t across) {
  const std::int64_t at = thread_number();
  if (at >= tile_rows * across) return;
  const std::int64_t row = op.row / kBlock + at / across, col = op.col / kBlock + at % across;
  static_cast<float*>(op.scales)[at] = scale_of(op, row * ((op.tensor_cols + kBlock - 1) / kBlock) + col);
}

// A thread per word of sixteen codes.
__global__ __launch_bounds__(kThreads) void int4_codes(const __grid_constant__ SyntheticMatrix op) {
  constexpr int kWords = kBlock / 16;
  constexpr std::uint64_t kOnes = 0x1111111111111111u;
  const std::int64_t at = thread_number(), groups = op.cols / kBlock, row = at / (groups * kWords);
  if (row >= op.rows) return;
  const std::int64_t first = (op.row + row) * (op.tensor_cols / kBlock) + op.col / kBlock;
  std::uint64_t bits = word(op.value_key, first * kWords + at % (groups * kWords));
  if (op.zeros == nullptr) bits |= (~(bits | bits >> 1 | bits >> 2 | bits >> 3) & kOnes) << 3;  // 0 becomes 8
  static_cast<std::uint64_t*>(op.codes)[at] = bits;
}

__global__ void int4_scales(const __grid_constant__ SyntheticMatrix op) {
  const std::int64_t at = thread_number(), row = at % op.rows, group = at / op.rows;
  if (group >= op.cols / kBlock) return;
  const std::int64_t block = (op.row + row) * (op.tensor_cols / kBlock) + op.col / kBlock + group;
  const std::int64_t to = group * op.scale_stride + row;
  static_cast<std::uint16_t*>(op.scales)[to] = to_fp16(scale_of(op, block));
  if (op.zeros == nullptr) return;
  op.zeros[to] = static_cast<std::uint8_t>(6 + (word(op.zero_key, block / 8) >> (8 * (block % 8)) & 3));
}

}  // namespace

void make_synthetic(const Launch& how, const SyntheticMatrix& op) {
  const int step = op.format == WeightFormat::kInt4G128 ? kBlock : 8;
  if (op.cols % step != 0 || op.col % step != 0 || op.tensor_cols % step != 0) {
    throw CudaError("make_synthetic: the columns are not supported");
  }
  if (op.rows < 1 || op.cols < 1) return;
  const Launch plain{how.stream, false};
  const std::int64_t values = op.rows * op.cols;
  if (op.format == WeightFormat::kBf16) {
    launch("synthetic bf16", bf16_values, blocks_for(values / 4), kThreads, 0, plain, op);
  } else if (op.format == WeightFormat::kFp8Block128) {
    const std::int64_t across = (op.col % kBlock + op.cols + kBlock - 1) / kBlock;
    const std::int64_t tile_rows = (op.row % kBlock + op.rows + kBlock - 1) / kBlock;
    launch("synthetic fp8", fp8_codes, blocks_for(values / 8), kThreads, 0, plain, op);
    launch("synthetic scales", fp8_scales, blocks_for(tile_rows * across), kThreads, 0, plain, op, tile_rows, across);
  } else {
    launch("synthetic int4", int4_codes, blocks_for(values / 16), kThreads, 0, plain, op);
    launch("synthetic scales", int4_scales, blocks_for(values / kBlock), kThreads, 0, plain, op);
  }
}

}  // namespace fathom::cuda
