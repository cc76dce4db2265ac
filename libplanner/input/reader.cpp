#include "input/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "units/number.h"
#include "units/text.h"

namespace fathom {

void Context::fail(const std::string& message, const std::string& hint) const {
  throw InputError(file, value.at, message, hint);
}

namespace {

std::string description(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return "nothing";
    case Value::Kind::kSequence:
      return "a list";
    case Value::Kind::kMapping:
      return "a mapping";
    case Value::Kind::kScalar:
      break;
  }
  const bool is_number = !value.quoted && scan_number(value.text) && scan_number(value.text)->rest.empty();
  return fmt::format("{} {}",
                     is_number      ? "the number"
                     : value.quoted ? "the quoted text"
                                    : "the text",
                     in_quotes(value.text));
}

const std::string& scalar(const Context& at, const std::string& expected) {
  if (at.value.kind != Value::Kind::kScalar) fail_kind(at, expected);
  return at.value.text;
}

// The number of a scalar that must hold nothing else.
ScannedNumber plain_number(const Context& at, const std::string& expected) {
  const std::string& text = scalar(at, expected);
  std::optional<ScannedNumber> number = scan_number(text);
  const bool is_number = number && number->rest.empty();
  if (is_number && at.value.quoted) {
    at.fail(fmt::format("expected {}, found {}", expected, description(at.value)), "remove the quotes");
  }
  if (number && number->rest == "%") {
    at.fail(fmt::format("expected {}, found the percentage {}", expected, in_quotes(text)),
            fmt::format("write it as a fraction: {:g}", number->value / 100));
  }
  if (number && !is_number) {
    static const std::set<std::string_view> kMagnitudes = {"k", "K", "M", "G", "T", "万", "亿"};
    at.fail(fmt::format("expected {}, found {}", expected, description(at.value)),
            kMagnitudes.contains(number->rest)
                ? "write the number with all its digits"
                : fmt::format("write the number alone, without {}", in_quotes(number->rest)));
  }
  if (!number) fail_kind(at, expected);
  if (!number->in_range) at.fail(fmt::format("the number {} is out of range", in_quotes(text)));
  return *std::move(number);
}

// UnitError and MoneyError know the text, the context knows the place.
template <class Parse>
auto parsed(const Context& at, const std::string& expected, Parse parse) {
  const std::string& text = scalar(at, expected);
  try {
    return parse(text);
  } catch (const UnitError& error) {
    at.fail(error.what());
  } catch (const MoneyError& error) {
    at.fail(error.what());
  }
}

// In SI units, far outside of anything real; products of a dozen such numbers are still finite.
constexpr double kLargest = 1e24, kSmallest = 1e-24;

template <class Quantity>
void read_quantity(const Context& at, Quantity& out, const std::string& expected) {
  out = parsed(at, expected, [](const std::string& text) {
    Quantity quantity;
    parse_quantity(text, quantity);
    return quantity;
  });
  const double size = std::abs(out.value);
  if (size > kLargest || (size > 0 && size < kSmallest)) {
    at.fail(fmt::format("{} is out of range", in_quotes(at.value.text)),
            "look for a digit too many or a wrong exponent");
  }
}

}  // namespace

void fail_kind(const Context& at, const std::string& expected) {
  std::string hint;
  if (expected == "a list") hint = "write it as [a, b] or as lines that start with \"- \"";
  at.fail(fmt::format("expected {}, found {}", expected, description(at.value)), hint);
}

void read(const Context& at, std::string& out) { out = scalar(at, "a text"); }

void read(const Context& at, bool& out) {
  const std::string& text = scalar(at, "true or false");
  if (!at.value.quoted && (text == "true" || text == "false")) {
    out = text == "true";
    return;
  }
  std::string lower = text;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const auto is_one_of = [&lower](std::initializer_list<const char*> words) {
    return std::any_of(words.begin(), words.end(), [&](const char* word) { return lower == word; });
  };
  std::string hint;
  if (is_one_of({"yes", "on", "y", "true", "1"})) hint = "write true";
  if (is_one_of({"no", "off", "n", "false", "0"})) hint = "write false";
  at.fail(fmt::format("expected true or false, found {}", description(at.value)), hint);
}

