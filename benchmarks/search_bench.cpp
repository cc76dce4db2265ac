// How long `plan` thinks: the whole search on one core, from pools to ranked solutions. Goals: R1 on 80 H100 within 0.3 s,
// 1,000 homes within 1 s, the process within 200 MB.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include "bom/cluster.h"
#include "search/search.h"

namespace fathom {
namespace {

const Catalog& catalog() {
  static const Catalog shipped("catalogs");  // `bench` runs in the repository's root
  return shipped;
}

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e6;
}

struct Case {
  Cluster cluster;
  std::vector<Tensor> list;
  EngineProfile engine = read_engine_profile("catalogs", "reference");
  std::vector<Pool> pools;

  // Everything is open: no pinned layout, every weight scheme, both cache formats, drafting.
  explicit Case(const char* path) : cluster(read_cluster(path, catalog())) {
    cluster.workload.weights.clear();
    cluster.workload.kv = {"bf16", "fp8"};
    cluster.workload.mtp_acceptance = 0.85;
    list = tensors(model());
    for (const Group& group : cluster.groups) {
      if (group.node.accelerator != nullptr && group.role != "support") pools.push_back(make_pool(cluster, group));
    }
  }

  const Architecture& model() const { return catalog().model(cluster.workload.model); }
  SearchResult run() const {
    return search({.architecture = model(), .tensors = list, .workload = cluster.workload, .engine = engine}, pools,
                  {});
  }
};

void search_of(benchmark::State& state, const char* path) {
  const Case c(path);
  SearchResult result;
  for (auto _ : state) result = c.run();
  state.counters["solutions"] = static_cast<double>(result.solutions.size());
  state.counters["evaluated"] = result.evaluated;
  state.counters["rejected"] = static_cast<double>(result.rejected.size());
  state.counters["peak_MB"] = peak_megabytes();
}
BENCHMARK_CAPTURE(search_of, r1_on_80_h100, "examples/r1-appliance-h100/cluster.yaml")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(search_of, r1_in_1000_homes, "examples/community-1000-homes/cluster.yaml")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(search_of, r1_on_128_a100, "examples/r1-a100-kunpeng/cluster.yaml")->Unit(benchmark::kMillisecond);

void read_catalogs(benchmark::State& state) {
  for (auto _ : state) load_all(Catalog("catalogs"));
  state.counters["peak_MB"] = peak_megabytes();
}
BENCHMARK(read_catalogs)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace fathom
