// What stands around one place of a text, as a terminal shows it: nothing that moves the cursor, long lines cut, CJK two
// columns wide.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fathom {

struct Excerpt {
  std::string text;
  int caret = 0;  // terminal columns before the first caret
  int width = 1;  // carets
};

// The part of a line around a column that counts code points from 1, as does `width`.
Excerpt excerpt_of(std::string_view line, int column, int width = 1);

// Line `number`, from 1, without its end and without the mark that opens a file; absent when there is none.
std::optional<std::string_view> line_of(std::string_view text, int number);

std::string printable(std::string_view text);

// "file:27:14", or "file" where the place is the file as a whole.
std::string place_text(std::string_view file, int line, int column);

}  // namespace fathom
