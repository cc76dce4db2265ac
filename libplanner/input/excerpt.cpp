#include "input/excerpt.h"

#include <fmt/format.h>

#include <algorithm>

#include "input/utf8.h"

namespace fathom {

namespace {

constexpr int kTabWidth = 4;
constexpr int kColumnsBefore = 60;  // of a long line, what is shown left and right of the caret
constexpr int kColumnsAfter = 40;
constexpr int kMostCarets = 80;

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
  if (steers_terminals(point.value)) return {"?", 1, point.length};
  return {std::string(line.substr(at, point.length)), display_width(point.value), point.length};
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Cell cell = cell_at(text, at);
    out += cell.text;
    at += cell.length;
  }
  return out;
}

Excerpt excerpt_of(std::string_view line, int column, int width) {
  const int first = column > kColumnsBefore ? column - kColumnsBefore : 1;
  const int carets = std::clamp(width, 1, kMostCarets);
  const int end = column + std::max(carets, kColumnsAfter);  // the first code point that is not shown
  Excerpt excerpt{.text = {}, .caret = 0, .width = 0};
  if (first > 1) excerpt = {.text = "…", .caret = 1, .width = 0};
  int current = 1;
  for (std::size_t at = 0; at < line.size(); ++current) {
    const Cell cell = cell_at(line, at);
    at += cell.length;
    if (current < first) continue;
    if (current >= end) {
      excerpt.text += "…";
      break;
    }
    excerpt.text += cell.text;
    if (current < column) excerpt.caret += cell.width;
    if (current >= column && current < column + carets) excerpt.width += cell.width;
  }
  excerpt.width = std::max(1, excerpt.width);
  return excerpt;
}

std::optional<std::string_view> line_of(std::string_view text, int number) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (number < 1) return std::nullopt;
  for (int i = 1; i < number; ++i) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end + 1);
  }
  if (text.empty()) return std::nullopt;
  std::string_view line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string place_text(std::string_view file, int line, int column) {
  return line > 0 ? fmt::format("{}:{}:{}", file, line, column) : std::string(file);
}

}  // namespace fathom
