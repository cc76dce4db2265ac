// Power, cost and availability of the chosen solution: gathers the inputs of those rooms, whose formulas do the work.
#pragma once

#include "bom/cluster.h"
#include "catalog/catalog.h"
#include "plan/plan.h"
#include "search/search.h"

namespace fathom {

void add_economics(Plan& plan, const Cluster& cluster, const Catalog& catalog, const Problem& problem,
                   const SearchResult& found);

}  // namespace fathom
