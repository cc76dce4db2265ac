// Four-bit checkpoints of GPTQ and AWQ: what they mean, and what is refused.
#include <gtest/gtest.h>

#include <array>

#include "weights/four_bits.h"

namespace fathom {
namespace {

TEST_F(Checkpoint, GptqAndAwqMeanTheSameMatrixAfterRepacking) {
  const FourBits symmetric(true), asymmetric(false);
  const auto expect_all = [&](const FourBits& m, Format format, const std::string& config) {
    folder_.write("config.json", config);
    for (const auto& [row, rows, col, cols] : {std::array<std::int64_t, 4>{0, 48, 0, 640},
                                               {24, 24, 0, 640},
                                               {0, 48, 256, 384},
                                               {13, 7, 128, 128},
                                               {5, 30, 512, 128}}) {
      expect_values(cut(m.slice(format), row, rows, col, cols), [&](auto r, auto c) { return m.value(r, c); });
    }
  };
  for (const FourBits* m : {&symmetric, &asymmetric}) {
    Tensors gptq = m->gptq(), gptq2 = m->gptq(0), awq = m->awq();
    write(gptq);
    expect_all(*m, Format::kInt4G128Asym, kGptqConfig);
    expect_all(*m, Format::kInt4G128Asym, "{}");  // told by its shape
    write(awq);
    expect_all(*m, Format::kInt4G128Asym, kAwqConfig);
    expect_all(*m, Format::kInt4G128Asym, "{}");
    write(gptq2);
    expect_all(*m, Format::kInt4G128Asym, kGptq2Config);
  }
  Tensors gptq = symmetric.gptq(), awq = symmetric.awq();
  write(gptq);
  expect_all(symmetric, Format::kInt4G128, kGptqConfig);
  write(awq);
  expect_all(symmetric, Format::kInt4G128, kAwqConfig);
}

TEST_F(Checkpoint, ZerosThatASymmetricFormatCannotHoldAreRefused) {
  const FourBits m(false);
  Tensors gptq = m.gptq();
  write(gptq, kGptqConfig);
  expect_refused(m.slice(Format::kInt4G128), "the plan wants int4-g128 with zero 8 throughout",
                 "plan with int4 weights", true);
}

TEST_F(Checkpoint, ActOrderAndOtherGroupsAreRefused) {
  const FourBits m(true);
  Tensors shuffled = m.gptq();
  std::vector<std::int32_t> order(FourBits::kInputs);
  for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<std::int32_t>(k % 5);
  Tensors other;
  other.add(kModule + ".qweight", "I32", {80, 48}, m.gptq_weights())
      .add(kModule + ".qzeros", "I32", {5, 6}, m.zeros({0, 1, 2, 3, 4, 5, 6, 7}, 1))
      .add(kModule + ".scales", "F16", {5, 48}, m.scales())
      .add(kModule + ".g_idx", "I32", {640}, order);
  write(other, kGptqConfig);
  expect_refused(m.slice(Format::kInt4G128), "act-order: input 1 belongs to group 1, not 0", "desc_act false", true);

  Tensors fine_groups;
  fine_groups.add(kModule + ".qweight", "I32", {80, 48}, m.gptq_weights())
      .add(kModule + ".qzeros", "I32", {10, 6}, std::vector<std::uint32_t>(60))
      .add(kModule + ".scales", "F16", {10, 48}, std::vector<std::uint16_t>(480));
  write(fine_groups, kGptqConfig);
  expect_refused(m.slice(Format::kInt4G128), "has groups of 64", "group size 128");

  folder_.write("config.json", R"({"quantization_config": {"quant_method": "gptq", "bits": 8}})");
  expect_refused(m.slice(Format::kInt4G128), "holds 8-bit weights", "");
  Tensors awq = m.awq();
  write(awq, R"({"quantization_config": {"quant_method": "awq", "bits": 4, "version": "gemv"}})");
  expect_refused(m.slice(Format::kInt4G128), "AWQ packing \"gemv\" is not known", "");
}

TEST_F(Checkpoint, NothingIsQuantisedBehindThePlannersBack) {
  Tensors tensors;
  tensors.add(kName, "BF16", {48, 640}, std::vector<std::uint16_t>(48 * 640));
  write(tensors);
  for (Format format : {Format::kInt4G128, Format::kInt4G128Asym, Format::kFp8Block128}) {
    expect_refused(slice_of(48, 640, format), "the checkpoint holds BF16, the plan wants " + to_string(format),
                   "plan with bf16 weights, or quantise the checkpoint first");
  }
  Tensors awq = FourBits(true).awq();
  write(awq, kAwqConfig);
  expect_refused(slice_of(48, 640, Format::kBf16), "the checkpoint holds 4-bit weights, the plan wants bf16",
                 "plan with int4 weights");
}

}  // namespace
}  // namespace fathom
