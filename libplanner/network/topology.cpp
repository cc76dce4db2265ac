#include "network/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "units/text.h"

namespace fathom {

std::string to_string(TierKind kind) {
  switch (kind) {
    case TierKind::kScaleUp:
      return "scale-up link";
    case TierKind::kHost:
      return "PCIe";
    case TierKind::kRdma:
      return "RDMA fabric";
    case TierKind::kTcp:
      return "Ethernet (TCP)";
  }
  return "?";
}

namespace {

// One direction of an x16 slot, GB/s (stas00/ml-engineering network tables; gen3 from 8 GT/s and 128b/130b).
double pcie_x16_gbps(int gen) {
  switch (gen) {
    case 3:
      return 15.75;
    case 4:
      return 31;
    case 5:
      return 63;
    case 6:
      return 121;
    default:
      return gen < 3 ? 7.9 : 121;
  }
}
constexpr double kPcieAttained = 0.88;  // 55.4 of 63 GB/s measured on gen5 (same tables)

// The width that each card gets when the sockets' lanes are shared by all cards of the node: 16, 8, 4 …
int lanes_per_card(const Node& node) {
  int cards = node.accelerators;
  constexpr BytesPerSecond kNeedsWideSlot(25e9 / 8);  // slower cards take x4 or sit on the board
  for (const Nic& nic : node.nics) cards += nic.fabric.empty() || nic.rate <= kNeedsWideSlot ? 0 : nic.count;
  if (node.cpu == nullptr || !node.cpu->pcie.lanes || node.accelerators >= 8)
    return 16;  // 8-card boards bring PCIe switches
  const int each = *node.cpu->pcie.lanes * node.cpus / std::max(1, cards);
  int lanes = 16;
  while (lanes > 1 && lanes > each) lanes /= 2;
  return lanes;
}

struct Slot {
  int gen, lanes;
  BytesPerSecond rate() const { return BytesPerSecond(pcie_x16_gbps(gen) * 1e9 * lanes / 16); }
};

Slot slot_of(const Node& node) {
  const PcieSlot card = node.accelerator->pcie.value_or(PcieSlot{.generation = 4, .lanes = 16});
  const int host = node.cpu != nullptr ? node.cpu->pcie.generation : card.generation;
  return {.gen = std::min(card.generation, host), .lanes = std::min(card.lanes.value_or(16), lanes_per_card(node))};
}

bool is_rdma(const std::string& kind) {
  return kind == "infiniband" || kind == "roce" || kind == "rdma" || kind == "hccs";
}

// Latency of one step of a collective between nodes: NCCL's network constants lie at 2.7 (LL) to 14 us (Simple).
// Over kernel TCP an all-reduce took 119 us on two and 200 us on four cloud machines at 20 Gb/s, two and four steps deep
// (distributed-llama, Llama-2-7B: 7.62 and 12.81 ms of transfer per token, 32 layers of two sums): 50 to 60 us each.
Seconds default_latency(bool rdma) { return rdma ? 6_us : 60_us; }

// A stated latency is mostly that of one verbs message; a collective's step has a kernel, a proxy and a flag on top, so the
// statement may raise the default for RDMA, never lower it.
Seconds step_latency(const Fabric& fabric, bool rdma, Pool& pool) {
  const Seconds usual = default_latency(rdma);
  if (!fabric.latency) return usual;
  if (!rdma || fabric.latency->value >= usual) return fabric.latency->value;
  pool.notes.push_back(
      fmt::format("fabric {} states {}: a figure of one message; a collective's step is reckoned with {}", fabric.id,
                  to_string(fabric.latency->value), to_string(usual)));
  return usual;
}

// What one more message costs its sender: posting to a NIC takes about a microsecond, a kernel socket call with its copies
// about fifteen; peers on a scale-up link are written by the same kernel.
Seconds message_cost(TierKind kind) {
  switch (kind) {
    case TierKind::kScaleUp:
      return 0.1_us;
    case TierKind::kHost:
      return 1_us;
    case TierKind::kRdma:
      return 1.5_us;
    case TierKind::kTcp:
      return 15_us;
  }
  return {};
}

// The largest machines of one operating system hold sixteen accelerators (HGX-2, eight dual boards).
constexpr int kMostInOneNode = 16;

void add_scale_up(Pool& pool, const Node& node) {
  const ScaleUp& link = node.accelerator->scale_up;
  const int joined = node.scale_up_domain.value_or(link.domain.value_or(1));
  // A domain that no chassis holds, or one that the file states so, goes over several nodes: 72 GPUs in trays of four.
  const bool over_nodes = node.scale_up_domain ? joined > pool.per_node : joined > kMostInOneNode;
  const int domain = std::min(joined, over_nodes ? pool.devices() : pool.per_node);
  if (!link.bandwidth_per_direction || domain < 2) return;
  // A bridge is bought apart: where the file does not mention it, there is none.
  const bool bridge = link.kind == ScaleUpKind::kBridge;
  if (!node.scale_up.value_or(!bridge)) {
    if (!node.scale_up) {
      pool.notes.push_back(fmt::format(
          "{} needs a bridge that the file does not list: cards are joined by PCIe (scale_up: true if it is there)",
          link.name));
    }
    return;
  }
  pool.tiers.push_back({.kind = TierKind::kScaleUp,
                        .name = link.name,
                        .domain = domain,
                        .bandwidth = link.bandwidth_per_direction->value,
                        .mesh = link.kind == ScaleUpKind::kMesh,
                        .step_latency = 3_us,
                        .confidence = link.bandwidth_per_direction->origin.confidence});
}

void add_host(Pool& pool, const Node& node) {
  if (pool.per_node < 2 || (!pool.tiers.empty() && pool.tiers.back().domain >= pool.per_node)) return;
  const Slot slot = slot_of(node);
  pool.tiers.push_back({.kind = TierKind::kHost,
                        .name = fmt::format("PCIe {} x{}", slot.gen, slot.lanes),
                        .domain = pool.per_node,
                        .bandwidth = attained_pcie_rate(node),
                        .step_latency = 8_us,
                        .confidence = Confidence::kDerived});
}

void add_fabric(Pool& pool, const Cluster& cluster, const Node& node) {
  const Fabric* fastest = nullptr;
  BytesPerSecond most{};
  for (const Fabric& fabric : cluster.fabrics) {
    BytesPerSecond sum{};
    for (const Nic& nic : node.nics) {
      if (nic.fabric == fabric.id) sum += std::min(nic.rate, attained_pcie_rate(node)) * nic.count;
    }
    if (sum > most) {
      most = sum;
      fastest = &fabric;
    }
  }
  if (fastest == nullptr) {
    if (pool.nodes < 2 || (!pool.tiers.empty() && pool.tiers.back().domain >= pool.devices())) return;
    pool.notes.push_back(
        fmt::format("no fabric joins the nodes of {}: every replica stays inside one node", pool.group->id));
    return;
  }
  if (fastest->switches.empty() && pool.nodes > 2) {
    pool.notes.push_back(fmt::format("fabric {} lists no switches: reckoned as if {} nodes met in one without blocking",
                                     fastest->id, pool.nodes));
  }
  const bool rdma = is_rdma(fastest->kind);
  pool.fabric = fastest;
  pool.outside = {.kind = rdma ? TierKind::kRdma : TierKind::kTcp,
                  .name = fmt::format("{} per node, {}", to_string(most), fastest->kind),
                  .domain = pool.devices(),
                  .bandwidth = most / (pool.per_node * std::max(1.0, fastest->oversubscription)),
                  .step_latency = step_latency(*fastest, rdma, pool),
                  .confidence = fastest->latency ? Confidence::kStated : Confidence::kDerived};
  if (pool.nodes > 1) pool.tiers.push_back(pool.outside);
}

void add_host_memory(Pool& pool, const Node& node) {
  pool.host_memory = node.memory;
  if (node.memory_bandwidth) {
    pool.host_memory_bandwidth = *node.memory_bandwidth;
  } else if (node.cpu != nullptr && node.cpu->memory_bandwidth) {
    pool.host_memory_bandwidth = node.cpu->memory_bandwidth->value * node.cpus;
  }
  if (node.cpu == nullptr) return;
  for (Dtype dtype : {Dtype::kBf16, Dtype::kFp32}) {
    if (const Fact<FlopsPerSecond>* rate = peak(node.cpu->peak, dtype)) {
      pool.host_compute = rate->value * node.cpus;
      return;
    }
  }
}

}  // namespace

BytesPerSecond pcie_rate(const Node& node) { return slot_of(node).rate(); }
BytesPerSecond attained_pcie_rate(const Node& node) { return pcie_rate(node) * kPcieAttained; }

Pool make_pool(const Cluster& cluster, const Group& group) {
  const Node& node = group.node;
  Pool pool;
  pool.group = &group;
  pool.accelerator = node.accelerator;
  pool.nodes = group.nodes - group.spares;
  pool.per_node = node.accelerators;
  pool.failure_domain = group.nodes_per_failure_domain.value_or(1);
  add_scale_up(pool, node);
  add_host(pool, node);
  add_fabric(pool, cluster, node);
  add_host_memory(pool, node);
  if (lanes_per_card(node) < 16) {
    pool.notes.push_back(fmt::format("the sockets' PCIe lanes are shared: x{} for each card", lanes_per_card(node)));
  }
  for (Tier& tier : pool.tiers) tier.message_cost = message_cost(tier.kind);
  pool.outside.message_cost = message_cost(pool.outside.kind);
  return pool;
}

Pool with_latencies(Pool pool, double factor) {
  const auto scale = [&](Tier& tier) {
    tier.step_latency *= factor;
    tier.message_cost *= factor;
  };
  for (Tier& tier : pool.tiers) scale(tier);
  scale(pool.outside);
  return pool;
}

Span span(const Pool& pool, int ranks, int stride) {
  Span result{.ranks = ranks};
  for (const Tier& tier : pool.tiers) {
    if (result.outer != nullptr) break;
    if (tier.domain >= ranks * stride) result.outer = &tier;
    // The innermost tier that neighbours share, or the widest one that the group outgrows.
    if (tier.domain >= 2 * stride && (result.inner == nullptr || result.outer == nullptr)) result.inner = &tier;
  }
  if (result.inner == nullptr || result.outer == nullptr) return {.ranks = 1};  // the enumeration refuses such layouts
  result.per_inner = std::clamp(result.inner->domain / stride, 1, ranks);
  result.inner_bandwidth = result.inner->bandwidth;
  // In a full mesh each pair has its own link: a group uses only those between its members.
  if (result.inner->mesh) result.inner_bandwidth *= (result.per_inner - 1.0) / (result.inner->domain - 1.0);
  return result;
}

}  // namespace fathom
