#include "check/design.h"

#include "input/utf8.h"

namespace fathom {

namespace {

Spot of(const Entry& entry) {
  if (entry.value.kind == Value::Kind::kScalar) return {entry.value.at, code_points(entry.value.text)};
  return {entry.at, code_points(entry.key)};
}

}  // namespace

Spot spot_of(const Document& document, std::initializer_list<Step> path) {
  const Value* value = &document.root;
  Spot spot{value->at, 0};
  for (const Step& step : path) {
    if (const auto* key = std::get_if<std::string_view>(&step)) {
      const Entry* found = nullptr;
      for (const Entry& entry : value->entries) {
        if (entry.key == *key) found = &entry;
      }
      if (found == nullptr) return spot;
      spot = of(*found);
      value = &found->value;
    } else {
      const std::size_t index = std::get<std::size_t>(step);
      if (index >= value->items.size()) return spot;
      value = &value->items[index];
      spot = {value->at, value->kind == Value::Kind::kScalar ? code_points(value->text) : 0};
    }
  }
  return spot;
}

}  // namespace fathom