void read(const Context& at, double& out) { out = plain_number(at, "a number").value; }

void read(const Context& at, std::int64_t& out) {
  const ScannedNumber number = plain_number(at, "a whole number");
  const char* end = number.digits.data() + number.digits.size();
  const auto [stop, code] = std::from_chars(number.digits.data(), end, out);
  if (code == std::errc() && stop == end) return;
  // "1e6" and "2.0" are whole as well; beyond 2^53 a double could not tell.
  if (std::floor(number.value) != number.value) {
    at.fail(fmt::format("expected a whole number, found {}", description(at.value)));
  }
  if (std::abs(number.value) > 0x1p53) at.fail(fmt::format("the number {} is too large", in_quotes(at.value.text)));
  out = static_cast<std::int64_t>(number.value);
}

void read(const Context& at, int& out) {
  std::int64_t wide = 0;
  read(at, wide);
  if (wide < std::numeric_limits<int>::min() || wide > std::numeric_limits<int>::max()) {
    at.fail(fmt::format("the number {} is too large", in_quotes(at.value.text)));
  }
  out = static_cast<int>(wide);
}

void read(const Context& at, Bytes& out) { read_quantity(at, out, "an amount of bytes such as \"80 GiB\""); }
void read(const Context& at, BytesPerSecond& out) { read_quantity(at, out, "a bandwidth such as \"400 Gb/s\""); }
void read(const Context& at, FlopsPerSecond& out) { read_quantity(at, out, "a compute rate such as \"989 TFLOPS\""); }
void read(const Context& at, Seconds& out) { read_quantity(at, out, "a duration such as \"24 h\""); }
void read(const Context& at, Watts& out) { read_quantity(at, out, "a power such as \"10.2 kW\""); }
void read(const Context& at, Joules& out) { read_quantity(at, out, "an energy such as \"5 kWh\""); }
void read(const Context& at, Metres& out) { read_quantity(at, out, "a length such as \"120 m\""); }
void read(const Context& at, Hertz& out) { read_quantity(at, out, "a rate such as \"0.5 /s\""); }
void read(const Context& at, Celsius& out) { read_quantity(at, out, "a temperature such as \"27 C\""); }

void read(const Context& at, Money& out) {
  out =
      parsed(at, "an amount of money such as \"85000 CNY\"", [](const std::string& text) { return parse_money(text); });
}

void read(const Context& at, UnitPrice& out) {
  out = parsed(at, "a unit price such as \"0.63 CNY/kWh\"",
               [](const std::string& text) { return parse_unit_price(text); });
}

// ---------------------------------------------------------------------------------------------------------------------
// Mappings

namespace {

std::vector<std::string> each_in_quotes(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (const std::string& word : words) out.push_back(in_quotes(word));
  return out;
}

bool is_private(const std::string& key) { return key.starts_with("x-"); }

}  // namespace

MapReader::MapReader(const Context& at, std::string what)
    : file_(at.file), value_(at.value), unread_(at.unread), what_(std::move(what)) {
  if (value_.kind == Value::Kind::kMapping) return;
  fail(fmt::format("expected {}, found {}", what_, description(value_)), "write it as lines of \"key: value\"");
}

const Value* MapReader::take(const std::string& key) {
  known_.insert(key);
  const Value* value = value_.find(key);
  return value == nullptr || value->kind == Value::Kind::kNull ? nullptr : value;
}

const Value& MapReader::need(const std::string& key) {
  if (const Value* value = take(key)) return *value;
  const std::string message = fmt::format("{} needs the key {}", what_, in_quotes(key));
  if (const Value* empty = value_.find(key)) throw InputError(file_, empty->at, message + ", but it is empty here");

  // A misspelt key shows up here before finish() could name it.
  std::vector<std::string> strangers;
  for (const Entry& entry : value_.entries) {
    if (!known_.contains(entry.key) && !is_private(entry.key)) strangers.push_back(entry.key);
  }
  const std::string misspelt = key.size() < 4 ? std::string() : did_you_mean(key, strangers);
  if (misspelt.empty()) fail(message);
  for (const Entry& entry : value_.entries) {
    if (entry.key != misspelt) continue;
    throw InputError(file_, entry.at, fmt::format("{}, found {}", message, in_quotes(misspelt)),
                     fmt::format("did you mean {}?", in_quotes(key)));
  }
  fail(message);
}

