// UTF-8, one code point at a time: enough to count columns and to refuse what is no text.
#pragma once

#include <cstddef>
#include <string_view>

namespace fathom {

struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;  // in bytes; 0 when the bytes are no valid UTF-8 or the text ends here
};

// Strict: overlong forms, surrogates and values above U+10FFFF are invalid.
CodePoint code_point_at(std::string_view text, std::size_t at);

int code_points(std::string_view text);                           // invalid bytes count one each
std::size_t offset_of_column(std::string_view line, int column);  // in bytes; columns count from 1
// Control characters, and those that turn around or break the text behind them: a terminal obeys them instead of showing them.
bool steers_terminals(char32_t value);
// Where the first of them is, other than those in `but`; npos: nowhere. Bytes that are no UTF-8 are passed over.
std::size_t find_steering(std::string_view text, std::string_view but = {});
int display_width(char32_t value);  // terminal columns: 2 for CJK and emoji, 0 for combining marks, else 1

}  // namespace fathom
