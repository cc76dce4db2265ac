// What the parts of a node draw, and whether watts that somebody states for it can be true.
#pragma once

#include <string>
#include <vector>

#include "check/claims.h"
#include "power/node_power.h"

namespace fathom {

// From the parts alone: what the design states about the node's power is what is being checked. `highest`: where the sheets
// give a range, its end: unlocked cards, turbo limits.
NodeParts bare_parts(const Node& node, const Site& site, const Catalog& catalog, bool highest);

struct NodeRange {
  Watts idle{};        // of the parts, usually
  Watts idle_least{};  // its lower end
  Watts peak_least{}, peak_most{};
  std::vector<std::string> unknown;  // parts that the sums leave out
};
NodeRange node_range(const Node& node, const Site& site, const Catalog& catalog);

// A mean below idle and a peak below 85 % of the parts' are impossible; far above them, supplies and cooling are paid for in
// vain. docs/check.md#claims
Verdict judge_watts(const NodeRange& range, bool peak, Watts stated);

}  // namespace fathom
