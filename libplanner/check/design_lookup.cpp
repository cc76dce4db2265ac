#include "check/design_lookup.h"

#include <algorithm>
#include <charconv>

namespace fathom {

bool serves(const Group& group) {
  return group.role != "support" && group.node.accelerator != nullptr && group.node.accelerators > 0 &&
         group.nodes > group.spares;
}

const PoolChoice* pin_of(const Cluster& cluster, const Group& group) {
  for (const PoolChoice& choice : cluster.layout) {
    if (choice.group == group.id) return &choice;
  }
  return nullptr;
}

int year_of(const std::string& date) {
  int year = 0;
  std::from_chars(date.data(), date.data() + std::min<std::size_t>(date.size(), 4), year);
  return year;
}

Architecture model_of(const Design& design) {
  if (design.cluster.model_config) return read_hf_config(*design.cluster.model_config);
  return design.catalog.model(design.cluster.workload.model);
}

std::optional<EngineProfile> engine_of(const Design& design) {
  const std::vector<std::string> ids = engine_ids(design.catalog.data_dir());
  const std::string& id = design.cluster.workload.engine;
  if (std::find(ids.begin(), ids.end(), id) == ids.end()) return std::nullopt;
  return read_engine_profile(design.catalog.data_dir(), id);
}

std::vector<WeightScheme> allowed_schemes(const Cluster& cluster, const Group& group, const Architecture& model) {
  const PoolChoice* pin = pin_of(cluster, group);
  if (pin != nullptr && pin->weights) return {*find_weight_scheme(*pin->weights)};
  if (cluster.workload.weights.empty()) return {*find_weight_scheme("int4"), *find_weight_scheme(model.native_weights)};
  std::vector<WeightScheme> schemes;
  for (const std::string& name : cluster.workload.weights) schemes.push_back(*find_weight_scheme(name));
  return schemes;
}

}  // namespace fathom
