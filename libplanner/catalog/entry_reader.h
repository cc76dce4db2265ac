// The loader's visitor: fills a struct from a mapping by its `fields`, and refuses what a catalog must not hold:
// unknown keys, facts without a known source, values outside their range.
#pragma once

#include <fmt/format.h>

#include "catalog/field.h"
#include "input/reader.h"
#include "units/text.h"

namespace fathom {

void read(const Context& at, AnyQuantity& out);  // the unit decides; a bare number is a share or factor

namespace catalog_file {

void check_codes(const Context& at, const std::string& joined, const CatalogSources& sources);
void check_origin(const Context& at, const CatalogSources& sources);  // of a mapping with source, date, confidence
std::size_t word_index(const Context& at, const std::string_view* words, std::size_t count);

inline double si(double value) { return value; }
inline double si(int value) { return value; }
template <int B, int F, int S, int J, int M>
double si(Quantity<B, F, S, J, M> quantity) {
  return quantity.value;
}
inline double si(Celsius temperature) { return temperature.value; }

template <class T>
concept Ranged = requires(T value) {
  si(value);
};

template <Ranged T>
std::string printed(double value_in_si) {
  if constexpr (requires { to_string(T(value_in_si)); }) return to_string(T(value_in_si));
  return fmt::format("{:g}", value_in_si);
}

template <Ranged T>
void check_value(const Context& at, T value, const Range& range, const std::string& key) {
  if (si(value) >= range.low && si(value) <= range.high) return;
  at.fail(fmt::format("\"{}\" must lie between {} and {}, found {}", key, printed<T>(range.low), printed<T>(range.high),
                      printed<T>(si(value))),
          "a wrong unit or a digit too many?");
}

template <class T>
constexpr bool is_fact = false;
template <class T>
constexpr bool is_fact<Fact<T>> = true;
template <class T>
constexpr bool is_optional = false;
template <class T>
constexpr bool is_optional<std::optional<T>> = true;
template <class T>
constexpr bool is_list = false;
template <class T>
constexpr bool is_list<std::vector<T>> = true;
template <class T>
constexpr bool is_map = false;
template <class K, class T>
constexpr bool is_map<std::map<K, T>> = true;

class EntryReader {
 public:
  EntryReader(const Context& at, const CatalogSources& sources, const std::string& noun)
      : map_(at.file, at.value, noun), sources_(sources) {}

  template <class T>
  void operator()(const char* key, T& out, const Range& range = {}) {
    if constexpr (is_optional<T>) {
      if (const Value* value = map_.take(key)) read_value(map_.context(*value), out.emplace(), range, key);
    } else if constexpr (is_list<T> || is_map<T> || std::is_same_v<T, bool>) {
      defaulted(key, out, range);
    } else {
      read_value(map_.context(map_.need(key)), out, range, key);
    }
  }

  // A plain member that keeps its value when the file does not mention it.
  template <class T>
  void defaulted(const char* key, T& out, const Range& range = {}) {
    if (const Value* value = map_.take(key)) read_value(map_.context(*value), out, range, key);
  }

  // The keys source, date and confidence of a mapping that is a fact as a whole.
  void origin(Origin& out) {
    check_origin(map_.context(map_.value()), sources_);
    out = read_origin(map_, Confidence::kAssumed);
  }

  void finish() { map_.finish(); }

 private:
  template <class T>
  void read_value(const Context& at, T& out, const Range& range, const std::string& key) {
    if constexpr (std::is_same_v<T, SourceCodes>) {
      read(at, out.text);
      check_codes(at, out.text, sources_);
    } else if constexpr (std::is_same_v<T, Confidence>) {
      read_confidence(at, out);
    } else if constexpr (std::is_enum_v<T>) {
      constexpr auto known = words(T{});
      out = static_cast<T>(word_index(at, known.data(), known.size()));
    } else if constexpr (is_fact<T>) {
      read_fact(at, out, range, key);
    } else if constexpr (is_list<T>) {
      read_list(at, out, range, key);
    } else if constexpr (is_map<T>) {
      read_map(at, out, range);
    } else if constexpr (requires(EntryReader & visit) { fields(visit, out); }) {
      EntryReader nested(at, sources_, "\"" + key + "\"");
      fields(nested, out);
      nested.finish();
    } else {
      read(at, out);
      if constexpr (Ranged<T>) check_value(at, out, range, key);
    }
  }

  template <class T>
  void read_fact(const Context& at, Fact<T>& out, const Range& range, const std::string& key) {
    check_origin(at, sources_);
    read(at, out);
    if constexpr (Ranged<T>) {
      check_value(at, out.value, range, key);
      check_value(at, out.low_or_value(), range, key);
      check_value(at, out.high_or_value(), range, key);
    }
  }

  template <class T>
  void read_list(const Context& at, std::vector<T>& out, const Range& range, const std::string& key) {
    if (at.value.kind != Value::Kind::kSequence) fail_kind(at, "a list");
    for (const Value& item : at.value.items) read_value(Context{at.file, item}, out.emplace_back(), range, key);
  }

  template <class K, class T>
  void read_map(const Context& at, std::map<K, T>& out, const Range& range) {
    if (at.value.kind != Value::Kind::kMapping) fail_kind(at, "a mapping");
    for (const Entry& entry : at.value.entries) {
      K key{};
      if constexpr (std::is_enum_v<K>) {
        Value word;
        word.kind = Value::Kind::kScalar;
        word.at = entry.at;
        word.text = entry.key;
        read_value(Context{at.file, word}, key, {}, entry.key);
      } else {
        key = entry.key;
      }
      read_value(Context{at.file, entry.value}, out[key], range, entry.key);
    }
  }

  void read_confidence(const Context& at, Confidence& out);

  MapReader map_;
  const CatalogSources& sources_;
};

}  // namespace catalog_file
}  // namespace fathom
