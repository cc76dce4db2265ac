// Every key of a plan that an expression may name, with the unit that it stands in. A test holds this list to what
// `fathom plan -f json` writes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "check/amount.h"

namespace fathom {

struct PlanKey {
  enum class Kind { kBool, kText, kAmount, kList };

  std::string path;  // "pools[].layout.tp"
  Kind kind = Kind::kAmount;
  Dimension dimension = {};
  double scale = 1;       // of its number: SI units in one of them
  bool estimate = false;  // {min, likely, max}: stands for its "likely"
};

const std::vector<PlanKey>& plan_keys();
const PlanKey* find_plan_key(std::string_view path);  // indices are left out or ignored; nullptr when there is none

}  // namespace fathom
