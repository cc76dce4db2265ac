// What cluster.yaml and the catalog say, in the words of the power formulas.
#pragma once

#include <vector>

#include "bom/cluster.h"
#include "power/node_power.h"
#include "power/site_power.h"

namespace fathom {

// Parts of one node as it stands in `site`. The supply's curve comes from the catalog by grade ("gold" when only its
// rating is stated), a network card's watts by part where the catalog knows them.
NodeParts node_parts(const Node& node, const Site& site, const Catalog& catalog);

// PUE by the kind of site where none is stated, marked as assumed. The circuit is volts * amps.
SiteConditions site_conditions(const Site& site);

// The switches of all fabrics; watts (typical, else maximal) where the catalog knows the part.
std::vector<NetworkLoad> network_loads(const Cluster& cluster, const Catalog& catalog);

}  // namespace fathom
