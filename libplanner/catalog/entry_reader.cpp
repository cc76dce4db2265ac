#include "catalog/entry_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "units/number.h"
#include "units/text.h"

namespace fathom {

namespace {

// Tries one dimension after the other; their units have nothing in common.
template <class T>
bool try_quantity(const std::string& text, AnyQuantity& out) {
  try {
    T quantity;
    parse_quantity(text, quantity);
    out = quantity;
    return true;
  } catch (const UnitError&) {
    return false;
  }
}

template <class... T>
bool try_quantities(const std::string& text, AnyQuantity& out) {
  return (try_quantity<T>(text, out) || ...);
}

bool try_money(const std::string& text, AnyQuantity& out) {
  try {
    out = parse_money(text);
    return true;
  } catch (const MoneyError&) {
    return false;
  }
}

}  // namespace

void read(const Context& at, AnyQuantity& out) {
  std::string text;
  read(at, text);
  const std::optional<ScannedNumber> number = scan_number(text);
  if (number && number->rest.empty()) {
    double plain = 0;
    read(at, plain);
    out = plain;
    return;
  }
  const bool known =
      try_quantities<Bytes, BytesPerSecond, FlopsPerSecond, Seconds, Watts, Joules, Metres, Hertz>(text, out) ||
      try_money(text, out);
  if (!known) at.fail("expected a number with a unit, found " + in_quotes(text));
}

namespace catalog_file {

void check_codes(const Context& at, const std::string& joined, const CatalogSources& sources) {
  std::size_t start = 0;
  while (start <= joined.size()) {
    const std::size_t end = std::min(joined.find('+', start), joined.size());
    const std::string code = joined.substr(start, end - start);
    if (!sources.contains(code)) {
      std::vector<std::string> known;
      for (const auto& [other, source] : sources) known.push_back(other);
      const std::string close = did_you_mean(code, known);
      at.fail("unknown source " + in_quotes(code),
              close.empty() ? "add it to the table \"sources\" at the top of the file" : "did you mean " + close + "?");
    }
    start = end + 1;
  }
}

void check_origin(const Context& at, const CatalogSources& sources) {
  if (at.value.kind != Value::Kind::kMapping) {
    at.fail("a catalog value needs its source", "write {value: …, source: …, date: …, confidence: …}");
  }
  const Value* source = at.value.find("source");
  if (source == nullptr || source->text.empty())
    at.fail("this value has no source", "name a code of the table \"sources\"");
  check_codes(Context{at.file, *source}, source->text, sources);
  if (at.value.find("confidence") == nullptr) at.fail("this value has no confidence");
}

std::size_t word_index(const Context& at, const std::string_view* words, std::size_t count) {
  std::string text;
  read(at, text);
  const std::string_view* found = std::find(words, words + count, text);
  if (found != words + count) return static_cast<std::size_t>(found - words);
  const std::vector<std::string> known(words, words + count);
  const std::string close = did_you_mean(text, known);
  at.fail(fmt::format("{} is not one of {}", in_quotes(text), listed(known, " or ")),
          close.empty() ? "" : "did you mean " + close + "?");
}

void EntryReader::read_confidence(const Context& at, Confidence& out) {
  std::string text;
  read(at, text);
  const std::optional<Confidence> known = parse_confidence(text);
  if (!known) at.fail("unknown confidence " + in_quotes(text));
  out = *known;
}

}  // namespace catalog_file
}  // namespace fathom
