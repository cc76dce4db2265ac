// The pieces of cluster.yaml and what they share: lists, limits that complain at the exact value, references that know
// what could have been meant. Internal to bom/; everybody else includes cluster.h.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bom/cluster.h"
#include "input/reader.h"

namespace fathom::bom {

// The ids that other parts of the file may refer to, collected before anything is read.
struct Names {
  std::vector<std::string> sites, groups, fabrics, storage;
};

// One function per entry of the file.
Site read_site(const Context& at, const Catalog& catalog);
Group read_group(const Context& at, const Catalog& catalog, const Names& names);
Node read_node(const Context& at, const Catalog& catalog, const Names& names);
PoolChoice read_pool_choice(const Context& at, const Names& names);
Fabric read_fabric(const Context& at, const Catalog& catalog, const Names& names);
Storage read_storage(const Context& at);
Item read_item(const Context& at);
Software read_software(const Context& at);
YearlyCost read_yearly(const Context& at);
Finance default_finance();
Finance read_finance(const Context& at);
AvailabilityInput read_availability(const Context& at);
Alternative read_alternative(const Context& at, const Catalog& catalog);
Claim read_claim(const Context& at);

// --- lists -----------------------------------------------------------------------------------------------------------

template <class ReadOne>
auto read_list(MapReader& reader, const std::string& key, ReadOne read_one) {
  std::vector<decltype(read_one(std::declval<Context>()))> out;
  const Value* list = reader.take(key);
  if (list == nullptr) return out;
  if (list->kind != Value::Kind::kSequence) fail_kind(reader.context(*list), "a list");
  for (const Value& item : list->items) out.push_back(read_one(reader.context(item)));
  return out;
}

// The `id` of every entry of a list; a second entry with the same id is an error at that id. Missing ids are left to
// the reader of the entry.
std::vector<std::string> unique_ids(const std::string& file, const Value& root, const std::string& list);

// --- limits ----------------------------------------------------------------------------------------------------------

constexpr int kMostNodes = 10'000'000;
constexpr double kLeastAvailability = 0.001;  // what is never up has no time between failures

int count_in(MapReader& reader, const std::string& key, int lowest, int highest);  // required
int count_in(MapReader& reader, const std::string& key, int lowest, int highest, int fallback);
std::optional<int> optional_count(MapReader& reader, const std::string& key, int lowest, int highest);
double number_in(MapReader& reader, const std::string& key, double lowest, double highest, double fallback);
std::optional<double> optional_number(MapReader& reader, const std::string& key, double lowest, double highest);
std::string date(MapReader& reader, const std::string& key);  // empty, or ISO 8601, possibly shortened

// A fact about a plain number, with its range, within [lowest, highest].
std::optional<Fact<double>> fact_in(MapReader& reader, const std::string& key, double lowest, double highest);
void check_fact(const Context& at, const Fact<double>& fact, double lowest, double highest, const std::string& what);

inline std::optional<Fact<Money>> price_of(MapReader& reader, const std::string& key = "price") {
  return reader.optional<Fact<Money>>(key);
}

[[noreturn]] void fail_zero(const Context& at, const std::string& key);

// A quantity that cannot be zero when it is there: a port without rate is a mistake, not a port.
template <class T>
std::optional<T> positive(MapReader& reader, const std::string& key) {
  const Value* value = reader.take(key);
  if (value == nullptr) return std::nullopt;
  T out{};
  read(reader.context(*value), out);
  if (!(out.value > 0)) fail_zero(reader.context(*value), key);
  return out;
}

// --- references ------------------------------------------------------------------------------------------------------

// Fails at the value unless it is one of `known`, and says what is.
void check_reference(const Context& at, const std::string& name, const std::vector<std::string>& known,
                     const std::string& what);

// An entry of the catalog by id or alias. Unknown and ambiguous names are errors at the name.
[[noreturn]] void fail_lookup(const Context& at, const LookupError& error);

template <class T>
const T& find_entry(const Context& at, const Catalog& catalog) {
  std::string name;
  read(at, name);
  try {
    return catalog.find<T>(name);
  } catch (const LookupError& error) {
    fail_lookup(at, error);
  }
}

// The id of a part that the catalog may know; words that it does not know stay as they are.
template <class T>
std::string part_name(MapReader& reader, const Catalog& catalog, const std::string& key = "part") {
  const std::string name = reader.get<std::string>(key, "");
  if (name.empty()) return name;
  try {
    return catalog.find<T>(name).id;
  } catch (const LookupError&) {
    return name;
  }
}

// Every amount must be in the currency of the finance section or have a rate to it.
void check_currencies(const std::string& file, const Value& root, const Cluster& cluster);

// "cn-industrial" names an entry of the catalog, "0.63 CNY/kWh" is a value with its unit.
bool names_entry(const Value& value);

}  // namespace fathom::bom
