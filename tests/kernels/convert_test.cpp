#include "host/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fathom::host {
namespace {

// Every finite code above zero: decoding and encoding give it back; between it and the code above, the middle goes to
// the even one and anything nearer to one of them goes there. Negative numbers mirror positive ones.
template <class Code>
void expect_nearest_even(Code last, float (*decode)(Code), Code (*encode)(float), Code sign) {
  for (std::uint32_t i = 0; i < last; ++i) {
    const Code code = static_cast<Code>(i), above = static_cast<Code>(i + 1);
    const float low = decode(code), high = decode(above);
    ASSERT_LT(low, high);
    ASSERT_EQ(encode(low), code);
    ASSERT_EQ(encode(-low), code | sign);
    const float middle = low + (high - low) / 2;
    ASSERT_EQ(encode(middle), i % 2 == 0 ? code : above) << i;
    ASSERT_EQ(encode(std::nextafter(middle, 0.f)), code) << i;
    ASSERT_EQ(encode(std::nextafter(middle, high)), above) << i;
    ASSERT_EQ(encode(-middle), (i % 2 == 0 ? code : above) | sign) << i;
  }
}

TEST(Convert, RoundsToTheNearestAndTiesToTheEvenCode) {
  expect_nearest_even<std::uint16_t>(0x7bff, from_fp16, to_fp16, 0x8000);
  expect_nearest_even<std::uint8_t>(0x7e, from_e4m3, to_e4m3, 0x80);
  // The middle of two bf16 subnormals is itself an fp32 number, down to the smallest, 2^-133.
  expect_nearest_even<std::uint16_t>(0x7f7f, from_bf16, to_bf16, 0x8000);
}

// OCP 8-bit floating point specification, table 2: largest 448 = S.1111.110, smallest normal 2^-6, smallest 2^-9.
TEST(Convert, ReadsE4m3AsTheSpecificationSays) {
  EXPECT_EQ(from_e4m3(0x7e), 448);
  EXPECT_EQ(from_e4m3(0x08), 0x1p-6f);
  EXPECT_EQ(from_e4m3(0x07), 0.875f * 0x1p-6f);
  EXPECT_EQ(from_e4m3(0x01), 0x1p-9f);
  EXPECT_EQ(from_e4m3(0xb8), -1);
  EXPECT_TRUE(std::signbit(from_e4m3(0x80)));
  EXPECT_TRUE(std::isnan(from_e4m3(0x7f)));
  EXPECT_TRUE(std::isnan(from_e4m3(0xff)));
}

TEST(Convert, SaturatesE4m3AndOverflowsFp16) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (float beyond : {448.1f, 464.f, 480.f, 1e30f, infinity}) {
    EXPECT_EQ(to_e4m3(beyond), 0x7e) << beyond;
    EXPECT_EQ(to_e4m3(-beyond), 0xfe) << beyond;
  }
  EXPECT_EQ(to_fp16(65519.99f), 0x7bff);
  EXPECT_EQ(to_fp16(65520), 0x7c00);
  EXPECT_EQ(to_fp16(-infinity), 0xfc00);
  EXPECT_EQ(to_bf16(infinity), 0x7f80);
  EXPECT_EQ(to_bf16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(from_fp16(0x7c00), infinity);
}

TEST(Convert, KeepsNanANan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(from_bf16(to_bf16(nan))));
  EXPECT_TRUE(std::isnan(from_fp16(to_fp16(nan))));
  EXPECT_TRUE(std::isnan(from_e4m3(to_e4m3(nan))));
  // A payload in the low bits only must not be cut to infinity.
  EXPECT_TRUE(std::isnan(from_bf16(to_bf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(from_fp16(to_fp16(std::bit_cast<float>(0x7f800001u)))));
}

}  // namespace
}  // namespace fathom::host
