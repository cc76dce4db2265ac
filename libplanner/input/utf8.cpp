#include "input/utf8.h"

#include <algorithm>

namespace fathom {

namespace {

std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

bool is_between(char32_t value, char32_t first, char32_t last) { return value >= first && value <= last; }

}  // namespace

CodePoint code_point_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {};
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t length = sequence_length(lead);
  if (length == 0 || length > text.size() - at) return {};
  if (length == 1) return {lead, 1};

  char32_t value = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[at + i]);
    if ((next & 0xC0) != 0x80) return {};
    value = value << 6 | (next & 0x3Fu);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  if (overlong || is_between(value, 0xD800, 0xDFFF) || value > 0x10FFFF) return {};
  return {value, length};
}

std::size_t offset_of_column(std::string_view line, int column) {
  std::size_t at = 0;
  for (int current = 1; current < column && at < line.size(); ++current) {
    at += std::max<std::size_t>(1, code_point_at(line, at).length);
  }
  return at;
}

int code_points(std::string_view text) {
  int count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) at += std::max<std::size_t>(1, code_point_at(text, at).length);
  return count;
}

bool steers_terminals(char32_t c) {
  const bool turns =
      c == 0x61C || is_between(c, 0x200E, 0x200F) || is_between(c, 0x202A, 0x202E) || is_between(c, 0x2066, 0x2069);
  return c < 0x20 || is_between(c, 0x7F, 0x9F) || turns || is_between(c, 0x2028, 0x2029);
}

std::size_t find_steering(std::string_view text, std::string_view but) {
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    const bool allowed = point.length == 1 && but.find(text[at]) != std::string_view::npos;
    if (point.length > 0 && steers_terminals(point.value) && !allowed) return at;
    at += std::max<std::size_t>(1, point.length);
  }
  return std::string_view::npos;
}

int display_width(char32_t c) {
  if (is_between(c, 0x300, 0x36F) || is_between(c, 0x200B, 0x200F) || is_between(c, 0xFE00, 0xFE0F)) return 0;
  const bool wide = is_between(c, 0x1100, 0x115F) || is_between(c, 0x2E80, 0xA4CF) || is_between(c, 0xAC00, 0xD7A3) ||
                    is_between(c, 0xF900, 0xFAFF) || is_between(c, 0xFE30, 0xFE6F) || is_between(c, 0xFF00, 0xFF60) ||
                    is_between(c, 0xFFE0, 0xFFE6) || is_between(c, 0x1F300, 0x1FAFF) || is_between(c, 0x20000, 0x3FFFD);
  return wide ? 2 : 1;
}

}  // namespace fathom
