#include "bom/read_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "units/number.h"

namespace fathom::bom {

namespace {

int checked_count(const Context& at, const std::string& key, int lowest, int highest) {
  int value = 0;
  read(at, value);
  if (value < lowest) at.fail(fmt::format("{} must be at least {}, found {}", in_quotes(key), lowest, value));
  if (value > highest) {
    at.fail(fmt::format("{} must be at most {}, found {}", in_quotes(key), highest, value),
            "look for a digit too many, or a unit that does not belong here");
  }
  return value;
}

void check_number(const Context& at, double value, double lowest, double highest, const std::string& what) {
  if (highest == 1 && value > 1 && value <= 100) {
    at.fail(fmt::format("{} must be between {:g} and 1, found {:g}", in_quotes(what), lowest, value),
            fmt::format("if this is a percentage, write {:g}", value / 100));
  }
  check_range(at, value, lowest, highest, in_quotes(what));
}

}  // namespace

std::vector<std::string> unique_ids(const std::string& file, const Value& root, const std::string& list) {
  std::vector<std::string> ids;
  const Value* entries = root.find(list);
  if (entries == nullptr || entries->kind == Value::Kind::kNull) return ids;
  if (entries->kind != Value::Kind::kSequence) fail_kind({file, *entries}, "a list");
  for (const Value& entry : entries->items) {
    const Value* id = entry.find("id");
    if (id == nullptr || id->kind != Value::Kind::kScalar) continue;
    if (std::find(ids.begin(), ids.end(), id->text) != ids.end()) {
      Context{file, *id}.fail(fmt::format("two entries of {} have the id {}", in_quotes(list), in_quotes(id->text)),
                              "give each its own id");
    }
    ids.push_back(id->text);
  }
  return ids;
}

int count_in(MapReader& reader, const std::string& key, int lowest, int highest) {
  return checked_count(reader.context(reader.need(key)), key, lowest, highest);
}

int count_in(MapReader& reader, const std::string& key, int lowest, int highest, int fallback) {
  return optional_count(reader, key, lowest, highest).value_or(fallback);
}

std::optional<int> optional_count(MapReader& reader, const std::string& key, int lowest, int highest) {
  const Value* value = reader.take(key);
  if (value == nullptr) return std::nullopt;
  return checked_count(reader.context(*value), key, lowest, highest);
}

double number_in(MapReader& reader, const std::string& key, double lowest, double highest, double fallback) {
  return optional_number(reader, key, lowest, highest).value_or(fallback);
}

std::optional<double> optional_number(MapReader& reader, const std::string& key, double lowest, double highest) {
  const Value* value = reader.take(key);
  if (value == nullptr) return std::nullopt;
  double number = 0;
  read(reader.context(*value), number);
  check_number(reader.context(*value), number, lowest, highest, key);
  return number;
}

std::string date(MapReader& reader, const std::string& key) {
  const Value* value = reader.take(key);
  if (value == nullptr) return {};
  std::string text;
  read(reader.context(*value), text);
  static const std::regex iso("[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?");
  if (!std::regex_match(text, iso)) {
    reader.context(*value).fail(
        fmt::format("expected a date such as 2025-02-14, 2025-02 or 2025, found {}", in_quotes(text)));
  }
  return text;
}

std::optional<Fact<double>> fact_in(MapReader& reader, const std::string& key, double lowest, double highest) {
  const Value* value = reader.take(key);
  if (value == nullptr) return std::nullopt;
  Fact<double> fact;
  read(reader.context(*value), fact);
  check_fact(reader.context(*value), fact, lowest, highest, key);
  return fact;
}

void check_fact(const Context& at, const Fact<double>& fact, double lowest, double highest, const std::string& what) {
  // Complain at the number inside {value: …}, not at the braces.
  const auto check = [&](double number, const Value* where) {
    check_number(Context{at.file, where == nullptr ? at.value : *where}, number, lowest, highest, what);
  };
  const Value* typical = at.value.find("typical");
  check(fact.value, typical != nullptr ? typical : at.value.find("value"));
  if (fact.low) check(*fact.low, at.value.find("low"));
  if (fact.high) check(*fact.high, at.value.find("high"));
}

void fail_zero(const Context& at, const std::string& key) {
  at.fail(fmt::format("{} must be greater than zero", in_quotes(key)), "leave the key out when it is not known");
}

void check_reference(const Context& at, const std::string& name, const std::vector<std::string>& known,
                     const std::string& what) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  const std::string close = did_you_mean(name, known);
  std::string hint = "the file defines none";
  if (!known.empty()) hint = fmt::format("the file defines {}", listed(known, ", "));
  if (!close.empty()) hint = fmt::format("did you mean {}?", in_quotes(close));
  at.fail(fmt::format("there is no {} {} in this file", what, in_quotes(name)), hint);
}

void fail_lookup(const Context& at, const LookupError& error) {
  const std::string message = error.what();
  if (error.candidates.empty()) at.fail(message);
  // An ambiguous name lists what it may mean; an unknown one has at most neighbours.
  const bool ambiguous = message.find(error.candidates.front()) != std::string::npos;
  at.fail(message, ambiguous ? "write the one that is meant"
                             : fmt::format("did you mean {}?", listed(error.candidates, " or ")));
}

bool names_entry(const Value& value) {
  if (value.kind != Value::Kind::kScalar || value.text.empty()) return false;
  const char first = value.text.front();
  const bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z');
  return letter && value.text.find('/') == std::string::npos;
}

}  // namespace fathom::bom
