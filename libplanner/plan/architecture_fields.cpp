#include "plan/architecture_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "catalog/model_entry.h"

namespace fathom {

namespace {

// Keys of a catalog entry that are about its publication, not about its shape.
bool is_publication(std::string_view key) {
  static constexpr std::array<std::string_view, 10> kKeys = {"developer", "hf_repo",   "year",     "context_published",
                                                             "licence",   "published", "expected", "notes",
                                                             "source",    "confidence"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

template <class T>
constexpr bool is_optional = false;
template <class T>
constexpr bool is_optional<std::optional<T>> = true;

template <class T, class Visit>
concept Nested = requires(Visit& visit, T& value) {
  fields(visit, value);
};

// ---------------------------------------------------------------------------------------------------------------------
// Writing

class FieldWriter {
 public:
  template <class T>
  void operator()(const char* key, const T& value, const Range& = {}) {
    if constexpr (is_optional<T>) {
      if (value) (*this)(key, *value);
    } else {
      if (!is_publication(key)) put(key, value);
    }
  }
  template <class T>
  void defaulted(const char* key, const T& value, const Range& = {}) {
    put(key, value);
  }
  void origin(const Origin&) {}
  std::vector<PlanField> take() { return std::move(written_); }

 private:
  template <class T>
  void put(const char* key, const T& value) {
    if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, double> || std::is_same_v<T, std::string>) {
      written_.push_back({.key = key, .value = value});
    } else if constexpr (std::is_same_v<T, int>) {
      written_.push_back({.key = key, .value = std::int64_t{value}});
    } else if constexpr (requires { words(value); }) {
      written_.push_back({.key = key, .value = std::string(words(value)[static_cast<std::size_t>(value)])});
    } else if constexpr (Nested<const T, FieldWriter>) {
      FieldWriter nested;
      fields(nested, value);
      written_.push_back({.key = key, .value = nested.take()});
    }
  }

  std::vector<PlanField> written_;
};

// ---------------------------------------------------------------------------------------------------------------------
// Reading

class FieldReader {
 public:
  FieldReader(const Context& at, std::string noun) : map_(at.file, at.value, std::move(noun)) {}

  template <class T>
  void operator()(const char* key, T& out, const Range& range = {}) {
    if (is_publication(key)) return;
    if constexpr (is_optional<T>) {
      if (const Value* value = map_.take(key)) take(map_.context(*value), key, out.emplace(), range);
    } else {
      take(map_.context(map_.need(key)), key, out, range);
    }
  }
  template <class T>
  void defaulted(const char* key, T& out, const Range& range = {}) {
    if (const Value* value = map_.take(key)) take(map_.context(*value), key, out, range);
  }
  void origin(Origin&) {}

 private:
  template <class T>
  void take(const Context& at, const char* key, T& out, const Range& range) {
    if constexpr (requires { words(out); }) {
      const auto known = words(out);
      out = static_cast<T>(map_.choice(key, {known.begin(), known.end()}));
    } else if constexpr (Nested<T, FieldReader>) {
      FieldReader nested(at, fmt::format("\"{}\"", key));
      fields(nested, out);
    } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      read(at, out);
      // A configuration may leave out what the catalog insists on: then it is 0 here as well.
      if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>)
        check_range(at, static_cast<double>(out), 0, range.high, fmt::format("\"{}\"", key));
    }
  }

  MapReader map_;
};

}  // namespace

std::vector<PlanField> architecture_fields(const Architecture& architecture) {
  ModelEntry entry;
  static_cast<Architecture&>(entry) = architecture;
  FieldWriter writer;
  fields(writer, entry);
  return writer.take();
}

Architecture read_architecture(const Context& at) {
  ModelEntry entry;
  FieldReader reader(at, "the architecture");
  fields(reader, entry);
  if (const std::string wrong = contradiction(entry); !wrong.empty()) at.fail(wrong);
  return entry;
}

}  // namespace fathom
