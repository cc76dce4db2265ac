// Damages YAML on purpose: a file as a tree whose values are replaced, added, removed or doubled, and written out again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "input/value.h"

namespace fathom {

class YamlEdit {
 public:
  explicit YamlEdit(const Document& document) : root_(document.root) {}

  // Paths name keys and list indices: "groups.0.node.accelerator.count".
  bool has(std::string_view path) const { return find(path) != nullptr; }
  const Value* find(std::string_view path) const;

  // `raw` is written as it stands, so that it may be any YAML, or none. The parent must exist; the key is added when absent.
  void set(std::string_view path, std::string raw);
  void remove(std::string_view path);
  void twice(std::string_view path);  // the key a second time, behind the others

  std::vector<std::string> paths() const;  // of all values, parents first
  std::string text() const;                // block style, one value per line

 private:
  Value root_;
};

}  // namespace fathom
