// Typed, strict access to a parsed mapping.
//
//   MapReader group(document, value, "a node group");
//   auto id    = group.required<std::string>("id");
//   auto watts = group.optional<Watts>("power");
//   group.finish();   // any key that nobody asked for is an error with did-you-mean
//
// Every complaint is an InputError at the key or value it is about. Keys that start with "x-" are the writer's own.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "input/value.h"
#include "units/fact.h"
#include "units/money.h"
#include "units/quantity.h"

namespace fathom {

// Where complaints about `value` point.
struct Context {
  const std::string& file;
  const Value& value;
  std::vector<std::string>* unread = nullptr;  // takes the keys that nobody asks for, of files newer than their reader

  [[noreturn]] void fail(const std::string& message, const std::string& hint = {}) const;
};

// "expected a list, found a text", with a hint how to write one.
[[noreturn]] void fail_kind(const Context& at, const std::string& expected);

// One overload per type that can stand in a file. Quantities need their unit; integers and shares do not.
void read(const Context& at, std::string& out);
void read(const Context& at, bool& out);          // true or false, nothing else
void read(const Context& at, double& out);        // finite
void read(const Context& at, int& out);           // whole number
void read(const Context& at, std::int64_t& out);  // whole number
void read(const Context& at, Bytes& out);
void read(const Context& at, BytesPerSecond& out);
void read(const Context& at, FlopsPerSecond& out);
void read(const Context& at, Seconds& out);
void read(const Context& at, Watts& out);
void read(const Context& at, Joules& out);
void read(const Context& at, Metres& out);
void read(const Context& at, Hertz& out);
void read(const Context& at, Celsius& out);
void read(const Context& at, Money& out);
void read(const Context& at, UnitPrice& out);

template <class T>
void read(const Context& at, std::vector<T>& out) {
  if (at.value.kind != Value::Kind::kSequence) fail_kind(at, "a list");
  for (const Value& item : at.value.items) read(Context{at.file, item}, out.emplace_back());
}

// A fact is a bare value ("80 GiB": stated by this file) or a mapping
// {value: 80 GiB, low: …, high: …, source: …, date: …, confidence: …}; `typical` may stand for `value`.
template <class T>
void read(const Context& at, Fact<T>& out);

class MapReader {
 public:
  // `what` names the thing for messages: "a site", "the workload".
  MapReader(const std::string& file, const Value& value, std::string what)
      : MapReader(Context{file, value}, std::move(what)) {}
  MapReader(const Context& at, std::string what);

  template <class T>
  T required(const std::string& key) {
    T out{};
    read(Context{file_, need(key)}, out);
    return out;
  }
  template <class T>
  std::optional<T> optional(const std::string& key) {
    const Value* value = take(key);
    if (value == nullptr) return std::nullopt;
    T out{};
    read(Context{file_, *value}, out);
    return out;
  }
  template <class T>
  T get(const std::string& key, T fallback) {
    return optional<T>(key).value_or(std::move(fallback));
  }
  // One of a closed list of words; returns its index. Required unless there is a fallback.
  std::size_t choice(const std::string& key, const std::vector<std::string>& words,
                     std::optional<std::size_t> fallback = {});

  const Value* take(const std::string& key);  // nullptr when absent or null; marks the key as known
  const Value& need(const std::string& key);  // InputError when absent or null
  // Keys that are asked for later, so that a missing one is not taken for their misspelling.
  void expect(std::initializer_list<const char*> keys) { known_.insert(keys.begin(), keys.end()); }
  Context context(const Value& value) const { return {file_, value, unread_}; }
  const Value& value() const { return value_; }
  const std::string& file() const { return file_; }
  [[noreturn]] void fail(const std::string& message, const std::string& hint = {}) const;  // at the mapping itself

  void finish();  // unknown keys are errors, or go to Context::unread

 private:
  const std::string& file_;
  const Value& value_;
  std::vector<std::string>* unread_;
  std::string what_;
  std::set<std::string> known_;
};

Origin read_origin(MapReader& reader, Confidence fallback);  // the keys source, date, confidence

// low <= value <= high, in one currency and unit; texts have no such order.
template <class T>
void check_band(const MapReader& reader, const Fact<T>& fact) {
  if constexpr (std::totally_ordered<T> && !std::same_as<T, std::string>) {
    if (fact.low && !(*fact.low <= fact.value)) reader.fail("\"low\" must not be above the value");
    if (fact.high && !(fact.value <= *fact.high)) reader.fail("\"high\" must not be below the value");
  }
}

template <class T>
void read(const Context& at, Fact<T>& out) {
  if (at.value.kind != Value::Kind::kMapping) {
    read(at, out.value);
    out.origin.confidence = Confidence::kStated;
    return;
  }
  MapReader fact(at.file, at.value, "a value with its origin");
  const bool typical = at.value.find("typical") != nullptr;
  out.value = fact.required<T>(typical ? "typical" : "value");
  out.low = fact.optional<T>("low");
  out.high = fact.optional<T>("high");
  out.origin = read_origin(fact, Confidence::kStated);
  fact.finish();
  check_band(fact, out);
}

// Range checks that speak: fails unless lowest <= value <= highest.
void check_range(const Context& at, double value, double lowest, double highest, const std::string& what);

}  // namespace fathom
