// One file under check: what it says (Cluster) and where each part of it stands (Document), so that a rule can compute on
// the one and point at the other.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "bom/cluster.h"
#include "check/finding.h"
#include "input/value.h"

namespace fathom {

// One step into the tree: a key, or the number of an item (from 0).
using Step = std::variant<std::string_view, std::size_t>;

// Where the value at this path stands: Spot at("groups", 0, "node", "psu"). A path that the file does not have ends at the
// key above it, so that something that is missing is reported where it belongs.
Spot spot_of(const Document& document, std::initializer_list<Step> path);

struct Design {
  const Cluster& cluster;
  const Document& text;
  const Catalog& catalog;

  Spot at(std::initializer_list<Step> path) const { return spot_of(text, path); }
};

}  // namespace fathom
