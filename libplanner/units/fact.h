// A number with a birthplace: value, optional range, and where it comes from.
#pragma once

#include <optional>
#include <string>

namespace fathom {

// Ordered from strongest to weakest; a result is as good as its weakest term:
// docs/decisions/0002-six-confidence-classes.md.
enum class Confidence {
  kMeasured,   // somebody ran it and published how
  kDatasheet,  // the maker says so, or a primary document was read
  kDerived,    // arithmetic from the two above
  kReported,   // a secondary page, press, a reseller
  kStated,     // the design under examination says so
  kAssumed,    // nobody was asked: a default, or from memory
};

std::string to_string(Confidence confidence);
std::optional<Confidence> parse_confidence(const std::string& text);  // "datasheet", "measured", …

constexpr Confidence weakest(Confidence a, Confidence b) { return a > b ? a : b; }

struct Origin {
  std::string source;  // a code of the catalog's `sources` table, or words
  std::string date;    // ISO 8601, possibly shortened: "2025-02", "2024"; empty when not dated
  Confidence confidence = Confidence::kAssumed;
};

template <class T>
struct Fact {
  T value{};
  std::optional<T> low;   // plausible minimum, absent when the source gives one figure
  std::optional<T> high;  // plausible maximum
  Origin origin;

  T low_or_value() const { return low.value_or(value); }
  T high_or_value() const { return high.value_or(value); }
};

// What a prediction says: the likely value inside the band in which it should fall, and its weakest ingredient.
// min <= likely <= max in the order of the quantity, not of goodness.
template <class T>
struct Estimate {
  T min{};
  T likely{};
  T max{};
  Confidence confidence = Confidence::kAssumed;
};

}  // namespace fathom
