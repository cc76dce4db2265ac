// Aligned columns for the terminal and pipes for Markdown, from the same rows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fathom {

enum class Align { kLeft, kRight };
enum class TextStyle { kTerminal, kMarkdown };

class TextTable {
 public:
  struct Column {
    std::string header;
    Align align = Align::kLeft;
  };
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void row(std::vector<std::string> cells);  // as many as columns
  bool empty() const { return rows_.empty(); }
  std::string render(TextStyle style, std::string_view indent = "") const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

int display_width(std::string_view utf8);  // columns on a terminal: CJK counts two

}  // namespace fathom
