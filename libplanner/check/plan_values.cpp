#include "check/plan_values.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "input/error.h"
#include "input/utf8.h"

namespace fathom {

struct PlanValues::Tree {
  nlohmann::json root;
};

namespace {

using Json = nlohmann::json;

Position position_of(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte, text.size()));
  const std::size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {1 + static_cast<int>(std::count(before.begin(), before.end(), '\n')), code_points(before.substr(start)) + 1};
}

const Json* child(const Json* json, std::string_view key) {
  if (!json->is_object()) return nullptr;
  const auto it = json->find(std::string(key));
  return it == json->end() ? nullptr : &*it;
}

const Json* item(const Json* json, std::string_view digits) {
  std::size_t index = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  return read.ec == std::errc() && json->is_array() && index < json->size() ? &(*json)[index] : nullptr;
}

}  // namespace

PlanValues::PlanValues(const std::string& json, const std::string& file) : tree_(std::make_unique<Tree>()) {
  try {
    tree_->root = Json::parse(json);
  } catch (const Json::parse_error& error) {
    throw InputError(file, position_of(json, error.byte > 0 ? error.byte - 1 : 0), "this is no JSON");
  } catch (const Json::exception&) {  // a number that no machine holds
    throw InputError(file, {1, 1}, "this JSON holds a number that is out of range");
  }
  if (!tree_->root.is_object()) throw InputError(file, {1, 1}, "a plan is a JSON object");
}

PlanValues::~PlanValues() = default;

std::optional<PlanValues::Value> PlanValues::find(std::string_view path) const {
  const Json* at = &tree_->root;
  while (!path.empty() && at != nullptr) {
    const std::size_t end = std::min(path.find_first_of(".["), path.size());
    at = child(at, path.substr(0, end));
    path.remove_prefix(end);
    while (at != nullptr && path.starts_with('[')) {
      const std::size_t close = path.find(']');
      if (close == std::string_view::npos) return std::nullopt;
      at = item(at, path.substr(1, close - 1));
      path.remove_prefix(close + 1);
    }
    if (path.starts_with('.')) path.remove_prefix(1);
  }
  if (at == nullptr) return std::nullopt;
  if (at->is_boolean()) return at->get<bool>();
  if (at->is_number()) return at->get<double>();
  if (at->is_string()) return at->get<std::string>();
  if (at->is_array()) return at->size();
  return std::nullopt;
}

}  // namespace fathom
