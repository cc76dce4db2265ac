// Weights and products. Four-bit codes stay in the host's order: their order on the device is the kernels' own matter.
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "cuda/head_linear.h"
#include "cuda/int4_layout.h"
#include "cuda/large_linear.h"
#include "cuda/linear.h"
#include "cuda/synthetic.h"
#include "executor/cuda/emulated/launches.h"
#include "weights/random_words.h"

namespace fathom::emulated {

void demand(bool allowed, const char* what) {
  if (allowed) return;
  std::fprintf(stderr, "emulated device: %s\n", what);
  std::abort();
}

}  // namespace fathom::emulated

namespace fathom::cuda {
namespace {

using emulated::demand;
using emulated::launch;
using emulated::narrow;
using emulated::wide;

constexpr std::int64_t kBlock = 128;
std::int64_t blocks(std::int64_t size) { return (size + kBlock - 1) / kBlock; }
bool aligned(const void* at) { return reinterpret_cast<std::uintptr_t>(at) % 16 == 0; }

template <class T>
T at(const void* data, std::int64_t index) {
  return static_cast<const T*>(data)[index];
}

// Row `row` counts on over the experts after the first.
float value(const Weights& w, std::int64_t row, std::int64_t col) {
  const std::int64_t element = row * w.cols + col;
  if (w.format == WeightFormat::kBf16) return wide(at<std::uint16_t>(w.codes, element));
  if (w.format == WeightFormat::kFp8Block128) {
    const std::int64_t expert = row / w.rows, tile = (row % w.rows + w.row_phase) / kBlock;
    const float scale = at<float>(w.scales, (expert * blocks(w.rows) + tile) * blocks(w.cols) + col / kBlock);
    return host::from_e4m3(at<std::uint8_t>(w.codes, element)) * scale;
  }
  const std::int64_t word = col % 16, nibble = col % kBlock / 16, group = col / kBlock * w.scale_stride + row;
  demand(row < w.scale_stride, "scale_stride is less than the rows of the whole matrix");
  const int codes = at<std::uint8_t>(w.codes, (element - col % kBlock) / 2 + 4 * word + nibble / 2);
  const int zero = w.zeros == nullptr ? 8 : at<std::uint8_t>(w.zeros, group);
  return static_cast<float>((codes >> (4 * (nibble % 2)) & 15) - zero) *
         host::from_fp16(at<std::uint16_t>(w.scales, group));
}

std::vector<float> row_of(const Weights& w, std::int64_t row) {
  std::vector<float> values(static_cast<std::size_t>(w.cols));
  for (std::int64_t k = 0; k < w.cols; ++k) values[static_cast<std::size_t>(k)] = value(w, row, k);
  return values;
}

float dot(const float* a, const float* b, std::int64_t count) {
  float sums[8] = {};
  for (std::int64_t i = 0; i < count; i += 8) {
    for (std::int64_t j = 0; j < 8; ++j) sums[j] += a[i + j] * b[i + j];
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// One product over some rows of x: W from `first_row` on, y row after row.
void multiply(const Linear& op, std::int64_t first_row, const std::vector<const std::uint16_t*>& inputs,
              std::int64_t first_output) {
  const std::int64_t cols = op.w.cols;
  std::vector<float> x;
  for (const std::uint16_t* from : inputs) {
    for (std::int64_t k = 0; k < cols; ++k) x.push_back(wide(from[k]));
  }
  for (std::int64_t row = 0; row < op.w.rows; ++row) {
    const std::vector<float> w = row_of(op.w, first_row + row);
    const std::vector<float> up = op.up.codes == nullptr ? std::vector<float>() : row_of(op.up, first_row + row);
    for (std::size_t t = 0; t < inputs.size(); ++t) {
      const float* own = x.data() + static_cast<std::int64_t>(t) * cols;
      float sum = dot(w.data(), own, cols);
      if (!up.empty()) sum = sum / (1 + std::exp(-sum)) * dot(up.data(), own, cols);
      if (op.bias != nullptr) sum += wide(op.bias[row]);
      const std::int64_t to = (first_output + static_cast<std::int64_t>(t)) * op.y_stride + row;
      if (op.y_fp32) {
        static_cast<float*>(op.y)[to] = sum + (op.add == nullptr ? 0 : at<float>(op.add, to));
      } else {
        static_cast<std::uint16_t*>(op.y)[to] =
            narrow(sum + (op.add == nullptr ? 0 : wide(at<std::uint16_t>(op.add, to))));
      }
    }
  }
}

void check(const Linear& op) {
  demand(op.tokens >= 1, "a product without tokens");
  demand(aligned(op.w.codes) && aligned(op.x) && op.x_stride % 8 == 0, "operands are not aligned");
}

std::vector<std::uint16_t> normed(const TokenNorm& norm, std::int64_t width) {
  float squares = 0;
  for (std::int64_t i = 0; i < width; ++i) squares += norm.residual[i] * norm.residual[i];
  const float factor = 1 / std::sqrt(squares / static_cast<float>(width) + norm.epsilon);
  std::vector<std::uint16_t> x;
  for (std::int64_t i = 0; i < width; ++i) x.push_back(narrow(norm.residual[i] * factor * norm.weight[i]));
  return x;
}

void run(const Linear& op) {
  launch([op] {
    if (op.norm.residual != nullptr) return multiply(op, 0, {normed(op.norm, op.w.cols).data()}, 0);
    std::vector<const std::uint16_t*> inputs;
    for (int t = 0; t < op.tokens; ++t) inputs.push_back(op.x + t * op.x_stride);
    multiply(op, 0, inputs, 0);
  });
}

}  // namespace

const DeviceTraits& device_traits() {
  static const DeviceTraits traits{.multiprocessors = 132, .compute = 90, .shared_bytes = 232448};
  return traits;
}

std::size_t linear_workspace_bytes(const DeviceTraits&) { return 4096; }
int most_linear_tokens(const Weights& w, const DeviceTraits&) {
  return w.format == WeightFormat::kBf16 ? kMostLinearTokens : kMostWideTokens;
}

bool takes_norm(const Linear& op) { return op.tokens == 1; }

void linear(const Launch&, const Linear& op, const Workspace&) {
  check(op);
  demand(op.norm.residual == nullptr || takes_norm(op), "linear: no norm is done here");
  demand(op.tokens <= most_linear_tokens(op.w, device_traits()), "linear: too many tokens");
  run(op);
}

struct LargeLinear::State {
  Memory memory;
};
LargeLinear::LargeLinear(const Memory& memory) : state_(std::make_unique<State>(State{memory})) {}
LargeLinear::~LargeLinear() = default;

void LargeLinear::operator()(const Launch&, const Linear& op) {
  check(op);
  demand(op.norm.residual == nullptr, "large_linear does not do this");
  const auto bytes = static_cast<std::size_t>(op.w.rows * op.w.cols) * 2;
  demand(op.w.format == WeightFormat::kBf16 || bytes <= state_->memory.scratch_bytes, "the scratch is too small");
  demand(op.up.codes == nullptr && !(op.bias != nullptr && op.y_fp32), "large_linear does not do this");
  demand(aligned(op.y) && op.y_stride * (op.y_fp32 ? 4 : 2) % 16 == 0, "rows of y are not aligned");
  run(op);
}

void grouped_linear(const Launch&, const GroupedLinear& op) {
  demand(op.experts > 0 && op.slots > 0 && op.likely_pairs > 0, "grouped_linear: sizes");
  launch([op] {
    Linear each;
    each.w = op.w, each.up = op.up, each.y = op.y, each.y_stride = op.y_stride, each.y_fp32 = op.y_fp32;
    for (int slot = 0; slot < op.slots && op.used[slot] >= 0; ++slot) {
      const int expert = op.used[slot];
      std::vector<const std::uint16_t*> inputs;
      for (int pair = op.first_pair[expert]; pair < op.first_pair[expert + 1]; ++pair) {
        inputs.push_back(op.x + (op.x_rows == nullptr ? pair : op.x_rows[pair]) * op.x_stride);
      }
      multiply(each, expert * op.w.rows, inputs, op.first_pair[expert]);
    }
  });
}

void head_linear(const Launch&, const HeadLinear& op) {
  demand(op.rows % 16 == 0 && op.cols % 32 == 0 && op.x_stride % 8 == 0 && op.x_head_stride % 8 == 0, "head_linear");
  launch([op] {
    for (int head = 0; head < op.heads; ++head) {
      Linear each;
      each.w = {.rows = op.rows, .cols = op.cols, .codes = op.w + head * op.w_stride};
      each.y = op.y + head * op.y_head_stride, each.y_stride = op.y_stride;
      std::vector<const std::uint16_t*> inputs;
      for (int t = 0; t < op.tokens; ++t) inputs.push_back(op.x + t * op.x_stride + head * op.x_head_stride);
      multiply(each, 0, inputs, 0);
    }
  });
}

void turn_heads(const Launch&, const std::uint16_t* from, std::int64_t from_stride, int heads, int rows, int cols,
                std::uint16_t* to) {
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t c = 0; c < cols; ++c) {
      for (std::int64_t r = 0; r < rows; ++r) *to++ = from[h * from_stride + r * cols + c];
    }
  }
}

void widen_weights(const Launch&, const Weights& w, std::uint16_t* to) {
  for (std::int64_t r = 0; r < w.rows; ++r) {
    for (float x : row_of(w, r)) *to++ = narrow(x);
  }
}

void repack_int4_codes(const Launch&, void*, std::int64_t, std::int64_t) {}

void turn_int4_scales(const Launch&, const std::uint16_t* from, std::uint16_t* to, std::int64_t rows,
                      std::int64_t cols) {
  for (std::int64_t g = 0; g < cols / kBlock; ++g) {
    for (std::int64_t r = 0; r < rows; ++r) *to++ = from[r * (cols / kBlock) + g];
  }
}

void turn_int4_zeros(const Launch&, const std::uint8_t* from, std::uint8_t* to, std::int64_t rows, std::int64_t cols) {
  const std::int64_t groups = cols / kBlock;
  for (std::int64_t g = 0; g < groups; ++g) {
    for (std::int64_t r = 0; r < rows; ++r) *to++ = from[r * ((groups + 1) / 2) + g / 2] >> (4 * (g % 2)) & 15;
  }
}

namespace {

std::uint64_t word(std::uint64_t key, std::int64_t i) {
  return mix(key + static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15);
}
float centred(std::uint64_t key, std::int64_t i) {
  return static_cast<float>(word(key, i / 4) >> (16 * (i % 4)) & 0xffff) - 32767.5f;
}
float scale_of(const SyntheticMatrix& op, std::int64_t block) {
  return op.scale * (1.0f + centred(op.scale_key, block) * 0x1p-18f);
}

void make_int4_row(const SyntheticMatrix& op, std::int64_t row) {
  for (std::int64_t g = 0; g < op.cols / kBlock; ++g) {
    const std::int64_t block = (op.row + row) * (op.tensor_cols / kBlock) + op.col / kBlock + g;
    for (std::int64_t i = 0; i < 8; ++i) {
      std::uint64_t codes = word(op.value_key, block * 8 + i);
      if (op.zeros == nullptr) {
        codes |= (~(codes | codes >> 1 | codes >> 2 | codes >> 3) & 0x1111111111111111u) << 3;
      }
      static_cast<std::uint64_t*>(op.codes)[(row * (op.cols / kBlock) + g) * 8 + i] = codes;
    }
    static_cast<std::uint16_t*>(op.scales)[g * op.scale_stride + row] = host::to_fp16(scale_of(op, block));
    if (op.zeros == nullptr) continue;
    const std::uint64_t byte = word(op.zero_key, block / 8) >> (8 * (block % 8));
    op.zeros[g * op.scale_stride + row] = static_cast<std::uint8_t>(6 + (byte & 3));
  }
}

}  // namespace

void make_synthetic(const Launch&, const SyntheticMatrix& op) {
  for (std::int64_t row = 0; row < op.rows; ++row) {
    if (op.format == WeightFormat::kInt4G128) {
      make_int4_row(op, row);
      continue;
    }
    for (std::int64_t col = 0; col < op.cols; ++col) {
      const std::int64_t i = (op.row + row) * op.tensor_cols + op.col + col, to = row * op.cols + col;
      if (op.format == WeightFormat::kBf16) {
        static_cast<std::uint16_t*>(op.codes)[to] = narrow(centred(op.value_key, i) * op.step);
      } else {
        static_cast<std::uint8_t*>(op.codes)[to] = word(op.value_key, i / 8) >> (8 * (i % 8)) & 0xbf;
      }
    }
  }
  if (op.format != WeightFormat::kFp8Block128) return;
  auto* scales = static_cast<float*>(op.scales);
  for (std::int64_t row = op.row / kBlock; row * kBlock < op.row + op.rows; ++row) {
    for (std::int64_t col = op.col / kBlock; col * kBlock < op.col + op.cols; ++col) {
      *scales++ = scale_of(op, row * blocks(op.tensor_cols) + col);
    }
  }
}

}  // namespace fathom::cuda
