// Which kernel computes a product.
#include <algorithm>

#include "cuda/linear.h"
#include "cuda/linear_arguments.cuh"
#include "cuda/linear_launch.h"
#include "cuda/wide_inputs.h"

namespace fathom::cuda {
namespace {

MatrixPointers pointers(const Weights& w) {
  return {static_cast<const char*>(w.codes), static_cast<const char*>(w.scales), static_cast<const char*>(w.zeros),
          w.row_phase};
}

LinearArguments arguments(const Linear& op) {
  LinearArguments a;
  a.matrix[0] = pointers(op.w);
  a.gated = op.up.codes != nullptr;
  if (a.gated) a.matrix[1] = pointers(op.up);
  a.rows = op.w.rows;
  a.cols = op.w.cols;
  a.scale_stride = op.w.scale_stride;
  a.x = op.x;
  a.x_stride = op.x_stride;
  a.tokens = op.tokens;
  a.y = op.y;
  a.y_stride = op.y_stride;
  a.y_fp32 = op.y_fp32;
  a.add = op.add;
  a.bias = op.bias;
  a.norm = op.norm;
  return a;
}

constexpr std::int64_t kMebi = std::int64_t{1} << 20;
constexpr int kStreamPairs = 8;  // of an expert

// Stream reads what it unpacks once for up to 32 tokens, or 16 with a gate; another pass is worth it while the second-level cache
// has the weights. Us by stream and by mma on an H200, fp8: 4096x4096 of 16, 32 and 64 tokens 10 and 17, 14 and 25, 24 and 68; 5120x27648
// 71 and 80, 118 and 103, 234 and 151; gate and up 2 x 14336x4096 61 and 60, 113 and 80, 219 and 137. Of bf16 cuBLASLt is better than both.
bool worth_stream(const Linear& op) {
  if (op.w.format == WeightFormat::kBf16 || op.tokens <= 8) return op.tokens <= 8;
  const std::int64_t values = op.w.rows * op.w.cols;
  if (op.up.codes != nullptr) return op.tokens <= 16 || values <= 8 * kMebi;
  return values <= (op.tokens <= 32 ? 128 : 64) * kMebi;
}

bool wide_suits(const Weights& w, const DeviceTraits& device) {
  return device.compute == 90 && w.format != WeightFormat::kBf16 && w.cols <= kMostWideInputs;
}

// Wide has to arrange its inputs and to join blocks first. On an H200, us by stream and by wide (in a chain), fp8: 4096x4096 of 32 tokens 14
// and 14, 5120x5120 28 and 17; gate and up 2 x 14336x4096 of 16, 32 and 64 60 and 35, 112 and 37, 217 and 45. Four bits, the same
// gate and up: 36 and 38, 65 and 41, 120 and 59.
bool worth_wide(const Linear& op) {
  const std::int64_t values = op.w.rows * op.w.cols * (op.up.codes != nullptr ? 2 : 1);
  if (op.tokens > 32) return values >= 8 * kMebi;
  if (op.tokens > 16) return values > 16 * kMebi;
  return op.tokens > 8 && op.w.format == WeightFormat::kFp8Block128 && values >= 96 * kMebi;
}

void run_dot(const Launch& how, WeightFormat format, const LinearArguments& a, const DeviceTraits& device) {
  switch (format) {
    case WeightFormat::kBf16:
      return dot_bf16(how, a, device);
    case WeightFormat::kFp8Block128:
      return dot_fp8(how, a, device);
    case WeightFormat::kInt4G128:
      return dot_int4(how, a, device);
  }
}

void run_mma(const Launch& how, WeightFormat format, const LinearArguments& a, const DeviceTraits& device, int tokens,
             int slots, const Workspace& workspace) {
  switch (format) {
    case WeightFormat::kBf16:
      return mma_bf16(how, a, device, tokens, slots, workspace);
    case WeightFormat::kFp8Block128:
      return mma_fp8(how, a, device, tokens, slots, workspace);
    case WeightFormat::kInt4G128:
      return mma_int4(how, a, device, tokens, slots, workspace);
  }
}

// Few bytes are read sooner by stream, which has less to make ready. On an H200, us by stream and by rows: four bits 2.8 and 3.1 for
// 3072x2048, 5.6 and 4.4 for 7168x2048; fp8 3.5 and 2.9 for 2048x2048.
bool worth_rows(const Linear& op) {
  const std::int64_t values = op.w.rows * op.w.cols * (op.up.codes != nullptr ? 2 : 1);
  switch (op.w.format) {
    case WeightFormat::kBf16:
      return true;
    case WeightFormat::kFp8Block128:
      return values >= 3 << 20;
    case WeightFormat::kInt4G128:
      return values >= 14 << 20;
  }
  return false;
}

// Of grouped products those of one token: an expert of two takes twice as long as one of one. A row should have sixteen bytes for every
// lane of a warp.
bool worth_rows(const GroupedLinear& op) {
  const std::int64_t bits = op.w.format == WeightFormat::kBf16 ? 16 : op.w.format == WeightFormat::kFp8Block128 ? 8 : 4;
  return op.likely_pairs == 1 && op.slots <= 8 && op.w.cols * bits >= 32 * 128;
}

}  // namespace

std::size_t linear_workspace_bytes(const DeviceTraits& device) {
  // Blocks of at most 256 rows are split until nine tenths of the multiprocessors have one: fewer than twice as many as those.
  const std::size_t mma = std::size_t{2} * device.multiprocessors * 256 * kMostLinearTokens * sizeof(float);
  return std::max(mma, wide_workspace_bytes(device));
}

int most_linear_tokens(const Weights& w, const DeviceTraits& device) {
  return wide_suits(w, device) ? kMostWideTokens : kMostLinearTokens;
}

void linear(const Launch& how, const Linear& op, const Workspace& workspace) {
  const DeviceTraits& device = device_traits();
  const LinearArguments a = arguments(op);
  const bool cores = device.compute >= 80 && op.tokens <= kMostLinearTokens;
  LinearPath path = op.path;
  const bool bf16 = op.w.format == WeightFormat::kBf16;
  if (path == LinearPath::kAuto) {
    path = op.tokens == 1 && worth_rows(op)                         ? LinearPath::kRows
           : !cores || (wide_suits(op.w, device) && worth_wide(op)) ? LinearPath::kWide
                                                                    : LinearPath::kStream;
  }
  if (op.norm.residual != nullptr && !takes_norm(op)) throw CudaError("linear: no norm is done here");
  if (path == LinearPath::kWide) {
    if (wide_suits(op.w, device) && op.tokens <= kMostWideTokens) {
      return wide_linear(how, op.w.format, a, device, workspace);
    }
    path = LinearPath::kStream;
  }
  if (path == LinearPath::kRows) {
    if (op.tokens == 1 && rows_linear(&how, op.w.format, a, device)) return;
    path = bf16 && op.tokens == 1 ? LinearPath::kDot : LinearPath::kStream;  // without conversions dot is as fast
  }
  if (path == LinearPath::kDot || !cores) {
    run_dot(how, op.w.format, a, device);
  } else if (path == LinearPath::kStream && (op.path == LinearPath::kStream || worth_stream(op))) {
    stream_linear(how, op.w.format, a, device, 1);
  } else {
    run_mma(how, op.w.format, a, device, op.tokens, 1, workspace);
  }
}

bool takes_norm(const Linear& op) {
  return op.tokens == 1 && (op.path == LinearPath::kRows || (op.path == LinearPath::kAuto && worth_rows(op))) &&
         op.w.cols % 4 == 0 && op.w.cols <= kMostNormedInputs &&
         rows_linear(nullptr, op.w.format, arguments(op), device_traits());
}

void grouped_linear(const Launch& how, const GroupedLinear& op) {
  Linear plain;
  plain.w = op.w;
  plain.up = op.up;
  plain.x = op.x;
  plain.x_stride = op.x_stride;
  plain.y = op.y;
  plain.y_stride = op.y_stride;
  plain.y_fp32 = op.y_fp32;
  LinearArguments a = arguments(plain);
  a.first_pair = op.first_pair;
  a.used = op.used;
  a.slots = op.slots;
  a.x_rows = op.x_rows;
  a.expert_scale_bytes = (op.w.rows + 127) / 128 * ((op.w.cols + 127) / 128) * 4;
  if (op.slots < 1) return;
  if (device_traits().compute < 80) throw CudaError("grouped_linear needs compute capability 8.0");
  if (worth_rows(op) && rows_linear(&how, op.w.format, a, device_traits())) return;
  if (grouped_by_warpgroups(how, op, a, device_traits())) return;
  if (op.likely_pairs <= kStreamPairs) {
    stream_linear(how, op.w.format, a, device_traits(), op.slots);
  } else {
    run_mma(how, op.w.format, a, device_traits(), std::min(op.likely_pairs, kMostLinearTokens), op.slots, {});
  }
}

}  // namespace fathom::cuda
