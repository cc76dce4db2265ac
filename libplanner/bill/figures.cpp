#include "bill/figures.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <utility>

#include "input/utf8.h"
#include "units/number.h"

namespace fathom::bill {

namespace {

constexpr double kMost = 1e15;  // of anything: Money counts no further, and no bill does

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

struct Word {
  std::string_view text;
  const char* currency;
};
// Longest first, so that 美元 is not taken for 元.
constexpr Word kCurrencies[] = {{"人民币", "CNY"}, {"美元", "USD"}, {"美金", "USD"}, {"欧元", "EUR"}, {"英镑", "GBP"},
                                {"日元", "JPY"},   {"港元", "HKD"}, {"港币", "HKD"}, {"US$", "USD"},  {"HK$", "HKD"},
                                {"USD", "USD"},    {"CNY", "CNY"},  {"RMB", "CNY"},  {"EUR", "EUR"},  {"GBP", "GBP"},
                                {"JPY", "JPY"},    {"HKD", "HKD"},  {"SGD", "SGD"},  {"CHF", "CHF"},  {"KRW", "KRW"},
                                {"INR", "INR"},    {"CAD", "CAD"},  {"AUD", "AUD"},  {"¥", "CNY"},    {"￥", "CNY"},
                                {"€", "EUR"},      {"£", "GBP"},    {"$", "USD"},    {"元", "CNY"}};

bool starts_with_word(std::string_view text, std::string_view word) {
  if (text.size() < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
    if (upper(text[i]) != upper(word[i])) return false;
  }
  // Letters end with the word: "EURO" is none of them, "usd" is.
  return !is_letter(word.back()) || text.size() == word.size() || !is_letter(text[word.size()]);
}

std::string take_currency(std::string_view& text) {
  text = trimmed(text);
  for (const Word& word : kCurrencies) {
    if (!starts_with_word(text, word.text)) continue;
    text = trimmed(text.substr(word.text.size()));
    return word.currency;
  }
  return {};
}

struct Magnitude {
  std::string_view text;
  double scale;
};
constexpr Magnitude kCountedIn[] = {{"百万", 1e6}, {"千万", 1e7}, {"亿", 1e8}, {"万", 1e4}, {"千", 1e3}};
constexpr Magnitude kLettersOfMoney[] = {{"million", 1e6}, {"mio", 1e6}, {"mn", 1e6}, {"thousand", 1e3},
                                         {"bn", 1e9},      {"k", 1e3},   {"K", 1e3},  {"M", 1e6}};

// A letter is a magnitude of money when nothing or a currency stands behind it: "8.5k USD", not "3.5km".
bool ends_magnitude(std::string_view rest) {
  if (rest.empty() || !is_letter(rest[0])) return true;
  std::string_view copy = rest;
  return !take_currency(copy).empty();
}

double take_magnitude(std::string_view& text, FigureKind kind) {
  text = trimmed(text);
  for (const Magnitude& word : kCountedIn) {
    if (!text.starts_with(word.text)) continue;
    text = trimmed(text.substr(word.text.size()));
    return word.scale;
  }
  if (kind == FigureKind::kCount) return 1;
  for (const Magnitude& word : kLettersOfMoney) {
    if (!text.starts_with(word.text) || !ends_magnitude(text.substr(word.text.size()))) continue;
    text = trimmed(text.substr(word.text.size()));
    return word.scale;
  }
  return 1;
}

bool take_any(std::string_view& text, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (!text.starts_with(word)) continue;
    text = trimmed(text.substr(word.size()));
    return true;
  }
  return false;
}

// "1.234,56" as "1234.56", "85 000" and "85'000" as "85000".
std::string with_point(std::string_view text, bool comma) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool between = i > 0 && is_digit(text[i - 1]) && i + 1 < text.size() && is_digit(text[i + 1]);
    std::size_t behind = 0;
    while (i + 1 + behind < text.size() && is_digit(text[i + 1 + behind])) ++behind;
    if (between && behind == 3 && (c == '\'' || c == ' ' || (comma && c == '.'))) continue;
    out += between && comma && c == ',' ? '.' : c;
  }
  return out;
}

struct Scanned {
  double value = 0, half_place = 0, scale = 1;
  std::string currency;
};

// A number with its magnitude and currency; nullopt when `text` does not start with one.
std::optional<Scanned> take_number(std::string_view& text, FigureKind kind) {
  Scanned out{.value = 0, .half_place = 0, .scale = 1, .currency = take_currency(text)};
  const auto number = scan_number(text);
  if (!number || !number->in_range || std::abs(number->value) > kMost) return std::nullopt;
  text = number->rest;
  out.scale = take_magnitude(text, kind);
  if (kind == FigureKind::kMoney) {
    const std::string behind = take_currency(text);
    if (out.currency.empty()) out.currency = behind;
  }
  const std::size_t point = number->digits.find('.');
  const std::size_t end = std::min(number->digits.find('e'), number->digits.size());
  const double places = point == std::string::npos || point > end ? 0 : static_cast<double>(end - point - 1);
  out.value = number->value * out.scale;
  out.half_place = 0.5 * std::pow(10.0, -places) * out.scale;
  return out;
}

