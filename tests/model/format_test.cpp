// Storage of one matrix in each format, against the format's own definition.
#include "model/format.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

// 4,096 x 14,336 = 58,720,256 values. fp8: one fp32 per 128 x 128 tile, 32 x 112 of them. int4: fp16 per 128. AWQ: fp16
// and a 4-bit zero per 128. MXFP4: 17 B per 32. NVFP4: 9 B per 16. Q4_K: 144 B per 256. Q8_0: 34 B per 32.
TEST(Format, BytesMatchEachFormatsDefinition) {
  constexpr double kValues = 58'720'256;
  const auto stored = [](Format f) { return bytes(f, 4096, 14336).value; };
  EXPECT_EQ(stored(Format::kFp32), 4 * kValues);
  EXPECT_EQ(stored(Format::kBf16), 2 * kValues);
  EXPECT_EQ(stored(Format::kFp16), 2 * kValues);
  EXPECT_EQ(stored(Format::kFp8Block128), kValues + 4 * 32 * 112);
  EXPECT_EQ(stored(Format::kFp8), kValues);
  EXPECT_EQ(stored(Format::kInt8), kValues);
  EXPECT_EQ(stored(Format::kInt4G128), kValues / 2 + kValues / 128 * 2);
  EXPECT_EQ(stored(Format::kInt4G128Asym), kValues / 2 + kValues / 128 * 2.5);
  EXPECT_EQ(stored(Format::kMxfp4), kValues / 32 * 17);
  EXPECT_EQ(stored(Format::kNvfp4), kValues / 16 * 9);
  EXPECT_EQ(stored(Format::kQ4K), kValues / 256 * 144);
  EXPECT_EQ(stored(Format::kQ8_0), kValues / 32 * 34);
}

// kv_a of R1 is 576 x 7,168: five rows of tiles, the last of them half full.
TEST(Format, AStartedTileKeepsAWholeScale) {
  EXPECT_EQ(bytes(Format::kFp8Block128, 576, 7168).value, 576 * 7168 + 4 * 5 * 56);
}

TEST(Format, EverySchemeIsFoundByItsName) {
  for (const WeightScheme& s : weight_schemes()) EXPECT_EQ(find_weight_scheme(s.name)->name, s.name);
  EXPECT_FALSE(find_weight_scheme("int3"));
  EXPECT_EQ(parse_kv_format("fp8"), KvFormat::kFp8);
  EXPECT_FALSE(parse_kv_format("int4"));
}

TEST(Format, ProcessorsExpandBlocksOfTheirOwnFiles) {
  for (Format f : {Format::kQ8_0, Format::kQ4K, Format::kQ4KM, Format::kIq1S, Format::kGf4}) EXPECT_TRUE(is_gguf(f));
  for (Format f : {Format::kBf16, Format::kFp8Block128, Format::kInt4G128, Format::kMxfp4}) EXPECT_FALSE(is_gguf(f));
}

}  // namespace
}  // namespace fathom
