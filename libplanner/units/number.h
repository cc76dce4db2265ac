// The number that opens a quantity, a price or a share, read the same way everywhere: "1,234.5", "12_000", "3e-6".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fathom {

struct ScannedNumber {
  std::string digits;     // without separators: sign, digits, point, exponent
  double value = 0;       // meaningless unless in_range
  bool in_range = true;   // false for 1e999 and 1e-999
  std::string_view rest;  // what follows, without surrounding blanks
};

// nullopt when the text does not start with a decimal number; "nan", "inf" and "0x10" are none. Commas must separate
// groups of three digits, so that "1,5" is never taken for fifteen.
std::optional<ScannedNumber> scan_number(std::string_view text);

// round(number * 10^shift), half away from zero and exact in decimal: ("0.285", 2) is 29. nullopt on overflow.
std::optional<std::int64_t> scaled_integer(std::string_view digits, int shift);

std::string_view trimmed(std::string_view text);  // without blanks, tabs and line ends at both ends

// The text in double quotes for a message: control characters replaced, long texts cut.
std::string in_quotes(std::string_view text);

// "s, min or h": for messages that offer a choice; `last_link` is " or " or " and ".
template <class Words>
std::string listed(const Words& words, std::string_view last_link) {
  std::string out;
  std::size_t index = 0;
  for (const auto& word : words) {
    if (index > 0) out += index + 1 == words.size() ? std::string(last_link) : std::string(", ");
    out += word;
    ++index;
  }
  return out;
}

}  // namespace fathom
