#include "input/utf8.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(CodePointAt, DecodesOneToFourBytes) {
  EXPECT_EQ(code_point_at("a", 0).value, U'a');
  EXPECT_EQ(code_point_at("\u00B5", 0).value, U'\u00B5');
  EXPECT_EQ(code_point_at("x\u4E07", 1).value, U'\u4E07');
  EXPECT_EQ(code_point_at("\U0001F600", 0).value, U'\U0001F600');
  EXPECT_EQ(code_point_at("\U0001F600", 0).length, 4u);
}

TEST(CodePointAt, RefusesWhatUtf8Forbids) {
  EXPECT_EQ(code_point_at("\xFF", 0).length, 0u);
  EXPECT_EQ(code_point_at("\x80", 0).length, 0u);              // continuation without a start
  EXPECT_EQ(code_point_at("\xC0\xAF", 0).length, 0u);          // overlong "/"
  EXPECT_EQ(code_point_at("\xE0\x80\xAF", 0).length, 0u);      // the same in three bytes
  EXPECT_EQ(code_point_at("\xED\xA0\x80", 0).length, 0u);      // a surrogate
  EXPECT_EQ(code_point_at("\xF4\x90\x80\x80", 0).length, 0u);  // above U+10FFFF
  EXPECT_EQ(code_point_at("\xE4\xB8", 0).length, 0u);          // cut off
  EXPECT_EQ(code_point_at("", 0).length, 0u);
}

TEST(DisplayWidth, GivesChineseTwoColumns) {
  EXPECT_EQ(display_width(U'a'), 1);
  EXPECT_EQ(display_width(U'万'), 2);
  EXPECT_EQ(display_width(U'\u0301'), 0);
}

}  // namespace
}  // namespace fathom
