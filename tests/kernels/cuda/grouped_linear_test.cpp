// Products of experts, each with the tokens that chose it, against the host's.
#include <gtest/gtest.h>

#include <numeric>

#include "cuda/linear.h"
#include "test_weights.h"

namespace fathom::cuda {
namespace {

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
  const std::vector<float> actual = outputs_of(bytes, c.rows, y_stride, c.fp32);
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
