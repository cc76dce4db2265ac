#include "manifests/tree.h"

#include <algorithm>

#include "input/utf8.h"
#include "units/number.h"

namespace fathom::manifests {

const Value* find(const Value* from, std::initializer_list<std::string_view> path) {
  for (const std::string_view step : path) {
    if (from == nullptr) return nullptr;
    from = from->find(step);
  }
  return from == nullptr || from->kind == Value::Kind::kNull ? nullptr : from;
}

const Entry* entry(const Value* from, std::string_view key) {
  if (from == nullptr) return nullptr;
  const auto it =
      std::find_if(from->entries.begin(), from->entries.end(), [&](const Entry& e) { return e.key == key; });
  return it == from->entries.end() ? nullptr : &*it;
}

const std::vector<Value>& items(const Value* list) {
  static const std::vector<Value> kNone;
  return list == nullptr ? kNone : list->items;
}

const std::vector<Entry>& entries(const Value* mapping) {
  static const std::vector<Entry> kNone;
  return mapping == nullptr ? kNone : mapping->entries;
}

std::string text(const Value* scalar) {
  return scalar == nullptr || scalar->kind != Value::Kind::kScalar ? std::string() : scalar->text;
}

std::optional<double> number(const Value* scalar) {
  const auto scanned = scan_number(text(scalar));
  if (!scanned || !scanned->rest.empty() || !scanned->in_range) return std::nullopt;
  return scanned->value;
}

double number_or(const Value* scalar, double fallback) { return number(scalar).value_or(fallback); }

bool is_true(const Value* scalar) { return text(scalar) == "true"; }

Labels labels(const Value* mapping) {
  Labels out;
  for (const Entry& e : entries(mapping)) out[e.key] = text(&e.value);
  return out;
}

bool contains(const Labels& all, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    const auto it = all.find(label.first);
    return it != all.end() && it->second == label.second;
  });
}

namespace {

bool holds(const Value& expression, const Labels& all) {
  const auto label = all.find(text(expression.find("key")));
  const std::string op = text(expression.find("operator"));
  if (op == "Exists") return label != all.end();
  if (op == "DoesNotExist") return label == all.end();
  const std::vector<Value>& values = items(expression.find("values"));
  const bool listed = label != all.end() && std::any_of(values.begin(), values.end(), [&](const Value& value) {
                        return text(&value) == label->second;
                      });
  return op == "NotIn" ? !listed : listed;
}

}  // namespace

bool selects(const Value* selector, const Labels& all) {
  if (!contains(all, labels(find(selector, {"matchLabels"})))) return false;
  const std::vector<Value>& expressions = items(find(selector, {"matchExpressions"}));
  return std::all_of(expressions.begin(), expressions.end(), [&](const Value& e) { return holds(e, all); });
}

std::string to_string(const Labels& all) {
  std::string out;
  for (const auto& [key, value] : all) out += (out.empty() ? "" : ", ") + key + "=" + value;
  return out;
}

Mark mark(const Value& value) {
  const bool one_line = value.kind == Value::Kind::kScalar && value.text.find('\n') == std::string::npos;
  return {value.at, one_line ? code_points(value.text) + (value.quoted ? 2 : 0) : 0};
}

Mark mark(const Entry& e) { return e.value.kind == Value::Kind::kScalar ? mark(e.value) : key_mark(e); }

Mark key_mark(const Entry& e) { return {e.at, code_points(e.key)}; }

}  // namespace fathom::manifests
