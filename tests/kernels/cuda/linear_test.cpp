// All paths of linear() and grouped_linear() against the host's products of the same stored weights.
#include "cuda/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>

#include "cuda/int4_layout.h"
#include "cuda/large_linear.h"
#include "host/matrix.h"
#include "on_device.h"

namespace fathom::cuda {
namespace {

using host::Storage;

const char* name_of(Storage storage) {
  switch (storage) {
    case Storage::kBf16:
      return "bf16";
    case Storage::kFp8Block128:
      return "fp8";
    case Storage::kInt4G128:
      return "int4";
    case Storage::kInt4G128Asym:
      return "int4 asymmetric";
    case Storage::kFp32:
      break;
  }
  return "";
}

// One matrix on both sides.
class TestWeights {
 public:
  TestWeights(Storage storage, std::int64_t rows, std::int64_t cols, Random& random, std::int64_t row_phase = 0) {
    const host::MatrixBytes bytes = host::matrix_bytes(storage, rows + row_phase, cols);
    codes_.resize(host::matrix_bytes(storage, rows, cols).codes);
    scales_.resize(bytes.scales);
    zeros_.resize(bytes.zeros);
    for (std::uint8_t& z : zeros_) z = static_cast<std::uint8_t>(random.bits());
    if (storage == Storage::kBf16) {
      put(codes_, [&] { return random.bf16(); });
    } else if (storage == Storage::kFp8Block128) {
      put(codes_, [&] {
        return static_cast<std::uint8_t>(random.below(254) < 127 ? random.below(127) : 128 + random.below(127));
      });
    } else {
      put(codes_, [&] { return static_cast<std::uint8_t>(random.bits()); });
    }
    if (storage == Storage::kFp8Block128) {
      put(scales_, [&] { return 0.01f + std::abs(random.normal()); });
    } else {
      put(scales_, [&] { return host::to_fp16(0.01f + std::abs(random.normal())); });
    }
    host_ = {.storage = storage, .rows = rows, .cols = cols, .codes = codes_.data(), .row_phase = row_phase};
    if (!scales_.empty()) host_.scales = scales_.data();
    if (!zeros_.empty()) host_.zeros = zeros_.data();

    view_ = {.rows = rows, .cols = cols, .row_phase = row_phase};
    device_codes_ = std::make_unique<OnDevice<std::uint8_t>>(codes_);
    view_.codes = device_codes_->data();
    if (storage == Storage::kBf16) return;
    device_scales_ = std::make_unique<OnDevice<std::uint8_t>>(scales_);
    view_.scales = device_scales_->data();
    view_.format = WeightFormat::kFp8Block128;
    if (storage == Storage::kFp8Block128) return;
    view_.format = WeightFormat::kInt4G128;
    view_.scale_stride = rows;
    turned_scales_ = std::make_unique<OnDevice<std::uint16_t>>(rows * cols / 128);
    repack_int4_codes({}, device_codes_->data(), rows, cols);
    turn_int4_scales({}, reinterpret_cast<const std::uint16_t*>(device_scales_->data()), turned_scales_->data(), rows,
                     cols);
    view_.scales = turned_scales_->data();
    if (storage == Storage::kInt4G128) return;
    device_zeros_ = std::make_unique<OnDevice<std::uint8_t>>(zeros_);
    turned_zeros_ = std::make_unique<OnDevice<std::uint8_t>>(rows * cols / 128);
    turn_int4_zeros({}, device_zeros_->data(), turned_zeros_->data(), rows, cols);
    view_.zeros = turned_zeros_->data();
  }

  const host::Matrix& on_host() const { return host_; }
  const Weights& view() const { return view_; }

 private:
  template <class Make>
  static void put(std::vector<std::uint8_t>& to, const Make& make) {
    for (std::size_t i = 0; i < to.size(); i += sizeof(make())) {
      const auto value = make();
      std::memcpy(to.data() + i, &value, sizeof value);
    }
  }

