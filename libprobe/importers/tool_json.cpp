#include "importers/tool_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "harness/result.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kMostDepth = 64;

Value value_of(const Json& json, int depth, const std::string& file) {
  if (depth > kMostDepth) throw InputError(file, {}, "the JSON is nested too deep");
  Value value;
  if (json.is_object()) {
    value.kind = Value::Kind::kMapping;
    for (const auto& [key, item] : json.items()) value.entries.push_back({key, {}, value_of(item, depth + 1, file)});
  } else if (json.is_array()) {
    value.kind = Value::Kind::kSequence;
    for (const Json& item : json) value.items.push_back(value_of(item, depth + 1, file));
  } else if (!json.is_null()) {
    value.kind = Value::Kind::kScalar;
    value.quoted = json.is_string();
    value.text = json.is_string() ? json.get<std::string>() : json.dump();
  }
  return value;
}

}  // namespace

Document parse_tool_json(std::string text, const std::string& file_name) {
  std::size_t start = 0;
  while (start < text.size() && text[start] != '{' && text[start] != '[') {
    const std::size_t end = text.find('\n', start);
    if (end == std::string::npos) throw InputError(file_name, {}, "there is no JSON in it");
    start = end + 1;
  }
  for (std::size_t i = 0; i < start; ++i) {
    if (text[i] != '\n') text[i] = ' ';
  }
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_discarded()) return {file_name, value_of(json, 0, file_name)};
  return parse_yaml(std::move(text),
                    file_name);  // perftest leaves words without quotes; what is worse is refused there
}

void Node::fail(const std::string& message, const std::string& hint) const {
  throw InputError(document->file, value != nullptr ? value->at : document->root.at, message, hint);
}

Node Node::find(std::initializer_list<const char*> keys) const {
  Node at = *this;
  for (const char* key : keys) {
    if (at.value != nullptr) at.value = at.value->find(key);
    at.way += (at.way.empty() ? "" : ".") + std::string(key);
  }
  return at;
}

Node Node::need(std::initializer_list<const char*> keys) const {
  const Node found = find(keys);
  if (!found) fail(fmt::format("expected \"{}\" here", found.way), "was the output cut off?");
  return found;
}

std::vector<Node> Node::items() const {
  std::vector<Node> nodes;
  if (value == nullptr || value->kind != Value::Kind::kSequence) return nodes;
  for (const Value& item : value->items) nodes.push_back({document, &item, fmt::format("{}[{}]", way, nodes.size())});
  return nodes;
}

std::optional<double> number_in(const std::string& word) {
  const auto number = scan_number(word);
  if (!number || !number->in_range || !number->rest.empty() || std::abs(number->value) > kLargestFigure)
    return std::nullopt;
  return number->value;
}

std::optional<double> Node::maybe_number() const {
  return value != nullptr && value->kind == Value::Kind::kScalar ? number_in(value->text) : std::nullopt;
}

double Node::number() const {
  const std::optional<double> found = maybe_number();
  if (!found) fail(fmt::format("expected a number as {}, found {}", in_quotes(way), in_quotes(text())));
  return *found;
}

std::string Node::text() const { return value != nullptr && value->kind == Value::Kind::kScalar ? value->text : ""; }

std::vector<std::string> words_of_line(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

}  // namespace fathom::probe
