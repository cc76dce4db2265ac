// What the rules ask of a design: the catalog's entry behind a name, the model that it serves, the groups that serve it.
#pragma once

#include <optional>
#include <string>

#include "check/design.h"
#include "model/architecture.h"
#include "timing/engine_profile.h"

namespace fathom {

// By id: reading the file has put it in the place of names and aliases. nullptr for the writer's own words.
template <class T>
const T* known(const Catalog& catalog, const std::string& id) {
  for (const T& entry : catalog.all<T>()) {
    if (entry.id == id) return &entry;
  }
  return nullptr;
}

bool serves(const Group& group);  // has accelerators and takes part in serving

const PoolChoice* pin_of(const Cluster& cluster, const Group& group);  // nullptr when nothing is pinned

int year_of(const std::string& date);  // that an ISO date begins with; 0 when it has none

// Throws InputError for a config.json that cannot be read.
Architecture model_of(const Design& design);

// Nothing for an engine that engines.yaml does not have.
std::optional<EngineProfile> engine_of(const Design& design);

// Weight schemes that the file allows a group; when it names none, the checkpoint's own and the smallest that keeps answers.
std::vector<WeightScheme> allowed_schemes(const Cluster& cluster, const Group& group, const Architecture& model);

}  // namespace fathom
