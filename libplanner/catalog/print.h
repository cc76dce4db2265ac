// Catalog entries for people and for programs. Reads nothing and computes nothing but a model's sizes.
#pragma once

#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "catalog/catalog.h"

namespace fathom {

template <class Kinds>
struct EntryOf;
template <class... T>
struct EntryOf<std::tuple<T...>> {
  using type = std::variant<const T*...>;
};
using AnyEntry = EntryOf<AllKinds>::type;  // points into a catalog

std::vector<Kind> catalog_kinds();
const Kind& find_kind(const std::string& name);  // plural, singular or noun; throws LookupError
std::vector<AnyEntry> entries_of(const Catalog& catalog, const Kind& kind);
AnyEntry find_entry(const Catalog& catalog, const Kind& kind, const std::string& name);  // throws LookupError

struct CatalogFilter {
  std::optional<std::string> vendor, architecture;  // part of the name, case does not matter; of models the family
  std::optional<int> year;
  std::optional<Bytes> min_memory;
};
// Throws LookupError when entries of this kind have no such property.
bool passes(const AnyEntry& entry, const CatalogFilter& filter);

// What the shapes of a model amount to, counted by the model room: "parameters", "weights_fp8_bytes" …
std::vector<std::pair<std::string, double>> model_sizes(const Architecture& architecture);

// One line of an entry: "memory", "80 GiB", "datasheet, AIC 2026-08-21".
struct CatalogRow {
  std::string key;
  std::string value;
  std::string origin;        // empty for what is no fact
  std::string source_codes;  // "AIC+MLE"
};
std::vector<CatalogRow> rows(const AnyEntry& entry);
CatalogSources used_sources(const Catalog& catalog, const Kind& kind, const AnyEntry& entry);

// {"format_version": "1.0", "catalog": "accelerators", …the entry's keys…} or "entries": […]. Every fact is {"value", "unit", "low",
// "high", "source", "date", "confidence"} in SI units, under a key that ends in its unit.
std::string kinds_json(const Catalog& catalog);  // how many entries of each kind
std::string entry_json(const Catalog& catalog, const Kind& kind, const AnyEntry& entry);  // with its sources
std::string list_json(const Kind& kind, const std::vector<AnyEntry>& entries);

}  // namespace fathom
