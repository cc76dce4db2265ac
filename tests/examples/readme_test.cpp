// Output shown in documents is output of the program: every block between
//   <!-- output: fathom plan examples/…/cluster.yaml -->   and   <!-- end -->
// is run and compared. FATHOM_UPDATE=1 ./test -L examples rewrites them; the diff is the review.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace {

namespace fs = std::filesystem;

constexpr const char* kBegin = "<!-- output: fathom ";
constexpr const char* kEnd = "<!-- end -->";

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// What the program prints on stdout; it runs in the repository root, where ctest starts the tests.
std::string run_fathom(const std::string& arguments) {
  const std::string command = std::string("'") + FATHOM_BINARY + "' " + arguments + " --color=never 2>/dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "cannot run " + command;
  std::string output;
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), n);
  pclose(pipe);
  return output;
}

// The document with every marked block filled anew. "| head -N" after the command keeps its first lines.
std::string regenerated(const std::string& text) {
  std::string result;
  std::size_t at = 0;
  while (true) {
    const std::size_t begin = text.find(kBegin, at);
    if (begin == std::string::npos) return result + text.substr(at);
    const std::size_t line_end = text.find('\n', begin);
    const std::size_t end = text.find(kEnd, begin);
    EXPECT_NE(end, std::string::npos) << "an output block without " << kEnd;
    if (end == std::string::npos || line_end > end) return text;
    std::string command =
        text.substr(begin + std::string(kBegin).size(), line_end - begin - std::string(kBegin).size());
    command = command.substr(0, command.rfind(" -->"));
    result += text.substr(at, line_end + 1 - at) + "```text\n" + run_fathom(command) + "```\n";
    at = end;
  }
}

TEST(Readme, ShowsWhatTheProgramPrints) {
  int blocks = 0;
  for (const fs::path& folder :
       {fs::path(FATHOM_SOURCE_DIR), fs::path(FATHOM_SOURCE_DIR) / "docs", fs::path(FATHOM_SOURCE_DIR) / "examples"}) {
    for (fs::recursive_directory_iterator it(folder), end; it != end; ++it) {
      if (folder == fs::path(FATHOM_SOURCE_DIR)) it.disable_recursion_pending();
      if (it->path().extension() != ".md") continue;
      const std::string text = read_file(it->path());
      if (text.find(kBegin) == std::string::npos) continue;
      ++blocks;
      const std::string now = regenerated(text);
      if (now != text && std::getenv("FATHOM_UPDATE") != nullptr) {
        std::ofstream(it->path(), std::ios::binary) << now;
      } else {
        EXPECT_EQ(text, now) << it->path() << ": run FATHOM_UPDATE=1 ./test -L examples and review the diff";
      }
    }
  }
  EXPECT_GE(blocks, 6) << "the README and the five examples show output";
}

}  // namespace