std::size_t MapReader::choice(const std::string& key, const std::vector<std::string>& words,
                              std::optional<std::size_t> fallback) {
  const Value* value = take(key);
  if (value == nullptr && fallback) return *fallback;
  const std::string expected = listed(each_in_quotes(words), " or ");
  if (value == nullptr) {
    try {
      need(key);
    } catch (const InputError& missing) {
      if (!missing.hint().empty()) throw;
      throw InputError(file_, missing.at(), missing.message(),
                       fmt::format("expected {}: {}", key, listed(words, " or ")));
    }
  }
  const Context at{file_, value != nullptr ? *value : need(key)};
  const std::string& word = scalar(at, expected);
  const auto found = std::find(words.begin(), words.end(), word);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  const std::string close = did_you_mean(word, words);
  at.fail(fmt::format("{} must be {}, found {}", in_quotes(key), expected, in_quotes(word)),
          close.empty() ? close : fmt::format("did you mean {}?", in_quotes(close)));
}

void MapReader::fail(const std::string& message, const std::string& hint) const { context(value_).fail(message, hint); }

void MapReader::finish() {
  for (const Entry& entry : value_.entries) {
    if (known_.contains(entry.key) || is_private(entry.key)) continue;
    if (unread_ != nullptr) {
      unread_->push_back(fmt::format("{} in {}", in_quotes(entry.key), what_));
      continue;
    }
    const std::vector<std::string> known(known_.begin(), known_.end());
    const std::string close = did_you_mean(entry.key, known);
    const std::string hint = known.empty()   ? "no keys are known here"
                             : close.empty() ? fmt::format("known keys: {}", listed(known, ", "))
                                             : fmt::format("did you mean {}?", in_quotes(close));
    throw InputError(file_, entry.at, fmt::format("unknown key {} in {}", in_quotes(entry.key), what_), hint);
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Origins and ranges

namespace {

// "2025", "2025-02" or "2025-02-14".
bool is_date(std::string_view text) {
  constexpr std::string_view kPattern = "dddd-dd-dd";
  if (text.size() != 4 && text.size() != 7 && text.size() != 10) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kPattern[i] == 'd' ? !digit : text[i] != '-') return false;
  }
  const auto two_digits = [&](std::size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); };
  if (text.size() >= 7 && (two_digits(5) < 1 || two_digits(5) > 12)) return false;
  return text.size() < 10 || (two_digits(8) >= 1 && two_digits(8) <= 31);
}

const std::vector<std::string>& confidence_words() {
  static const std::vector<std::string> kWords = [] {
    std::vector<std::string> words;
    for (int i = 0; i <= static_cast<int>(Confidence::kAssumed); ++i) words.push_back(to_string(Confidence(i)));
    return words;
  }();
  return kWords;
}

}  // namespace

Origin read_origin(MapReader& reader, Confidence fallback) {
  Origin origin;
  origin.source = reader.get<std::string>("source", "");
  if (const Value* date = reader.take("date")) {
    const Context at = reader.context(*date);
    read(at, origin.date);
    if (!is_date(origin.date)) {
      at.fail(fmt::format("expected a date such as 2025-02-14, 2025-02 or 2025, found {}", in_quotes(origin.date)));
    }
  }
  const auto index = static_cast<std::size_t>(fallback);
  origin.confidence = static_cast<Confidence>(reader.choice("confidence", confidence_words(), index));
  return origin;
}

void check_range(const Context& at, double value, double lowest, double highest, const std::string& what) {
  if (value >= lowest && value <= highest) return;
  const bool no_top = highest >= std::numeric_limits<double>::max();
  const bool no_floor = lowest <= std::numeric_limits<double>::lowest();
  const std::string range = no_top     ? fmt::format("at least {:g}", lowest)
                            : no_floor ? fmt::format("at most {:g}", highest)
                                       : fmt::format("between {:g} and {:g}", lowest, highest);
  at.fail(fmt::format("{} must be {}, found {:g}", what, range, value));
}

}  // namespace fathom
