// Products whose weights come round a ring in shared memory, thousands of times: what a device says once it has to say every time.
//
// On H200s the wide path gave back a place in its ring while reads of it were under way, and now and then the next copy was there first:
// in most runs of eight launches of 64x16160x7168 in fp8 a few rows were off by what sixteen wrong weights make, for all tokens. Nothing
// that looked once saw it, and neither did racecheck.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>

#include "cuda/linear.h"
#include "test_weights.h"

namespace fathom::cuda {
namespace {

constexpr int kTogether = 16;  // launches one behind the other before anything is looked at
constexpr std::size_t kMostLookedAt = std::size_t{1} << 30;  // bytes

// `launch` writes [outputs / row, row] floats.
void agree(std::size_t outputs, std::int64_t row, const std::function<void(float* to)>& launch) {
  const OnDevice<float> y(kTogether * outputs);
  std::vector<float> first;
  const std::size_t runs = std::clamp<std::size_t>(kMostLookedAt / y.bytes(), 8, 100);
  for (std::size_t run = 0; run < runs; ++run) {
    y.poison();
    for (int i = 0; i < kTogether; ++i) launch(y.data() + i * outputs);
    const std::vector<float> all = y.values();
    if (run == 0) first.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(outputs));
    for (int i = 0; i < kTogether; ++i) {
      const float* now = all.data() + i * outputs;
      if (std::memcmp(now, first.data(), outputs * sizeof(float)) == 0) continue;
      std::string differing;  // whether rows, tokens or tiles are wrong tells what was read too late
      int count = 0;
      for (std::size_t o = 0; o < outputs; ++o) {
        if (std::memcmp(now + o, &first[o], sizeof(float)) == 0 || ++count > 64) continue;
        differing += " " + std::to_string(o / row) + ":" + std::to_string(o % row);
      }
      FAIL() << "run " << run << ", launch " << i << ": " << count << " values differ, of them at token:row"
             << differing;
    }
  }
}

struct Product {
  LinearPath path;
  std::int64_t rows, cols;
  int tokens;
  bool gated = false;
};

void repeat(Storage storage, const Product& p) {
  Random random;
  SCOPED_TRACE(std::string(name_of(storage)) + " " + std::to_string(p.tokens) + "x" + std::to_string(p.rows) + "x" +
               std::to_string(p.cols) + (p.gated ? " gated" : "") + " seed " + std::to_string(random.seed()));
  static TestWorkspace workspace;
  const TestWeights w(storage, p.rows, p.cols, random), up(storage, p.gated ? p.rows : 128, p.cols, random);
  const OnDevice<std::uint16_t> x(bf16_normals(random, p.tokens * p.cols));
  Linear op{.w = w.view(),
            .x = x.data(),
            .x_stride = p.cols,
            .tokens = p.tokens,
            .y_stride = p.rows,
            .y_fp32 = true,
            .path = p.path};
  if (p.gated) op.up = up.view();
  agree(p.tokens * p.rows, p.rows, [&](float* to) {
    op.y = to;
    linear({.overlap = true}, op, workspace.view());
  });
}

TEST(CudaRepeatedProducts, OfSomeTokensByWarpgroups) {
  if (device_traits().compute != 90) GTEST_SKIP() << "waived: no warpgroup products";
  for (Storage storage : {Storage::kFp8Block128, Storage::kInt4G128, Storage::kInt4G128Asym}) {
    for (int tokens : {24, 64, 128}) repeat(storage, {LinearPath::kWide, 6144, 4096, tokens});
    repeat(storage, {LinearPath::kWide, 2048, 7168, 64, true});
  }
  repeat(Storage::kFp8Block128, {LinearPath::kWide, 16160, 7168, 64});  // where it was seen
}

TEST(CudaRepeatedProducts, OfOneTokenByRows) {
  if (device_traits().compute < 90) GTEST_SKIP() << "waived: no bulk copies";
  for (Storage storage : kStorages) {
    repeat(storage, {LinearPath::kRows, 6144, 4096, 1});
    repeat(storage, {LinearPath::kRows, 7168, 4096, 1, true});
    repeat(storage, {LinearPath::kRows, 4096, 14336, 1});
    if (storage == Storage::kFp8Block128 || storage == Storage::kBf16)
      repeat(storage, {LinearPath::kRows, 2048, 18432, 1});  // rows of several slots
  }
}

// Experts of `pairs` tokens each.
void repeat_experts(Storage storage, int experts, int pairs, bool gated) {
  Random random;
  SCOPED_TRACE(std::string(name_of(storage)) + " " + std::to_string(experts) + " experts of " + std::to_string(pairs) +
               (gated ? " gated" : "") + " seed " + std::to_string(random.seed()));
  constexpr std::int64_t kRows = 1408, kCols = 2048;
  const TestWeights w(storage, experts * kRows, kCols, random), up(storage, experts * kRows, kCols, random);
  std::vector<std::int32_t> first, used;
  for (int e = 0; e <= experts; ++e) first.push_back(e * pairs);
  for (int e = 0; e < experts; ++e) used.push_back(e);
  const OnDevice<std::int32_t> first_device(first), used_device(used);
  const OnDevice<std::uint16_t> x(bf16_normals(random, experts * pairs * kCols));
  GroupedLinear op{.w = w.view(),
                   .experts = experts,
                   .first_pair = first_device.data(),
                   .used = used_device.data(),
                   .slots = experts,
                   .likely_pairs = pairs,
                   .x = x.data(),
                   .x_stride = kCols,
                   .y_stride = kRows,
                   .y_fp32 = true};
  op.w.rows = kRows;
  if (gated) op.up = up.view(), op.up.rows = kRows;
  agree(experts * pairs * kRows, kRows, [&](float* to) {
    op.y = to;
    grouped_linear({.overlap = true}, op);
  });
}

TEST(CudaRepeatedProducts, OfExperts) {
  if (device_traits().compute < 90) GTEST_SKIP() << "waived: no bulk copies";
  for (Storage storage : kStorages) {
    for (bool gated : {false, true}) {
      repeat_experts(storage, 6, 1, gated);
      repeat_experts(storage, 12, 72, gated);
    }
  }
}

}  // namespace
}  // namespace fathom::cuda
