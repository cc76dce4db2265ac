// The main job: a cluster file and a catalog in, a Plan out.
#pragma once

#include <memory>

#include "bom/cluster.h"
#include "catalog/catalog.h"
#include "plan/plan.h"
#include "profile/profile.h"

namespace fathom {

// Throws InputError for a model or engine that does not exist. What cannot be served is a Plan that says so.
// Measured rates of `profile` (may be absent) replace those of engine and catalog on the accelerator that it stands for.
Plan make_plan(const Cluster& cluster, const Catalog& catalog, std::shared_ptr<const Profile> profile = nullptr);

}  // namespace fathom
