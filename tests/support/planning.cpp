#include "support/planning.h"

#include <map>

namespace fathom {

const Catalog& shipped() {
  static const Catalog catalog(std::filesystem::path(FATHOM_SOURCE_DIR) / "catalogs");
  return catalog;
}

EngineProfile engine(const std::string& id) {
  static std::map<std::string, EngineProfile>
      known;  // the file takes a tenth of a second to parse without optimisation
  const auto found = known.find(id);
  if (found != known.end()) return found->second;
  return known[id] = read_engine_profile(std::filesystem::path(FATHOM_SOURCE_DIR) / "catalogs", id);
}

WeightScheme scheme(const std::string& name) { return find_weight_scheme(name).value(); }

TestCluster::TestCluster(const std::vector<Machines>& groups) {
  for (const Machines& m : groups) {
    parts_.push_back(std::make_unique<Accelerator>(shipped().accelerator(m.accelerator)));
    Group group;
    group.id = m.id;
    group.nodes = m.nodes;
    group.role = m.role;
    group.node.accelerator = parts_.back().get();
    group.node.accelerators = m.per_node;
    group.node.cpu = &shipped().cpu(m.cpu);
    group.node.cpus = m.cpus;
    group.node.memory = m.memory;
    if (m.nic_gbps > 0) {
      group.node.nics.emplace_back();
      group.node.nics.back().count = m.per_node;
      group.node.nics.back().rate = BytesPerSecond(m.nic_gbps * 1e9 / 8);
      group.node.nics.back().fabric = m.fabric;
    }
    cluster_->groups.push_back(group);
    if (m.nic_gbps <= 0 || cluster_->fabric(m.fabric) != nullptr) continue;
    cluster_->fabrics.emplace_back();
    cluster_->fabrics.back().id = cluster_->fabrics.back().kind = m.fabric;
  }
  rebuild();
}

void TestCluster::rebuild() {
  pools_.clear();
  for (const Group& group : cluster_->groups) pools_.push_back(make_pool(*cluster_, group));
}

Workload workload(double input, double output, double concurrency) {
  const auto fixed = [](double n) { return LengthDistribution{.mean = n, .p50 = n, .p99 = n, .second_moment = n * n}; };
  Workload w;
  w.input_tokens = fixed(input);
  w.output_tokens = fixed(output);
  w.concurrency = concurrency;
  return w;
}

std::vector<Layout> legal_layouts(const Architecture& a, const std::vector<Tensor>& list,
                                  const std::vector<std::string>& schemes) {
  std::vector<Layout> result;
  for (const std::string& name : schemes) {
    for (int tp : {1, 2, 4, 8, 16}) {
      for (int groups : {1, 2, 8}) {
        for (int ep : {1, 2, 4, 8, 16, 32}) {
          for (int pp : {1, 3, 7}) {
            const Layout l{.tp = tp, .attention_dp = groups, .pp = pp, .ep = ep, .weights = scheme(name)};
            if (illegal(a, list, l).empty()) result.push_back(l);
          }
        }
      }
    }
  }
  return result;
}

}  // namespace fathom
