// What a profile says of a node beside the times of its operators: the watts of its accelerators, and how fast it reads weights.
#pragma once

#include <optional>

#include "bom/cluster.h"
#include "catalog/catalog.h"
#include "power/node_power.h"
#include "profile/profile.h"

namespace fathom {

// Of `node` where the profile (may be null) stands for its accelerator.
bool is_measured(const Node& node, const Profile* profile);

// A node of the group in the words of the power formulas; measured watts replace those that its accelerators' TDP lets expect.
NodeParts parts_of(const Group& group, const Cluster& cluster, const Catalog& catalog, const Profile* profile);

// All disks of a node that hold the model, read at once; or what was measured.
std::optional<BytesPerSecond> weight_read(const Node& node, const Profile* profile);

}  // namespace fathom
