#include "report/text_table.h"

#include <algorithm>

namespace fathom {

namespace {

// East Asian wide ranges that occur in titles of designs.
bool is_wide(char32_t c) {
  return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
         (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x20000 && c <= 0x3FFFD);
}

std::string padded(const std::string& text, int width, Align align) {
  const std::string space(static_cast<std::size_t>(std::max(0, width - display_width(text))), ' ');
  return align == Align::kLeft ? text + space : space + text;
}

std::string trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

int display_width(std::string_view utf8) {
  int width = 0;
  for (std::size_t i = 0; i < utf8.size();) {
    const unsigned char lead = static_cast<unsigned char>(utf8[i]);
    const int length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t c = length == 1 ? lead : lead & (0xFF >> (length + 1));
    for (int k = 1; k < length && i + k < utf8.size(); ++k)
      c = (c << 6) | (static_cast<unsigned char>(utf8[i + k]) & 0x3F);
    width += is_wide(c) ? 2 : 1;
    i += static_cast<std::size_t>(length);
  }
  return width;
}

void TextTable::row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::render(TextStyle style, std::string_view indent) const {
  std::vector<int> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    int width = display_width(columns_[c].header);
    for (const auto& row : rows_) width = std::max(width, display_width(row[c]));
    widths.push_back(width);
  }
  const bool markdown = style == TextStyle::kMarkdown;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text(indent);
    if (markdown) text += "| ";
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (c > 0) text += markdown ? " | " : "  ";
      text += padded(cells[c], widths[c], columns_[c].align);
    }
    return trimmed(text) + (markdown ? " |\n" : "\n");
  };
  std::string out;
  std::vector<std::string> headers;
  for (const Column& column : columns_) headers.push_back(column.header);
  const bool named = std::any_of(headers.begin(), headers.end(), [](const std::string& h) { return !h.empty(); });
  if (named || markdown) out += line(headers);
  if (markdown) {
    out += std::string(indent) + "|";
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      out += columns_[c].align == Align::kLeft ? " --- |" : " ---: |";
    }
    out += "\n";
  }
  for (const auto& row : rows_) out += line(row);
  return out;
}

}  // namespace fathom
