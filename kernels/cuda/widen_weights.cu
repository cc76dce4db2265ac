#include "cuda/large_linear.h"
#include "cuda/launch.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/mma.cuh"

namespace fathom::cuda {
namespace {

constexpr int kThreads = 256;

// A thread per 16 bytes of codes; Format::kRuns runs of eight neighbouring values each.
template <class Format>
__global__ __launch_bounds__(kThreads) void widen(const __grid_constant__ Weights w, std::uint16_t* to) {
  constexpr int kValues = 128 / Format::kBits;  // in 16 bytes
  start_successor();
  wait_for_predecessor();
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (at >= w.rows * w.cols / kValues) return;
  const std::int64_t row = at / (w.cols / kValues), piece = at % (w.cols / kValues);
  const uint4 raw = load_streamed_16(static_cast<const uint4*>(w.codes) + at);
  // Four neighbouring pieces hold the runs of lanes 0 to 3.
  const int lane = static_cast<int>(piece % 4);
  const std::int64_t first = piece / 4 * 4 * kValues;
  const std::int64_t group = first / 128;
  float scale = 1, zero = 8;
  if constexpr (Format::kFormat == WeightFormat::kFp8Block128) {
    scale = static_cast<const float*>(w.scales)[(row + w.row_phase) / 128 * ((w.cols + 127) / 128) + group];
  } else if constexpr (Format::kFormat == WeightFormat::kInt4G128) {
    scale = from_fp16(static_cast<const std::uint16_t*>(w.scales)[group * w.scale_stride + row]);
    if (w.zeros != nullptr) zero = static_cast<const std::uint8_t*>(w.zeros)[group * w.scale_stride + row];
  }
#pragma unroll
  for (int run = 0; run < Format::kRuns; ++run) {
    float values[8];
    Format::widen(raw, run, zero, values);
    const std::int64_t column = first + Format::column(lane, run);
    uint4 out;
    unsigned* pairs = &out.x;
#pragma unroll
    for (int i = 0; i < 4; ++i) pairs[i] = to_bf16_pair(values[2 * i] * scale, values[2 * i + 1] * scale);
    *reinterpret_cast<uint4*>(to + row * w.cols + column) = out;
  }
}

template <class Format>
void run(const Launch& how, const Weights& w, std::uint16_t* to) {
  const std::int64_t pieces = w.rows * w.cols * Format::kBits / 128;
  launch("widen_weights", widen<Format>, dim3(static_cast<unsigned>((pieces + kThreads - 1) / kThreads)), kThreads, 0,
         how, w, to);
}

}  // namespace

void widen_weights(const Launch& how, const Weights& w, std::uint16_t* to) {
  switch (w.format) {
    case WeightFormat::kBf16:
      return run<Bf16Rows>(how, w, to);
    case WeightFormat::kFp8Block128:
      return run<Fp8Rows>(how, w, to);
    case WeightFormat::kInt4G128:
      return run<Int4Rows>(how, w, to);
  }
}

}  // namespace fathom::cuda
