// y = x W^T for few tokens, W in bf16, fp8 with a scale per 128x128, or four bits with a scale per 128 inputs.
//
// Bound by reading W once. Reference: host/matrix.h, matmul_reference. Five ways:
//   dot     a warp takes two rows (and a part of the inputs), plain fp32 arithmetic; any device; meant for one token
//   rows    one token, or experts of one token: whole rows through shared memory, kept full by Hopper's bulk copies, multiplied on the
//           tensor cores two at a time; elsewhere dot, stream
//   stream  sixteen rows are the A operand of the tensor cores, up to eight tokens its columns; weights go straight to
//           registers; 8.0 and later
//   mma     the same with more rows and up to 64 tokens to a block, through shared memory; 8.0 and later
//   wgmma   experts of many tokens each, up to 256 to a tile, by Hopper's warpgroups. Weights that are not in bf16
//           are scaled and rounded to it, as large_linear.h does
//   wide    fp8 and four bits, up to 128 tokens: the codes become the A operand of Hopper's warpgroup products
// Activations are bf16, sums fp32; a sum's order depends on shapes and the device only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

enum class WeightFormat { kBf16, kFp8Block128, kInt4G128 };

// [rows, cols] = [outputs, inputs] in device memory, aligned to 16 bytes. A view: owns nothing.
struct Weights {
  WeightFormat format = WeightFormat::kBf16;
  std::int64_t rows = 0;
  std::int64_t cols = 0;         // a multiple of 8 (bf16), 16 (fp8), 128 (four bits)
  const void* codes = nullptr;   // bf16 or e4m3 [rows][cols]; four bits as in int4_layout.h
  const void* scales = nullptr;  // fp8: float [tile rows][ceil(cols / 128)]; four bits: fp16 [cols / 128][scale_stride]
  const void* zeros = nullptr;   // four bits: uint8 [cols / 128][scale_stride], 4-byte aligned rows; nullptr: all 8
  std::int64_t scale_stride = 0;  // four bits: rows of the whole matrix; a multiple of 2, with zeros of 4
  std::int64_t row_phase = 0;     // fp8: place of the first row within its tile of 128
};

// A token before its norm: x = residual / sqrt(mean(residual^2) + epsilon) * weight. The sums are taken of residual * weight in bf16 and
// scaled at the end.
struct TokenNorm {
  const float* residual = nullptr;  // [cols], aligned to 16 bytes, as is `weight`
  const float* weight = nullptr;
  float epsilon = 0;
};

enum class LinearPath { kAuto, kDot, kStream, kRows, kMma, kWide };

struct Linear {
  Weights w = {};
  Weights up = {};                   // with codes: y = silu(x W^T) * (x Up^T); same format and sizes as w
  const std::uint16_t* x = nullptr;  // bf16 [tokens, cols]
  std::int64_t x_stride = 0;         // values from token to token, a multiple of 8
  int tokens = 0;                    // at least 1
  void* y = nullptr;                 // [tokens, rows], bf16 or fp32
  std::int64_t y_stride = 0;
  bool y_fp32 = false;
  const void* add = nullptr;            // added to the product; of y's type and stride, and may be y
  const std::uint16_t* bias = nullptr;  // bf16 [rows], added too
  TokenNorm norm = {};                  // with a residual: instead of x, where takes_norm()
  LinearPath path = LinearPath::kAuto;
};

inline constexpr int kMostLinearTokens =
    64;  // of the mma and stream paths (bf16 by stream: 8); dot takes any number, eight at a time
inline constexpr int kMostWideTokens = 128;  // of the wide path
inline constexpr int kLinearCounters = 4096;

// The most that any launch needs.
std::size_t linear_workspace_bytes(const DeviceTraits& device);
// The most tokens that linear() has a fast way for.
int most_linear_tokens(const Weights& w, const DeviceTraits& device);
void linear(const Launch& how, const Linear& op, const Workspace& workspace);
// Whether linear() would norm its token itself: one token by rows, whose launch a norm's would otherwise precede.
bool takes_norm(const Linear& op);

// The routed experts that some tokens chose. Rows of x and y are pairs (token, expert) sorted by expert; everything that
// depends on the routing is on the device, so one captured graph serves any.
struct GroupedLinear {
  Weights w = {}, up = {};                   // of expert 0; expert e is e * rows further
  std::int64_t experts = 0;                  // held here
  const std::int32_t* first_pair = nullptr;  // [experts + 1]: of each expert, its first pair
  const std::int32_t* used = nullptr;        // [experts]: numbers of the experts that have pairs, then -1
  int slots = 0;                             // how many of `used` to visit: min(experts, most pairs)
  int likely_pairs = 1;                      // of a visited expert, to choose the tile; any count is computed
  const std::uint16_t* x = nullptr;          // bf16
  std::int64_t x_stride = 0;
  const std::int32_t* x_rows = nullptr;  // [pairs]: the row of x that a pair reads; nullptr: its own
  void* y = nullptr;                     // [pairs, rows], bf16 or fp32
  std::int64_t y_stride = 0;
  bool y_fp32 = false;
};
void grouped_linear(const Launch& how, const GroupedLinear& op);

}  // namespace fathom::cuda
