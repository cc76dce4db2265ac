// Checkpoints as they are published, made small: every stored format of floats into every planned one, and experts that are
// fused.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "weights/checkpoint_fixture.h"

namespace fathom {
namespace {

TEST_F(Checkpoint, FloatsAreKeptOrRoundedToNearestEven) {
  const std::vector<float> values = noise(40 * 300);
  const auto bf16 = converted(values, host::to_bf16), fp16 = converted(values, host::to_fp16);
  Tensors tensors;
  tensors.add("f32.weight", "F32", {40, 300}, values)
      .add("bf16.weight", "BF16", {40, 300}, bf16)
      .add("f16.weight", "F16", {40, 300}, fp16);
  write(tensors);
  for (const auto& [row, rows, col, cols] :
       {std::array<std::int64_t, 4>{0, 40, 0, 300}, {7, 20, 0, 300}, {0, 40, 31, 77}, {39, 1, 299, 1}}) {
    const auto part = [&, row = row, rows = rows, col = col, cols = cols](const char* name, Format format) {
      return cut(slice_of(40, 300, format, name), row, rows, col, cols);
    };
    const auto at = [](const auto& list, std::int64_t r, std::int64_t c) {
      return list[static_cast<std::size_t>(r * 300 + c)];
    };
    const auto rounded = [](float x) { return host::from_bf16(host::to_bf16(x)); };
    expect_values(part("f32.weight", Format::kFp32), [&](auto r, auto c) { return at(values, r, c); });
    expect_values(part("f32.weight", Format::kBf16), [&](auto r, auto c) { return rounded(at(values, r, c)); });
    expect_values(part("bf16.weight", Format::kFp32), [&](auto r, auto c) { return host::from_bf16(at(bf16, r, c)); });
    expect_values(part("bf16.weight", Format::kBf16), [&](auto r, auto c) { return host::from_bf16(at(bf16, r, c)); });
    expect_values(part("f16.weight", Format::kFp32), [&](auto r, auto c) { return host::from_fp16(at(fp16, r, c)); });
    expect_values(part("f16.weight", Format::kBf16),
                  [&](auto r, auto c) { return rounded(host::from_fp16(at(fp16, r, c))); });
  }
}

TEST_F(Checkpoint, VectorsBecomeFloats) {
  const std::vector<float> values = noise(100);
  Tensors tensors;
  tensors.add("f32", "F32", {100}, values)
      .add("bf16", "BF16", {100}, converted(values, host::to_bf16))
      .add("f16", "F16", {100}, converted(values, host::to_fp16))
      .add("int", "I64", {100}, std::vector<std::int64_t>(100));
  write(tensors);
  const CheckpointWeights source(folder_.path());
  Account account;
  for (const char* name : {"f32", "bf16", "f16"}) {
    TensorSlice s = vector_of(100, name);
    source.check({s});
    const LoadedVector all = source.vector(s, account);
    EXPECT_NEAR(all.data()[99], values[99], 0.005);
    if (name == std::string("f32")) {
      EXPECT_EQ(all.data()[5], values[5]) << "not rounded";
    }
    s.row = 40, s.row_count = 30;
    const LoadedVector part = source.vector(s, account);
    EXPECT_TRUE(std::equal(part.data(), part.data() + 30, all.data() + 40));
  }
  EXPECT_THROW(source.vector(vector_of(100, "int"), account), InputError);
  EXPECT_THROW(source.vector(vector_of(99, "f32"), account), InputError);
}

// 300 x 520: three by five tiles, the last of each not full.
TEST_F(Checkpoint, Fp8TilesAreKeptAsTheyAreOrMultipliedOut) {
  std::mt19937 random(1);
  std::vector<std::uint8_t> codes(300 * 520);
  for (auto& code : codes) code = static_cast<std::uint8_t>(random() % 127 | (random() % 2) << 7);
  std::vector<float> scales(3 * 5);
  for (float& scale : scales) scale = static_cast<float>(1 + random() % 1000) * 1e-4F;
  Tensors tensors;
  tensors.add(kName, "F8_E4M3", {300, 520}, codes).add(kName + "_scale_inv", "F32", {3, 5}, scales);
  write(tensors);
  const auto value = [&](std::int64_t r, std::int64_t c) {
    return host::from_e4m3(codes[static_cast<std::size_t>(r * 520 + c)]) *
           scales[static_cast<std::size_t>(r / 128 * 5 + c / 128)];
  };
  for (const auto& [row, rows, col, cols] :
       {std::array<std::int64_t, 4>{0, 300, 0, 520}, {128, 172, 0, 520}, {0, 300, 256, 264}, {128, 128, 128, 256}}) {
    const auto part = [&, row = row, rows = rows, col = col, cols = cols](Format format) {
      return cut(slice_of(300, 520, format), row, rows, col, cols);
    };
    expect_values(part(Format::kFp8Block128), value);
    expect_values(part(Format::kFp32), value);
    expect_values(part(Format::kBf16), [&](auto r, auto c) { return host::from_bf16(host::to_bf16(value(r, c))); });
  }
  expect_values(cut(slice_of(300, 520, Format::kBf16), 77, 99, 200, 201),
                [&](auto r, auto c) { return host::from_bf16(host::to_bf16(value(r, c))); });
  expect_refused(cut(slice_of(300, 520, Format::kFp8Block128), 0, 300, 64, 128), "cut a block of 128", "");
}

TEST_F(Checkpoint, Fp8WithoutTileScalesIsRefused) {
  Tensors tensors;
  tensors.add(kName, "F8_E4M3", {256, 256}, std::vector<std::uint8_t>(256 * 256))
      .add(kName + "_scale", "F32", {1}, std::vector<float>(1));
  write(tensors);
  expect_refused(slice_of(256, 256, Format::kFp8Block128), "there is no " + kName + "_scale_inv", "128 x 128 tile");
  tensors.add(kName + "_scale_inv", "F32", {2, 1}, std::vector<float>(2));
  write(tensors);
  expect_refused(slice_of(256, 256, Format::kFp8Block128), "_scale_inv is F32 [2, 1]; the planned model needs [2, 2]",
                 "");
}

TEST_F(Checkpoint, FusedExpertsAreReadAsIfTheyWereApart) {
  constexpr std::int64_t kExperts = 3, kWidth = 4, kHidden = 6;
  const std::vector<float> gate_up = noise(kExperts * 2 * kWidth * kHidden),
                           down = noise(kExperts * kHidden * kWidth + 1);
  const std::vector<float> downs(down.begin(), down.end() - 1);
  Tensors tensors;
  tensors.add("model.layers.0.mlp.experts.gate_up_proj", "F32", {kExperts, 2 * kWidth, kHidden}, gate_up)
      .add("model.layers.0.mlp.experts.down_proj", "F32", {kExperts, kHidden, kWidth}, downs);
  write(tensors);
  const auto expert = [](int e, const std::string& block, const std::string& part, std::int64_t rows,
                         std::int64_t cols) {
    TensorSlice s = slice_of(rows, cols, Format::kFp32,
                             "model.layers.0." + block + ".experts." + std::to_string(e) + "." + part + ".weight");
    s.expert = e;
    return s;
  };
  for (int e = 0; e < kExperts; ++e) {
    const auto first = [&, e](std::int64_t half) {
      return [&gate_up, half, e](std::int64_t r, std::int64_t c) {
        return gate_up[static_cast<std::size_t>(((e * 2 + half) * kWidth + r) * kHidden + c)];
      };
    };
    const auto second = [&downs, e](std::int64_t r, std::int64_t c) {
      return downs[static_cast<std::size_t>((e * kHidden + r) * kWidth + c)];
    };
    expect_values(expert(e, "mlp", "gate_proj", kWidth, kHidden), first(0));
    expect_values(cut(expert(e, "mlp", "up_proj", kWidth, kHidden), 2, 2, 0, kHidden), first(1));
    expect_values(cut(expert(e, "mlp", "down_proj", kHidden, kWidth), 0, kHidden, 2, 2), second);
    expect_values(expert(e, "block_sparse_moe", "w1", kWidth, kHidden), first(0));
    expect_values(expert(e, "block_sparse_moe", "w3", kWidth, kHidden), first(1));
    expect_values(expert(e, "block_sparse_moe", "w2", kHidden, kWidth), second);
  }
  expect_refused(expert(3, "mlp", "gate_proj", kWidth, kHidden), "needs [more than 3, 8, 6]", "");
  expect_refused(expert(0, "mlp", "down_proj", kHidden, kWidth + 1), "is F32 [3, 6, 4]", "");
}

}  // namespace
}  // namespace fathom
