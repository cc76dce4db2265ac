// All paths of linear() against the host's products of the same stored weights.
#include "cuda/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>

#include "cuda/large_linear.h"
#include "test_weights.h"

namespace fathom::cuda {
namespace {

struct Case {
  Storage storage;
  std::int64_t rows, cols;
  int tokens;
  LinearPath path;
  bool gated = false, fp32 = true, add = false, bias = false, overlap = false;
  std::int64_t row_phase = 0;
  bool large = false;  // LargeLinear instead of linear()
  bool norm = false;   // the token comes before its norm
};

std::string described(const Case& c, unsigned seed) {
  return std::string(name_of(c.storage)) + " " + std::to_string(c.rows) + "x" + std::to_string(c.cols) + " tokens " +
         std::to_string(c.tokens) +
         (c.large                         ? " large"
          : c.path == LinearPath::kDot    ? " dot"
          : c.path == LinearPath::kStream ? " stream"
          : c.path == LinearPath::kRows   ? " rows"
          : c.path == LinearPath::kWide   ? " wide"
                                          : " mma") +
         (c.norm ? " norm" : "") + (c.gated ? " gated" : "") + (c.fp32 ? " fp32" : " bf16") + " seed " +
         std::to_string(seed);
}

void large(const Linear& op) {
  static OnDevice<std::uint8_t> workspace(LargeLinear::kWorkspaceBytes), scratch(std::size_t{16} << 20);
  static LargeLinear product({workspace.data(), reinterpret_cast<std::uint16_t*>(scratch.data()), scratch.bytes()});
  product({}, op);
}

void check(const Case& c) {
  Random random;
  SCOPED_TRACE(described(c, random.seed()));
  static TestWorkspace workspace;
  const TestWeights w(c.storage, c.rows, c.cols, random, c.row_phase),
      up(c.storage, c.rows, c.cols, random, c.row_phase);

  // Rows of x and y are further apart than they are wide; what lies between is NaN and stays so.
  const std::int64_t x_stride = c.cols + 16, y_stride = c.rows + (c.large ? 8 : 3);
  const float size = 1 / std::sqrt(static_cast<float>(c.cols)) / (c.storage == Storage::kBf16 ? 1 : 20);
  std::vector<std::uint16_t> x(c.tokens * x_stride, 0xffff);
  std::vector<float> wide(c.tokens * c.cols), expected(c.tokens * c.rows), other(expected.size());
  for (int t = 0; t < c.tokens; ++t) {
    for (std::int64_t k = 0; k < c.cols; ++k) {
      x[t * x_stride + k] = host::to_bf16(random.normal() * size);
      wide[t * c.cols + k] = host::from_bf16(x[t * x_stride + k]);
    }
  }
  std::vector<float> residual(c.cols), norm_weight(c.cols);
  constexpr float kEpsilon = 1.5f;
  if (c.norm) {
    double squares = 0;
    for (float& r : residual) r = random.normal() * 7, squares += static_cast<double>(r) * r;
    for (float& n : norm_weight) n = (1 + 0.1f * random.normal()) * size;
    const auto factor = static_cast<float>(1 / std::sqrt(squares / static_cast<double>(c.cols) + kEpsilon));
    for (std::int64_t k = 0; k < c.cols; ++k) {
      wide[k] = host::from_bf16(host::to_bf16(residual[k] * norm_weight[k])) * factor;  // rounded before it is scaled
    }
  }
  host::matmul(team(), w.on_host(), wide.data(), c.cols, c.tokens, expected.data(), c.rows);
  if (c.gated) {
    host::matmul(team(), up.on_host(), wide.data(), c.cols, c.tokens, other.data(), c.rows);
    for (std::size_t i = 0; i < expected.size(); ++i)
      expected[i] = expected[i] / (1 + std::exp(-expected[i])) * other[i];
  }
  std::vector<float> added(c.tokens * y_stride);
  std::vector<std::uint16_t> bias(c.rows);
  for (float& a : added) a = host::from_bf16(random.bf16());
  for (std::uint16_t& b : bias) b = random.bf16();
  for (int t = 0; t < c.tokens; ++t) {
    for (std::int64_t r = 0; r < c.rows; ++r) {
      if (c.add) expected[t * c.rows + r] += added[t * y_stride + r];
      if (c.bias) expected[t * c.rows + r] += host::from_bf16(bias[r]);
    }
  }

  const OnDevice<std::uint16_t> x_device(x), bias_device(bias);
  const std::size_t width = c.fp32 ? 4 : 2;
  OnDevice<std::uint8_t> y(c.tokens * y_stride * width);
  std::vector<std::uint8_t> add_bytes(y.bytes());
  for (std::size_t i = 0; i < added.size(); ++i) {
    const std::uint16_t narrow = host::to_bf16(added[i]);
    std::memcpy(add_bytes.data() + i * width, c.fp32 ? static_cast<const void*>(&added[i]) : &narrow, width);
  }
  const OnDevice<std::uint8_t> add_device(add_bytes);

  Linear op{.w = w.view(),
            .x = x_device.data(),
            .x_stride = x_stride,
            .tokens = c.tokens,
            .y = y.data(),
            .y_stride = y_stride,
            .y_fp32 = c.fp32,
            .path = c.path};
  if (c.gated) op.up = up.view();
  if (c.add) op.add = add_device.data();
  if (c.bias) op.bias = bias_device.data();
  const OnDevice<float> residual_device(residual), norm_device(norm_weight);
  if (c.norm) {
    op.x = nullptr;
    op.norm = {.residual = residual_device.data(), .weight = norm_device.data(), .epsilon = kEpsilon};
    ASSERT_TRUE(takes_norm(op));
  }
  std::vector<std::uint8_t> first;
  for (int run = 0; run < 3; ++run) {
    y.poison();
    c.large ? large(op) : linear({.overlap = c.overlap}, op, workspace.view());
    const std::vector<std::uint8_t> bytes = y.values();
    if (run == 0) first = bytes;
    ASSERT_EQ(bytes, first) << "run " << run << " differs";
  }
  const std::vector<float> actual = outputs_of(first, c.rows, y_stride, c.fp32);
  const bool rounded = c.large && c.storage != Storage::kBf16;  // scaled weights, to bf16
  EXPECT_LT(distance(actual, expected), !c.fp32 ? 5e-3 : rounded ? 3e-3 : 2e-5);
  for (std::uint32_t counter : workspace.counters.values()) ASSERT_EQ(counter, 0u);
}

std::vector<std::int64_t> odd_cols(Storage storage) {
  if (storage == Storage::kBf16) return {8, 200, 1032, 2736};
  if (storage == Storage::kFp8Block128) return {16, 208, 1040, 2736};
  return {128, 384, 1408};
}

TEST(CudaLinear, DotEqualsTheHostAtOddSizes) {
  for (Storage storage : kStorages) {
    for (std::int64_t cols : odd_cols(storage)) {
      for (std::int64_t rows : {4, 60, 1004}) {
        for (int tokens : {1, 2, 3, 11}) check({storage, rows, cols, tokens, LinearPath::kDot});
      }
    }
  }
}

TEST(CudaLinear, StreamEqualsTheHostAtOddSizes) {
  if (device_traits().compute < 80) GTEST_SKIP() << "waived: no tensor cores for bf16";
  for (Storage storage : kStorages) {
    for (std::int64_t cols : odd_cols(storage)) {
      for (std::int64_t rows : {4, 60, 1004}) {
        for (int tokens : {1, 2, 3, 8, 11, 16, 19, 32, 53, 64})
          check({storage, rows, cols, tokens, LinearPath::kStream});
      }
    }
    check({storage, 72, 12288, 1, LinearPath::kStream});
  }
}

// Every number of warps to a row and of pieces to a lane, lanes without a piece, fewer rows than multiprocessors.
TEST(CudaLinear, WholeRowsEqualTheHost) {
  if (device_traits().compute < 90) GTEST_SKIP() << "waived: no bulk copies";
  for (Storage storage : kStorages) {
    for (std::int64_t cols : {128, 1408, 2048, 3072, 4096, 5120, 7168, 10240, 14336, 27648}) {
      for (std::int64_t rows : {4, 60, 1004}) check({storage, rows, cols, 1, LinearPath::kRows});
      check({storage, 300, cols, 1, LinearPath::kRows, true, false});
    }
  }
  for (std::int64_t cols : {8, 200, 2736}) check({Storage::kBf16, 1004, cols, 1, LinearPath::kRows});
  for (std::int64_t cols : {16, 208, 2736}) check({Storage::kFp8Block128, 1004, cols, 1, LinearPath::kRows});
  // More rows to a block than its ring has slots, whichever a slot holds: several, one, a part of one.
  check({Storage::kBf16, 40128, 512, 1, LinearPath::kRows});
  check({Storage::kBf16, 2644, 4096, 1, LinearPath::kRows});
  check({Storage::kBf16, 2644, 27648, 1, LinearPath::kRows});
  check({Storage::kFp8Block128, 2644, 27648, 1, LinearPath::kRows});
  check({Storage::kInt4G128, 2644, 27648, 1, LinearPath::kRows});
}

TEST(CudaLinear, WholeRowsNormTheirToken) {
  if (device_traits().compute < 90) GTEST_SKIP() << "waived: no bulk copies";
  for (Storage storage : kStorages) {
    for (std::int64_t cols : {128, 1408, 2048, 5120, 8192}) {
      Case c{storage, 1004, cols, 1, LinearPath::kRows};
      c.norm = true;
      check(c);
      c.gated = true, c.fp32 = false, c.overlap = true;
      check(c);
      c.gated = false, c.add = true, c.bias = true, c.fp32 = true;
      check(c);
    }
  }
}

TEST(CudaLinear, OnlyWholeRowsOfOneTokenTakeANorm) {
  if (device_traits().compute < 90) GTEST_SKIP() << "waived: no bulk copies";
  Random random;
  const TestWeights w(Storage::kBf16, 256, 512, random), wide(Storage::kBf16, 16, 8320, random);
  const float one = 1;
  Linear op{.w = w.view(), .tokens = 1, .norm = {.residual = &one, .weight = &one}};
  EXPECT_TRUE(takes_norm(op));
  op.tokens = 2;
  EXPECT_FALSE(takes_norm(op));
  op.tokens = 1, op.path = LinearPath::kStream;
  EXPECT_FALSE(takes_norm(op));
  EXPECT_THROW(linear({}, op, {}), CudaError);
  op.path = LinearPath::kAuto, op.w = wide.view();
  EXPECT_FALSE(takes_norm(op));
}

TEST(CudaLinear, TensorCoresEqualTheHostAtOddSizes) {
  if (device_traits().compute < 80) GTEST_SKIP() << "waived: no tensor cores for bf16";
  for (Storage storage : kStorages) {
    for (std::int64_t cols : odd_cols(storage)) {
      for (std::int64_t rows : {4, 60, 1004}) {
        for (int tokens : {1, 2, 3, 8, 13, 17, 64}) check({storage, rows, cols, tokens, LinearPath::kMma});
      }
    }
  }
}

TEST(CudaLinear, BlocksShareTheInputsOfLongNarrowMatrices) {
  if (device_traits().compute < 80) GTEST_SKIP() << "waived: no tensor cores for bf16";
  for (Storage storage : kStorages) {
    for (int tokens : {1, 8, 40}) check({storage, 72, 12288, tokens, LinearPath::kMma});
    check({storage, 576, 7168, 1, LinearPath::kDot});
  }
}

TEST(CudaLinear, GatedAddedAndBiasedOutputsEqualTheHost) {
  for (Storage storage : kStorages) {
    for (LinearPath path : {LinearPath::kDot, LinearPath::kStream, LinearPath::kRows, LinearPath::kMma}) {
      if (path != LinearPath::kDot && device_traits().compute < 80) continue;
      for (int tokens : {1, 5, 30}) {
        if ((path == LinearPath::kStream && tokens > 8 && storage == Storage::kBf16) ||
            (path == LinearPath::kRows && tokens > 1))
          continue;
        check({storage, 332, 1408, tokens, path, true});
        check({storage, 332, 1408, tokens, path, true, false});
        check({storage, 332, 1408, tokens, path, false, false, true, true});
        check({storage, 332, 1408, tokens, path, false, true, true, true, true});
      }
    }
  }
}

// Tokens that fill a warpgroup's product, one more and one less; fewer rows than a tile, a tile that is not full, several; blocks that
// share the inputs of few rows unevenly.
TEST(CudaLinear, WarpgroupsEqualTheHostAtOddSizes) {
  if (device_traits().compute != 90) GTEST_SKIP() << "waived: no warpgroup products";
  for (Storage storage : {Storage::kFp8Block128, Storage::kInt4G128, Storage::kInt4G128Asym}) {
    for (std::int64_t cols : odd_cols(storage)) {
      for (std::int64_t rows : {4, 60, 1004}) {
        for (int tokens : {2, 17, 33, 64, 65, 128}) check({storage, rows, cols, tokens, LinearPath::kWide});
      }
    }
    for (int tokens : {17, 33, 127}) {
      check({storage, 72, 12288, tokens, LinearPath::kWide});
      check({storage, 332, 1408, tokens, LinearPath::kWide, true});
      check({storage, 332, 1408, tokens, LinearPath::kWide, true, false});
      check({storage, 332, 1408, tokens, LinearPath::kWide, false, false, true, true});
      check({storage, 332, 1408, tokens, LinearPath::kWide, false, true, true, true, true});
    }
  }
  // More tiles than multiprocessors.
  check({Storage::kInt4G128, 8500, 384, 127, LinearPath::kWide, true, false, false, false, true});
  for (std::int64_t phase : {8, 72, 120}) {
    check({.storage = Storage::kFp8Block128,
           .rows = 300,
           .cols = 512,
           .tokens = 33,
           .path = LinearPath::kWide,
           .row_phase = phase});
  }
}

TEST(CudaLinear, RowsMayBeginWithinATileOfScales) {
  for (std::int64_t phase : {8, 72, 120}) {
    check({.storage = Storage::kFp8Block128,
           .rows = 300,
           .cols = 512,
           .tokens = 3,
           .path = LinearPath::kDot,
           .row_phase = phase});
    if (device_traits().compute < 80) continue;
    for (LinearPath path : {LinearPath::kStream, LinearPath::kRows, LinearPath::kMma}) {
      check({.storage = Storage::kFp8Block128,
             .rows = 300,
             .cols = 512,
             .tokens = path == LinearPath::kRows ? 1 : 3,
             .path = path,
             .row_phase = phase});
    }
  }
}

TEST(CudaLargeLinear, EqualsTheHost) {
  for (Storage storage : kStorages) {
    for (int tokens : {1, 2, 8, 65, 300}) {
      check({.storage = storage, .rows = 1000, .cols = 1408, .tokens = tokens, .path = {}, .large = true});
      check({.storage = storage, .rows = 328, .cols = 384, .tokens = tokens, .path = {}, .fp32 = false, .large = true});
      check({.storage = storage,
             .rows = 576,
             .cols = 2048,
             .tokens = tokens,
             .path = {},
             .fp32 = false,
             .add = true,
             .bias = true,
             .large = true});
    }
  }
  check({.storage = Storage::kFp8Block128,
         .rows = 296,
         .cols = 512,
         .tokens = 70,
         .path = {},
         .row_phase = 72,
         .large = true});
}

}  // namespace
}  // namespace fathom::cuda
