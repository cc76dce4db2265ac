#include "support/yaml_edit.h"

#include <algorithm>
#include <stdexcept>

namespace fathom {

namespace {

bool is_index(std::string_view word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos;
}

Value* child(Value& value, std::string_view key) {
  if (value.kind == Value::Kind::kSequence && is_index(key)) {
    const std::size_t index = std::stoul(std::string(key));
    return index < value.items.size() ? &value.items[index] : nullptr;
  }
  return const_cast<Value*>(value.find(key));
}

Value* descend(Value& root, std::string_view path) {
  Value* value = &root;
  while (value != nullptr && !path.empty()) {
    const std::size_t dot = path.find('.');
    value = child(*value, path.substr(0, dot));
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return value;
}

struct Split {
  std::string_view parent, key;
};

Split split(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return {{}, path};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

Value& parent_of(Value& root, std::string_view path) {
  Value* parent = descend(root, split(path).parent);
  if (parent == nullptr) throw std::logic_error("no parent of " + std::string(path));
  return *parent;
}

void collect(const Value& value, const std::string& path, std::vector<std::string>& out) {
  if (!path.empty()) out.push_back(path);
  const std::string prefix = path.empty() ? path : path + ".";
  for (std::size_t i = 0; i < value.items.size(); ++i) collect(value.items[i], prefix + std::to_string(i), out);
  for (const Entry& entry : value.entries) collect(entry.value, prefix + entry.key, out);
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    c == '\n' ? out += "\\n" : c == '\t' ? out += "\\t" : out += c;
  }
  return out + '"';
}

// What follows "key:" or "-".
void write(const Value& value, int depth, std::string& out) {
  const std::string indent = "\n" + std::string(static_cast<std::size_t>(depth) * 2, ' ');
  switch (value.kind) {
    case Value::Kind::kNull:
      break;
    case Value::Kind::kScalar:
      out += " " + (value.quoted ? quoted(value.text) : value.text);
      break;
    case Value::Kind::kSequence:
      if (value.items.empty()) out += " []";
      for (const Value& item : value.items) {
        out += indent + "-";
        write(item, depth + 1, out);
      }
      break;
    case Value::Kind::kMapping:
      if (value.entries.empty()) out += " {}";
      for (const Entry& entry : value.entries) {
        out += indent + quoted(entry.key) + ":";
        write(entry.value, depth + 1, out);
      }
      break;
  }
}

}  // namespace

const Value* YamlEdit::find(std::string_view path) const { return descend(const_cast<Value&>(root_), path); }

void YamlEdit::set(std::string_view path, std::string raw) {
  Value value;
  value.kind = Value::Kind::kScalar;
  value.text = std::move(raw);
  if (Value* old = descend(root_, path)) {
    *old = std::move(value);
  } else {
    parent_of(root_, path).entries.push_back({std::string(split(path).key), {}, std::move(value)});
  }
}

void YamlEdit::remove(std::string_view path) {
  Value& parent = parent_of(root_, path);
  const std::string_view key = split(path).key;
  if (parent.kind == Value::Kind::kSequence) {
    parent.items.erase(parent.items.begin() + std::stol(std::string(key)));
  } else {
    std::erase_if(parent.entries, [key](const Entry& entry) { return entry.key == key; });
  }
}

void YamlEdit::twice(std::string_view path) {
  Value& parent = parent_of(root_, path);
  const auto same = [key = split(path).key](const Entry& entry) { return entry.key == key; };
  const Entry copy = *std::find_if(parent.entries.begin(), parent.entries.end(), same);
  parent.entries.push_back(copy);
}

std::vector<std::string> YamlEdit::paths() const {
  std::vector<std::string> out;
  collect(root_, "", out);
  return out;
}

std::string YamlEdit::text() const {
  std::string out;
  write(root_, 0, out);
  return out + "\n";
}

}  // namespace fathom
