// Models, devices and small clusters for tests of the modelling rooms. Everything comes from the shipped catalogs; what a
// test varies (links, peaks, memory) it changes in its own copy of the accelerator.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bom/cluster.h"
#include "catalog/catalog.h"
#include "layout/layout.h"
#include "network/topology.h"
#include "timing/engine_profile.h"
#include "workload/workload.h"

namespace fathom {

const Catalog& shipped();
EngineProfile engine(const std::string& id = "reference");
WeightScheme scheme(const std::string& name);

struct Machines {
  std::string accelerator = "nvidia-h200-sxm5-141gb";
  int nodes = 1;
  int per_node = 8;
  double nic_gbps = 400;  // per accelerator, Gb/s; 0: no fabric
  std::string fabric = "infiniband";
  std::string cpu = "intel-xeon-platinum-8480plus";
  int cpus = 2;
  std::string id = "group";
  std::string role = "auto";
  Bytes memory = Bytes(1e12);
};

// A cluster and its pools, which point into it and into its own copies of the accelerators.
class TestCluster {
 public:
  explicit TestCluster(const std::vector<Machines>& groups);
  TestCluster(const Machines& group) : TestCluster(std::vector<Machines>{group}) {}  // NOLINT: reads as a literal

  const std::vector<Pool>& pools() const { return pools_; }
  std::vector<Pool>& pools() { return pools_; }
  const Pool& pool() const { return pools_.front(); }
  Pool& pool() { return pools_.front(); }
  Accelerator& accelerator() { return *parts_.front(); }
  void rebuild();  // after a change of an accelerator

 private:
  std::unique_ptr<Cluster> cluster_ = std::make_unique<Cluster>();
  std::vector<std::unique_ptr<Accelerator>> parts_;
  std::vector<Pool> pools_;
};

Workload workload(double input, double output, double concurrency);

// Layouts of one model that illegal() lets pass, over a grid of degrees and formats.
std::vector<Layout> legal_layouts(const Architecture& architecture, const std::vector<Tensor>& list,
                                  const std::vector<std::string>& schemes);

}  // namespace fathom