  std::vector<std::uint8_t> codes_, scales_, zeros_;
  host::Matrix host_;
  Weights view_;
  std::unique_ptr<OnDevice<std::uint8_t>> device_codes_, device_scales_, device_zeros_, turned_zeros_;
  std::unique_ptr<OnDevice<std::uint16_t>> turned_scales_;
};

host::Team& team() {
  static host::Team all(host::hardware_threads());
  return all;
}

struct TestWorkspace {
  OnDevice<float> data{linear_workspace_bytes(device_traits()) / sizeof(float)};
  OnDevice<std::uint32_t> counters{kLinearCounters};
  TestWorkspace() { counters.clear(); }
  Workspace view() const { return {data.data(), data.bytes(), counters.data(), kLinearCounters}; }
};

struct Case {
  Storage storage;
  std::int64_t rows, cols;
  int tokens;
  LinearPath path;
  bool gated = false, fp32 = true, add = false, bias = false, overlap = false;
  std::int64_t row_phase = 0;
  bool large = false;  // LargeLinear instead of linear()
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
         (c.gated ? " gated" : "") + (c.fp32 ? " fp32" : " bf16") + " seed " + std::to_string(seed);
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
  std::vector<std::uint8_t> first;
  for (int run = 0; run < 3; ++run) {
    y.poison();
    c.large ? large(op) : linear({.overlap = c.overlap}, op, workspace.view());
    const std::vector<std::uint8_t> bytes = y.values();
    if (run == 0) first = bytes;
    ASSERT_EQ(bytes, first) << "run " << run << " differs";
  }
  std::vector<float> actual;
  for (int t = 0; t < c.tokens; ++t) {
    for (std::int64_t r = 0; r < y_stride; ++r) {
      const std::uint8_t* at = first.data() + (t * y_stride + r) * width;
      if (r >= c.rows) {
        ASSERT_TRUE(std::all_of(at, at + width, [](std::uint8_t b) { return b == 0xff; })) << "padding was written";
        continue;
      }
      float value;
      std::uint16_t narrow;
      std::memcpy(&value, at, width);
      std::memcpy(&narrow, at, 2);
      actual.push_back(c.fp32 ? value : host::from_bf16(narrow));
    }
  }
  const bool rounded = c.large && c.storage != Storage::kBf16;  // scaled weights, to bf16
  EXPECT_LT(distance(actual, expected), !c.fp32 ? 5e-3 : rounded ? 3e-3 : 2e-5);
  for (std::uint32_t counter : workspace.counters.values()) ASSERT_EQ(counter, 0u);
}

constexpr Storage kStorages[] = {Storage::kBf16, Storage::kFp8Block128, Storage::kInt4G128, Storage::kInt4G128Asym};

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

struct GroupedCase {
  Storage storage;
  std::int64_t rows, cols;
  std::vector<std::int32_t> counts;  // of pairs, by expert
  int likely;
  bool gated = false, fp32 = true, own_rows = false;  // own_rows: of x, instead of those of a list
};

// What lies between rows of x and y is NaN and stays so.
void check(const GroupedCase& c) {
  Random random;
  SCOPED_TRACE(std::string(name_of(c.storage)) + " " + std::to_string(c.rows) + "x" + std::to_string(c.cols) +
               " likely " + std::to_string(c.likely) + (c.gated ? " gated" : "") + (c.fp32 ? "" : " bf16") + " seed " +
               std::to_string(random.seed()));
  const auto experts = static_cast<std::int64_t>(c.counts.size());
  const TestWeights w(c.storage, experts * c.rows, c.cols, random), up(c.storage, experts * c.rows, c.cols, random);
  std::vector<std::int32_t> first(1, 0), used;
  for (int e = 0; e < experts; ++e) {
    first.push_back(first.back() + c.counts[e]);
    if (c.counts[e] > 0) used.push_back(e);
  }
  used.resize(experts, -1);
  const int pairs = first.back(), tokens = c.own_rows ? pairs : 20;
  std::vector<std::int32_t> rows(pairs);
  std::iota(rows.begin(), rows.end(), 0);
  if (!c.own_rows) std::generate(rows.begin(), rows.end(), [&] { return random.below(tokens); });
  const std::int64_t x_stride = c.cols + 8, y_stride = c.rows + 8;
  std::vector<std::uint16_t> x(tokens * x_stride, 0xffff);
  std::vector<float> wide(pairs * c.cols), expected(pairs * c.rows), other(expected.size());
  for (int i = 0; i < tokens; ++i) {
    for (int k = 0; k < c.cols; ++k) x[i * x_stride + k] = host::to_bf16(random.normal() / 100);
  }
  for (int p = 0; p < pairs; ++p) {
    for (int k = 0; k < c.cols; ++k) wide[p * c.cols + k] = host::from_bf16(x[rows[p] * x_stride + k]);
  }
  for (int e = 0; e < experts; ++e) {
    if (c.counts[e] == 0) continue;
    const float* from = wide.data() + first[e] * c.cols;
    const auto product = [&](const TestWeights& m, std::vector<float>& to) {
      host::matmul(team(), m.on_host().row_range(e * c.rows, c.rows), from, c.cols, c.counts[e],
                   to.data() + first[e] * c.rows, c.rows);
    };
    product(w, expected);
    if (c.gated) product(up, other);
  }
  for (std::size_t i = 0; c.gated && i < expected.size(); ++i)
    expected[i] = expected[i] / (1 + std::exp(-expected[i])) * other[i];

  const OnDevice<std::int32_t> first_device(first), used_device(used), rows_device(rows);
  const OnDevice<std::uint16_t> x_device(x);
  const std::size_t width = c.fp32 ? 4 : 2;
  OnDevice<std::uint8_t> y(pairs * y_stride * width);
  GroupedLinear op{.w = w.view(),
                   .experts = experts,
                   .first_pair = first_device.data(),
                   .used = used_device.data(),
                   .slots = static_cast<int>(experts),
                   .likely_pairs = c.likely,
                   .x = x_device.data(),
                   .x_stride = x_stride,
                   .x_rows = c.own_rows ? nullptr : rows_device.data(),
                   .y = y.data(),
                   .y_stride = y_stride,
                   .y_fp32 = c.fp32};
  op.w.rows = c.rows;
  if (c.gated) op.up = up.view(), op.up.rows = c.rows;
  std::vector<std::uint8_t> bytes;
  for (int run = 0; run < 3; ++run) {
    y.poison();
    grouped_linear({}, op);
    const std::vector<std::uint8_t> now = y.values();
    if (run == 0) bytes = now;
    ASSERT_EQ(now, bytes) << "run " << run << " differs";
  }
  std::vector<float> actual;
  for (int p = 0; p < pairs; ++p) {
    for (std::int64_t r = 0; r < y_stride; ++r) {
      const std::uint8_t* at = bytes.data() + (p * y_stride + r) * width;
      if (r >= c.rows) {
        ASSERT_TRUE(std::all_of(at, at + width, [](std::uint8_t b) { return b == 0xff; })) << "padding was written";
        continue;
      }
      float value;
      std::uint16_t narrow;
      std::memcpy(&value, at, width);
      std::memcpy(&narrow, at, 2);
      actual.push_back(c.fp32 ? value : host::from_bf16(narrow));
    }
  }
  const bool rounded = c.likely > 16 && c.storage != Storage::kBf16;  // scaled weights, to bf16
  EXPECT_LT(distance(actual, expected), !c.fp32 ? 5e-3 : rounded ? 4e-3 : 2e-5);
}

// Seven experts of which two get nothing.
TEST(CudaGroupedLinear, EqualsTheHostExpertByExpert) {
  if (device_traits().compute < 80) GTEST_SKIP() << "waived: no tensor cores for bf16";
  for (Storage storage : kStorages) {
    for (int likely : {1, 4, 16}) {
      for (bool gated : {false, true}) check({storage, 384, 1408, {1, 0, 19, 3, 0, 8, 2}, likely, gated});
    }
  }
}

// On Hopper by warpgroups: every width of a tile, several tiles to an expert, none, rows and inputs that end within a tile.
TEST(CudaGroupedLinear, EqualsTheHostWhenExpertsHaveManyTokens) {
  if (device_traits().compute < 80) GTEST_SKIP() << "waived: no tensor cores for bf16";
  const std::vector<std::int32_t> counts = {0, 33, 256, 1, 90, 0, 600, 97, 129, 161, 0, 223, 250};
  for (Storage storage : kStorages) {
    for (bool gated : {false, true}) {
      for (bool fp32 : {false, true}) {
        const bool fp8 = storage == Storage::kFp8Block128;  // whose scales TestWeights lays out for rows of whole tiles
        check({storage, fp8 ? 256 : 200, 384, counts, 200, gated, fp32});
        check({storage, fp8 ? 128 : 136, 128, {5, 40, 0, 300}, 200, gated, fp32, true});
      }
    }
  }
  check({Storage::kBf16, 72, 200, counts, 200, true, false});
  check({Storage::kFp8Block128, 128, 208, counts, 200, true, false});
  check({Storage::kBf16, 2048, 64, {20, 3000, 0, 700}, 900, false, false});  // more tiles than blocks
}

}  // namespace
}  // namespace fathom::cuda
