#include "check/claims_sizing.h"

#include <algorithm>
#include <cmath>

#include "model/tensors.h"
#include "network/collectives.h"
#include "network/topology.h"
#include "search/candidate.h"

namespace fathom::claims {

namespace {

constexpr double kMostSearched = 4096;  // devices; above, bytes are compared without a search

const Group* group_with(const Cluster& cluster, const Accelerator& accelerator) {
  for (const Group& group : cluster.groups) {
    if (group.node.accelerator == &accelerator && group.nodes > group.spares) return &group;
  }
  return nullptr;
}

// As many nodes of the design as hold `count` of them; of a device that the design does not have, one node with all.
Group group_of(const Cluster& cluster, const Accelerator& accelerator, int count) {
  Group group;
  if (const Group* own = group_with(cluster, accelerator)) {
    group = *own;
    const int each = group.node.accelerators;
    group.nodes = count < each ? 1 : (count + each - 1) / each;
    if (count < each) group.node.accelerators = count;
  } else {
    group.node.accelerator = &accelerator;
    group.node.accelerators = count;
    group.nodes = 1;
  }
  group.spares = 0;
  group.role = "serve";
  return group;
}

}  // namespace

Bytes device_memory(const Accelerator& accelerator) {
  return accelerator.usable_memory ? accelerator.usable_memory->value : accelerator.memory.value;
}

Bytes copy_bytes(const Architecture& architecture, const WeightScheme& scheme) {
  return checkpoint_bytes(architecture, scheme, /*with_mtp=*/false);
}

double devices_per_copy(const Architecture& architecture, const WeightScheme& scheme, Bytes usable_each) {
  return std::ceil(copy_bytes(architecture, scheme) / usable_each);
}

Bytes bytes_per_token(const Architecture& a, const WeightScheme& scheme) {
  Bytes total;
  for (const Tensor& t : tensors(a)) {
    const bool looked_up = t.role == Role::kEmbedding && !(t.op == "embed" && a.tied_embeddings);
    if (t.where == Where::kMtp || looked_up) continue;
    const int read = t.role == Role::kRoutedExpert ? a.moe->experts_per_token : t.experts;
    total += stored_bytes(t, scheme) * read * layers_with(a, t.where);
  }
  return total;
}

Fit fit(const Cluster& cluster, const EngineProfile& engine, const Architecture& architecture,
        const WeightScheme& scheme, const Accelerator& accelerator, double count) {
  const Bytes lacking = copy_bytes(architecture, scheme) / count - device_memory(accelerator);
  if (lacking > Bytes(0)) return {.fits = false, .short_of = lacking, .reason = {}};
  if (count > kMostSearched || !accelerator.memory_bandwidth) return {.fits = true, .short_of = {}, .reason = {}};

  const Group group = group_of(cluster, accelerator, static_cast<int>(count));
  const Pool pool = make_pool(cluster, group);
  Workload workload = cluster.workload;
  workload.concurrency = 1;
  workload.arrival_rate = std::nullopt;
  workload.offload_experts = false;
  workload.mtp_acceptance = std::nullopt;

  const std::vector<Tensor> weights = tensors(architecture);
  const Problem problem{.architecture = architecture, .tensors = weights, .workload = workload, .engine = engine};
  Fit result;
  for (const Candidate& c : enumerate(problem, pool, PoolRole::kServe, {scheme}, nullptr)) {
    if (c.feasible()) return {.fits = true, .short_of = {}, .reason = {}};
    if (c.shortfall_bytes > 0 && (result.short_of == Bytes(0) || Bytes(c.shortfall_bytes) < result.short_of))
      result.short_of = Bytes(c.shortfall_bytes);
    result.reason = c.rejected;
  }
  return result;
}

TokenFloor token_floor(const Cluster& cluster, const Architecture& architecture, const WeightScheme& scheme,
                       const Accelerator& accelerator, double count) {
  const Bytes read = bytes_per_token(architecture, scheme);
  const BytesPerSecond bandwidth = accelerator.memory_bandwidth->value;
  TokenFloor best{.time = read / bandwidth, .devices = 1, .one_device = read / bandwidth};
  const Group* own = group_with(cluster, accelerator);
  if (own == nullptr) {
    best.time = read / (bandwidth * count);
    best.devices = count;
    return best;
  }
  const Group group = group_of(cluster, accelerator, static_cast<int>(std::min(count, kMostSearched)));
  const Pool pool = with_latencies(make_pool(cluster, group), link_latency_factor(Corner::kFast));
  const Bytes token(architecture.hidden_size * 2.0);  // bf16
  for (int t = 2; t <= pool.devices(); t *= 2) {
    const Span shared = span(pool, t, 1);
    Seconds waits{};
    if (t > pool.per_node) {
      if (shared.ranks != t) break;  // nothing joins them
      waits = all_reduce_time(shared, token, AllReduceStyle::kOneShot) * (2.0 * architecture.num_layers);
    }
    const Seconds time = read / (bandwidth * t) + waits;
    if (time < best.time) best = {.time = time, .devices = static_cast<double>(t), .one_device = best.one_device};
  }
  return best;
}

}  // namespace fathom::claims
