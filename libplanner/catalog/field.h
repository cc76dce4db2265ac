// How a catalog struct says what its file looks like: once, in a function `fields`, right under the struct.
//
//   template <class Visit, Is<Cpu> C>
//   void fields(Visit& visit, C& cpu) {
//     visit("name", cpu.name);                       // required
//     visit("tdp", cpu.tdp, between(1_W, 3000_W));  // std::optional: may be absent; the range refuses slips
//   }
//
// The loader, the JSON and the text printer are visitors of the same list, so a key is written in one place. The type
// of the member decides: plain types are required, std::optional, lists, maps and bools are not.
#pragma once

#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "units/fact.h"
#include "units/money.h"
#include "units/quantity.h"

namespace fathom {

template <class T, class U>
concept Is = std::derived_from<std::remove_const_t<T>, U>;

struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};
inline Range between(double low, double high) { return {low, high}; }
template <class Quantity>
requires requires(Quantity q) { q.value; }
Range between(Quantity low, Quantity high) { return {low.value, high.value}; }

// "AIC+MLE": codes of the file's `sources` table, joined by "+". The loader refuses unknown ones.
struct SourceCodes {
  std::string text;
};

// What a code stands for.
struct CatalogSource {
  std::string title;
  std::string date;  // empty when the source has none
};
using CatalogSources = std::map<std::string, CatalogSource>;

// A fact whose dimension its name tells: `measured` figures, constants. Plain numbers are shares and factors.
using AnyQuantity =
    std::variant<double, Bytes, BytesPerSecond, FlopsPerSecond, Seconds, Watts, Joules, Metres, Hertz, Money>;

using NamedFacts = std::map<std::string, Fact<AnyQuantity>>;
using Notes = std::vector<std::string>;

// What something cost, where and when somebody said so.
struct Price {
  Money amount;
  std::optional<Money> low, high;
  std::string kind;  // "launch", "reseller", "list" …
  Origin origin;
};
template <class Visit, Is<Price> P>
void fields(Visit& visit, P& price) {
  visit("amount", price.amount);
  visit("low", price.low);
  visit("high", price.high);
  visit("kind", price.kind);
  visit.origin(price.origin);
}

}  // namespace fathom
