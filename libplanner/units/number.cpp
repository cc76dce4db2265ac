#include "units/number.h"

#include <algorithm>
#include <charconv>

namespace fathom {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t digits_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - at;
}

// A comma belongs to the number when exactly three digits follow it; an underscore when any digit does.
bool is_separator(std::string_view text, std::size_t at, std::size_t leading_digits) {
  if (text[at] == '_') return digits_at(text, at + 1) > 0;
  return text[at] == ',' && leading_digits <= 3 && digits_at(text, at + 1) == 3;
}

// Appends the integer part to `out` and returns where it ends.
std::size_t scan_integer_part(std::string_view text, std::size_t at, std::string& out) {
  const std::size_t leading = digits_at(text, at);
  while (at < text.size()) {
    if (is_digit(text[at])) {
      out += text[at++];
    } else if (leading > 0 && is_separator(text, at, leading)) {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

std::size_t scan_fraction(std::string_view text, std::size_t at, std::string& out) {
  if (at >= text.size() || text[at] != '.') return at;
  const std::size_t count = digits_at(text, at + 1);
  if (count > 0) out.append(text.substr(at, count + 1));
  return at + 1 + count;
}

// "e" counts as an exponent only before digits, so that a unit may start with it.
std::size_t scan_exponent(std::string_view text, std::size_t at, std::string& out) {
  if (at >= text.size() || (text[at] != 'e' && text[at] != 'E')) return at;
  std::size_t digits = at + 1;
  const bool negative = digits < text.size() && text[digits] == '-';
  if (negative || (digits < text.size() && text[digits] == '+')) ++digits;
  const std::size_t count = digits_at(text, digits);
  if (count == 0) return at;
  out += negative ? "e-" : "e";
  out.append(text.substr(digits, count));
  return digits + count;
}

std::size_t scan_sign(std::string_view text, std::string& out) {
  constexpr std::string_view kUnicodeMinus = "\u2212";
  if (text.starts_with('+')) return 1;
  if (text.starts_with('-')) return out = "-", 1;
  if (text.starts_with(kUnicodeMinus)) return out = "-", kUnicodeMinus.size();
  return 0;
}

}  // namespace

std::optional<ScannedNumber> scan_number(std::string_view text) {
  text = trimmed(text);
  ScannedNumber number;
  std::size_t at = scan_sign(text, number.digits);
  const std::size_t sign_length = number.digits.size();
  at = scan_integer_part(text, at, number.digits);
  const bool starts_with_point = number.digits.size() == sign_length;
  if (starts_with_point) number.digits += '0';
  const std::size_t before_fraction = number.digits.size();
  at = scan_fraction(text, at, number.digits);
  if (starts_with_point && number.digits.size() == before_fraction) return std::nullopt;
  at = scan_exponent(text, at, number.digits);

  const char* end = number.digits.data() + number.digits.size();
  number.in_range = std::from_chars(number.digits.data(), end, number.value).ec == std::errc();
  number.rest = trimmed(text.substr(at));
  return number;
}

std::optional<std::int64_t> scaled_integer(std::string_view digits, int shift) {
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);

  long long exponent = shift;
  if (const std::size_t e = digits.find_first_of("eE"); e != std::string_view::npos) {
    const std::size_t start = digits.substr(e + 1).starts_with('+') ? e + 2 : e + 1;
    int written = 0;
    if (std::from_chars(digits.data() + start, digits.data() + digits.size(), written).ec != std::errc()) return {};
    exponent += written;
    digits = digits.substr(0, e);
  }
  std::string mantissa;
  for (const char c : digits.substr(0, digits.find('.'))) mantissa += c;
  if (const std::size_t point = digits.find('.'); point != std::string_view::npos) {
    mantissa.append(digits.substr(point + 1));
    exponent -= static_cast<long long>(digits.size() - point - 1);
  }
  mantissa.erase(0, mantissa.find_first_not_of('0'));
  if (mantissa.empty()) return 0;

  // Of mantissa * 10^exponent, the integer part has this many digits; 18 always fit into 63 bits.
  const long long kept = static_cast<long long>(mantissa.size()) + exponent;
  if (kept > 18) return std::nullopt;
  if (kept < 0) return 0;
  std::int64_t value = 0;
  const auto length = static_cast<std::size_t>(kept);
  for (std::size_t i = 0; i < length; ++i) value = value * 10 + (i < mantissa.size() ? mantissa[i] - '0' : 0);
  if (length < mantissa.size() && mantissa[length] >= '5') ++value;
  return negative ? -value : value;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::size_t length = std::min(text.size(), kLongest);
  // Never cut inside a UTF-8 sequence, whose later bytes are 10xxxxxx.
  while (length < text.size() && length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  std::string out = "\"";
  for (const char c : text.substr(0, length)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  if (length < text.size()) out += "…";
  return out + '"';
}

}  // namespace fathom
