// The values of a plan by key, from the JSON that `fathom plan` writes: so that a condition may name exactly what a script
// would read.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace fathom {

class PlanValues {
 public:
  // Throws InputError when `json` is none, or no object.
  PlanValues(const std::string& json, const std::string& file);
  ~PlanValues();
  PlanValues(const PlanValues&) = delete;
  PlanValues& operator=(const PlanValues&) = delete;

  // Of a list, the number of its items. Absent, null and objects are nullopt.
  using Value = std::variant<bool, double, std::string, std::size_t>;
  std::optional<Value> find(std::string_view path) const;  // "pools[0].layout.tp"

 private:
  struct Tree;
  std::unique_ptr<Tree> tree_;
};

}  // namespace fathom
