// What the rules on manifests, alert rules and scripts find, before the check gives it a level: a rule of
// catalogs/rules.yaml, a place, and why. docs/check.md#files-of-operations
#pragma once

#include <string>
#include <vector>

#include "input/value.h"

namespace fathom::manifests {

// A stretch of one line; width 0 goes to the end of it.
struct Mark {
  Position at;
  int width = 0;
};

struct Remark {
  std::string rule;
  Mark mark;
  std::string message;
  std::vector<std::string> terms = {};
  std::string help = {};
};
using Remarks = std::vector<Remark>;

}  // namespace fathom::manifests
