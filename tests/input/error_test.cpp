#include "input/error.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace fathom {
namespace {

class RenderTest : public testing::Test {
 protected:
  RenderTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::temp_directory_path() /
            (std::string("fathom-render-") + std::to_string(getpid()) + test->name());
  }
  ~RenderTest() override {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  std::string render_at(const std::string& content, Position at, const std::string& hint = {}) {
    std::ofstream(path_, std::ios::binary) << content;
    std::string out = render(InputError(path_.string(), at, "wrong", hint));
    return out.substr(out.find('\n', out.find("-->")) + 1);  // without the path, which changes
  }

  std::filesystem::path path_;
};

TEST_F(RenderTest, PutsACaretUnderTheColumn) {
  EXPECT_EQ(render_at("a: 1\nbee: 2\n", {2, 6}, "try 3"),
            "    2 | bee: 2\n"
            "      |      ^\n"
            "   = help: try 3");
}

TEST_F(RenderTest, CountsWideCharactersTwice) {
  // 万 takes two terminal columns, so the caret of code point 3 stands behind four blanks.
  EXPECT_EQ(render_at("万万x", {1, 3}), "    1 | 万万x\n      |     ^");
}

TEST_F(RenderTest, ShowsTabsAsBlanksAndControlCharactersAsQuestionMarks) {
  EXPECT_EQ(render_at("\ta\x1b[1m\r\n", {1, 2}), "    1 |     a?[1m\n      |     ^");
}

TEST_F(RenderTest, CutsLongLinesAroundTheColumn) {
  const std::string out = render_at(std::string(5000, 'a') + "X" + std::string(5000, 'b'), {1, 5001});
  EXPECT_LT(out.size(), 400u);
  const std::size_t line_end = out.find('\n');
  // "…" is three bytes and one column.
  EXPECT_EQ(out.find('X') - 2, out.rfind('^') - line_end - 1);
}

TEST_F(RenderTest, ClampsAColumnBehindTheEndOfTheLine) {
  EXPECT_EQ(render_at("ab\n", {1, 3}), "    1 | ab\n      |   ^");
}

TEST_F(RenderTest, LeavesTheExcerptOutWhenThereIsNone) {
  EXPECT_EQ(render(InputError("no/such/file.yaml", {3, 4}, "wrong", "right")),
            "error: wrong\n  --> no/such/file.yaml:3:4\n   = help: right");
  EXPECT_EQ(render(InputError("file.yaml", {}, "there is no such file")),
            "error: there is no such file\n  --> file.yaml");
  EXPECT_EQ(render(InputError("/tmp", {1, 1}, "wrong")), "error: wrong\n  --> /tmp:1:1");
}

TEST(InputError, SaysWhereInItsWhat) {
  EXPECT_STREQ(InputError("a.yaml", {3, 4}, "wrong").what(), "a.yaml:3:4: wrong");
  EXPECT_STREQ(InputError("a.yaml", {}, "wrong").what(), "a.yaml: wrong");
}

}  // namespace
}  // namespace fathom