// What follows "4" in "4-6": the other end, which may be the one that carries 万 and the currency for both.
void take_other_end(std::string_view& text, FigureKind kind, Scanned& first, Figure& out) {
  std::string_view rest = text;
  if (!take_any(rest, {"-", "~", "至", "到", "to "})) return;
  if (rest.empty() || !(is_digit(rest[0]) || static_cast<unsigned char>(rest[0]) >= 0x80 || rest[0] == '$')) return;
  const auto second = take_number(rest, kind);
  if (!second) return;
  text = rest;
  if (first.scale == 1 && second->scale != 1) {
    first.value *= second->scale;
    first.half_place *= second->scale;
    first.scale = second->scale;
  }
  if (first.currency.empty()) first.currency = second->currency;
  out.low = std::min(first.value, second->value);
  out.high = std::max(first.value, second->value);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

}  // namespace

std::string plain_text(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    const std::size_t length = std::max<std::size_t>(1, c.length);
    if (c.value >= 0xFF01 && c.value <= 0xFF5E) {
      out += static_cast<char>(c.value - 0xFEE0);
    } else if (c.value == 0xA0 || c.value == 0x3000 || c.value == 0x202F || c.value == 0x2009 || c.value == '\t' ||
               c.value == '\n' || c.value == '\r') {
      out += ' ';
    } else {
      out.append(text, i, length);
    }
    i += length;
  }
  for (const char* dash : {"–", "—", "−", "～"}) replace_all(out, dash, dash == std::string_view("～") ? "~" : "-");
  replace_all(out, "**", "");
  return std::string(trimmed(out));
}

std::string lower(std::string_view text) {
  std::string out = plain_text(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool has_decimal_comma(std::string_view text) {
  const std::size_t comma = text.rfind(',');
  if (comma == std::string_view::npos || comma == 0 || !is_digit(text[comma - 1])) return false;
  std::size_t behind = 0;
  while (comma + 1 + behind < text.size() && is_digit(text[comma + 1 + behind])) ++behind;
  if (behind == 0 || text.find('.', comma) != std::string_view::npos) return false;
  return behind != 3 || text.substr(0, comma).find('.') != std::string_view::npos;
}

std::optional<Figure> read_figure(std::string_view cell, FigureKind kind, bool comma) {
  const std::string whole = with_point(plain_text(cell), comma);
  std::string_view text = whole;
  Figure out;
  const bool negative = text.size() > 2 && text.front() == '(' && text.back() == ')';
  if (negative) text = trimmed(text.substr(1, text.size() - 2));
  out.about = take_any(text, {"大约", "约", "近", "~", "≈", "approx.", "approx", "about", "ca.", "≤", "≥", "<", ">"});
  if (kind == FigureKind::kCount) take_any(text, {"x", "X", "×", "*"});
  auto first = take_number(text, kind);
  if (!first) return std::nullopt;
  out.low = out.high = first->value;
  take_other_end(text, kind, *first, out);
  if (!out.is_range()) out.low = out.high = first->value;
  if (std::max(std::abs(out.low), std::abs(out.high)) > kMost) return std::nullopt;
  out.half_place = first->half_place;
  out.scale = first->scale;
  out.currency = first->currency;
  if (take_any(text, {"/", "per ", "每"})) {
    out.per = lower(text);
  } else {
    out.unit = text;
  }
  if (negative) {
    out.low = -out.low;
    out.high = -out.high;
  }
  return out;
}

Counting counting_in(std::string_view header) {
  const std::string text = lower(header);
  Counting out;
  for (const Magnitude& word : kCountedIn) {
    if (text.find(word.text) == std::string::npos || out.scale != 1) continue;
    // 千 alone is part of other words (千瓦, 千米); with 元 it counts money.
    if (word.text == "千" && text.find("千元") == std::string::npos) continue;
    out.scale = word.scale;
  }
  const std::string plain = plain_text(header);
  for (std::size_t at = 0; at < plain.size(); ++at) {
    const bool starts = at == 0 || !is_letter(plain[at - 1]) ||
                        (out.scale == 1 && (plain[at - 1] == 'k' || plain[at - 1] == 'K' || plain[at - 1] == 'M'));
    if (!starts) continue;
    std::string_view rest = std::string_view(plain).substr(at);
    const std::string currency = take_currency(rest);
    if (!currency.empty() && out.currency.empty()) {
      out.currency = currency;
      // "k USD", "kUSD", "USD k": the letter beside the currency.
      std::string_view before = trimmed(std::string_view(plain).substr(0, at));
      const bool alone = before.size() < 2 || !is_letter(before[before.size() - 2]);
      if (out.scale == 1 && !before.empty() && alone) {
        if (before.back() == 'k' || before.back() == 'K') out.scale = 1e3;
        if (before.back() == 'M') out.scale = 1e6;
      }
      if (out.scale == 1) out.scale = take_magnitude(rest, FigureKind::kMoney);
    }
  }
  if (text.find("thousand") != std::string::npos || text.find("'000") != std::string::npos) out.scale = 1e3;
  if (text.find("million") != std::string::npos) out.scale = 1e6;
  if (const std::size_t slash = text.find('/'); slash != std::string::npos && slash > 0)
    out.per = text.substr(slash + 1, text.find_first_of(")]", slash) - slash - 1);
  return out;
}

}  // namespace fathom::bill
