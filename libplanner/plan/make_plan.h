// The main job: a cluster file and a catalog in, a Plan out.
#pragma once

#include <filesystem>

#include "bom/cluster.h"
#include "catalog/catalog.h"
#include "plan/plan.h"

namespace fathom {

// Throws InputError for a model or engine that does not exist. What cannot be served is a Plan that says so.
Plan make_plan(const Cluster& cluster, const Catalog& catalog);

}  // namespace fathom
