#include "input/error.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include "input/utf8.h"

namespace fathom {

namespace {

std::string place(const std::string& file, Position at) {
  return at.line > 0 ? fmt::format("{}:{}:{}", file, at.line, at.column) : file;
}

}  // namespace

InputError::InputError(std::string file, Position at, std::string message, std::string hint)
    : std::runtime_error(place(file, at) + ": " + message),
      file_(std::move(file)),
      at_(at),
      message_(std::move(message)),
      hint_(std::move(hint)) {}

namespace {

constexpr int kTabWidth = 4;
constexpr int kColumnsBefore = 60;  // of a long line, what is shown left and right of the caret
constexpr int kColumnsAfter = 40;

struct Cell {
  std::string text;
  int width = 1;
  std::size_t length = 1;  // bytes taken from the line
};

// What one code point looks like on a terminal. Control characters could move the cursor, so they are not passed on.
Cell cell_at(std::string_view line, std::size_t at) {
  const CodePoint point = code_point_at(line, at);
  if (point.length == 0) return {"\uFFFD", 1, 1};
  if (point.value == '\t') return {std::string(kTabWidth, ' '), kTabWidth, 1};
  if (point.value < 0x20 || (point.value >= 0x7F && point.value < 0xA0)) return {"?", 1, point.length};
  return {std::string(line.substr(at, point.length)), display_width(point.value), point.length};
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Cell cell = cell_at(text, at);
    out += cell.text;
    at += cell.length;
  }
  return out;
}

struct Excerpt {
  std::string text;
  int caret = 0;  // blanks before the caret
};

// The part of the line around a column that counts code points from 1.
Excerpt excerpt_of(std::string_view line, int column) {
  const int first = column > kColumnsBefore ? column - kColumnsBefore : 1;
  Excerpt excerpt;
  if (first > 1) excerpt = {"…", 1};
  int current = 1;
  for (std::size_t at = 0; at < line.size(); ++current) {
    const Cell cell = cell_at(line, at);
    at += cell.length;
    if (current < first) continue;
    if (current >= column + kColumnsAfter) {
      excerpt.text += "…";
      break;
    }
    excerpt.text += cell.text;
    if (current < column) excerpt.caret += cell.width;
  }
  return excerpt;
}

std::optional<std::string> line_of(const std::string& file, int number) {
  std::error_code ignored;
  if (number < 1 || !std::filesystem::is_regular_file(file, ignored)) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  std::string line;
  for (int i = 0; i < number; ++i) {
    if (!std::getline(in, line)) return std::nullopt;
  }
  if (line.ends_with('\r')) line.pop_back();
  if (number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
  return line;
}

}  // namespace

std::string render(const InputError& error) {
  std::string out =
      fmt::format("error: {}\n  --> {}", printable(error.message()), printable(place(error.file(), error.at())));
  if (const auto line = line_of(error.file(), error.at().line)) {
    const Excerpt excerpt = excerpt_of(*line, error.at().column);
    const std::string number = fmt::format("{:5}", error.at().line);
    out += fmt::format("\n{} | {}\n{:{}} | {:{}}^", number, excerpt.text, "", number.size(), "", excerpt.caret);
  }
  if (!error.hint().empty()) out += "\n   = help: " + printable(error.hint());
  return out;
}

}  // namespace fathom
