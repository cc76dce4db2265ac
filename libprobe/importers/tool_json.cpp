#include "importers/tool_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "units/number.h"

namespace fathom::probe {

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
  std::replace(text.begin(), text.end(), '\t', ' ');  // a tab inside of a JSON text would be written \t
  return parse_yaml(std::move(text), file_name);
}

void Node::fail(const std::string& message, const std::string& hint) const {
  throw InputError(document->file, value != nullptr ? value->at : document->root.at, message, hint);
}

Node Node::find(std::initializer_list<const char*> keys) const {
  const Value* at = value;
  for (const char* key : keys) {
    if (at != nullptr) at = at->find(key);
  }
  return {document, at};
}

Node Node::need(std::initializer_list<const char*> keys) const {
  const Node found = find(keys);
  if (!found) fail(fmt::format("expected \"{}\" here", fmt::join(keys, ".")), "was the output cut off?");
  return found;
}

std::vector<Node> Node::items() const {
  std::vector<Node> nodes;
  if (value == nullptr || value->kind != Value::Kind::kSequence) return nodes;
  for (const Value& item : value->items) nodes.push_back({document, &item});
  return nodes;
}

std::optional<double> Node::maybe_number() const {
  if (value == nullptr || value->kind != Value::Kind::kScalar) return std::nullopt;
  const auto number = scan_number(value->text);
  if (!number || !number->in_range || !number->rest.empty() || std::abs(number->value) > 1e24) return std::nullopt;
  return number->value;
}

double Node::number() const {
  const std::optional<double> found = maybe_number();
  if (!found) fail("expected a number" + (value != nullptr ? ", found " + in_quotes(value->text) : std::string()));
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
