// Numbers and lists of a saved plan, each within its range, for those who read its parts.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "input/reader.h"
#include "units/number.h"

namespace fathom::saved {

inline constexpr double kMost = 1e24;            // of any quantity in SI units, as in other files
inline constexpr int kMostDevices = 10'000'000;  // of one pool
inline constexpr double kMostTokens = 1e12;

inline double number(MapReader& reader, const std::string& key, double lowest, double highest = kMost) {
  const Context at = reader.context(reader.need(key));
  double out = 0;
  read(at, out);
  check_range(at, out, lowest, highest, in_quotes(key));
  return out;
}

// What is not finite was written as null.
inline double number_or_infinite(MapReader& reader, const std::string& key) {
  const bool null = reader.take(key) == nullptr && reader.value().find(key) != nullptr;
  return null ? std::numeric_limits<double>::infinity() : number(reader, key, 0);
}

inline double count(MapReader& reader, const std::string& key) { return number(reader, key, 0, kMostTokens); }
inline Seconds seconds(MapReader& reader, const std::string& key) { return Seconds(number(reader, key, 0)); }
inline Bytes bytes(MapReader& reader, const std::string& key) { return Bytes(number(reader, key, 0)); }

inline int degree(MapReader& reader, const std::string& key) {
  const Context at = reader.context(reader.need(key));
  int out = 0;
  read(at, out);
  check_range(at, out, 1, kMostDevices, in_quotes(key));
  return out;
}

template <class ReadOne>
auto list(MapReader& parent, const std::string& key, ReadOne read_one) {
  const Context at = parent.context(parent.need(key));
  if (at.value.kind != Value::Kind::kSequence) fail_kind(at, "a list");
  std::vector<decltype(read_one(at))> out;
  for (const Value& item : at.value.items) out.push_back(read_one(parent.context(item)));
  return out;
}

}  // namespace fathom::saved
