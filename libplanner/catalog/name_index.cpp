#include "catalog/name_index.h"

#include <algorithm>

#include "input/value.h"
#include "units/number.h"

namespace fathom {

namespace {

void insert_once(std::vector<std::string>& ids, const std::string& id) {
  if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
}

}  // namespace

std::string normalised_name(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c == ' ' || c == '-' || c == '_' || c == '\t') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

void NameIndex::add_id(const std::string& id) {
  positions_.emplace(id, positions_.size());
  add_name(id, id);
  // The vendor in front of an id may be left out: "xeon-gold-6454s".
  if (const auto dash = id.find('-'); dash != std::string::npos) add_name(id.substr(dash + 1), id);
}

void NameIndex::add_name(const std::string& name, const std::string& id) {
  if (!name.empty()) insert_once(names_[normalised_name(name)], id);
}

void NameIndex::add_alias(const std::string& alias, const std::vector<std::string>& ids) {
  aliases_[normalised_name(alias)] = ids;
}

void NameIndex::add_prefix(const std::string& spelling, const std::string& meaning) {
  prefixes_.emplace_back(normalised_name(spelling), normalised_name(meaning));
  // Longest first, so that a vendor's full name is not taken for its short one.
  std::sort(prefixes_.begin(), prefixes_.end(),
            [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

const std::vector<std::string>* NameIndex::ids_of(const std::string& normalised) const {
  for (const auto* names : {&aliases_, &names_}) {
    if (const auto found = names->find(normalised); found != names->end()) return &found->second;
  }
  return nullptr;
}

const std::vector<std::string>* NameIndex::ids_of_name(const std::string& name) const {
  const std::string wanted = normalised_name(name);
  const std::vector<std::string>* ids = ids_of(wanted);
  for (const auto& [spelling, meaning] : prefixes_) {
    if (ids != nullptr) break;
    if (!wanted.starts_with(spelling)) continue;
    const std::string rest = wanted.substr(spelling.size());
    ids = ids_of(meaning + rest);
    if (ids == nullptr) ids = ids_of(rest);
  }
  return ids;
}

std::size_t NameIndex::find(const std::string& name) const {
  if (const auto exact = positions_.find(name); exact != positions_.end()) return exact->second;
  const std::vector<std::string>* ids = ids_of_name(name);
  if (ids == nullptr || ids->size() != 1) fail(name, ids);
  return positions_.at(ids->front());
}

std::vector<std::size_t> NameIndex::meant_by(const std::string& name) const {
  std::vector<std::size_t> out;
  if (const auto* ids = ids_of_name(name)) {
    for (const std::string& id : *ids) out.push_back(positions_.at(id));
  }
  return out;
}

void NameIndex::fail(const std::string& name, const std::vector<std::string>* ids) const {
  if (ids != nullptr)
    throw LookupError("the " + noun_ + " " + in_quotes(name) + " may be " + listed(*ids, " or "), *ids);
  std::vector<std::string> known;
  for (const auto& [id, position] : positions_) known.push_back(id);
  for (const auto& [alias, meant] : aliases_) known.push_back(alias);
  for (const auto& [other, meant] : names_) known.push_back(other);
  std::string close = did_you_mean(name, known);
  if (close.empty()) close = did_you_mean(normalised_name(name), known);
  std::vector<std::string> candidates;
  if (!close.empty()) candidates = positions_.contains(close) ? std::vector<std::string>{close} : *ids_of(close);
  throw LookupError("there is no " + noun_ + " " + in_quotes(name) + " in the catalog", std::move(candidates));
}

}  // namespace fathom
