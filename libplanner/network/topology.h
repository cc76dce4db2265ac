// What joins the accelerators of a node group, from the inside out: scale-up link, host (PCIe), fabric.
#pragma once

#include <string>
#include <vector>

#include "bom/cluster.h"
#include "units/fact.h"
#include "units/quantity.h"

namespace fathom {

enum class TierKind {
  kScaleUp,  // NVLink, HCCS, MLU-Link, Infinity Fabric: peers read each other's memory
  kHost,     // PCIe through the host's root complex
  kRdma,     // InfiniBand, RoCE
  kTcp,      // Ethernet through the kernel
};
std::string to_string(TierKind kind);

struct Tier {
  TierKind kind = TierKind::kHost;
  std::string name;            // "NVLink 4", "PCIe 4 x16", "200 Gb/s InfiniBand"
  int domain = 1;              // accelerators that reach each other at this tier or an inner one
  BytesPerSecond bandwidth{};  // one accelerator, one direction, before the engine's wire share
  bool mesh = false;           // a pair of accelerators shares only one of the links
  Seconds step_latency{};      // one message between neighbours inside a collective
  Seconds message_cost{};      // sender's time for each further message that leaves at once
  Confidence confidence = Confidence::kAssumed;
};

// A node group as the search sees it.
struct Pool {
  const Group* group = nullptr;
  const Accelerator* accelerator = nullptr;
  int nodes = 0;                           // serving nodes, spares excluded
  int per_node = 0;                        // accelerators per node
  std::vector<Tier> tiers;                 // domains grow from front to back
  const Fabric* fabric = nullptr;          // what joins its nodes, and them to other groups; nullptr: nothing does
  Tier outside;                            // that fabric as a tier, for a group of one node too
  BytesPerSecond host_memory_bandwidth{};  // all sockets of a node; zero when unknown
  Bytes host_memory{};
  FlopsPerSecond host_compute{};   // bf16 or fp32 peak of all sockets; zero when unknown
  int failure_domain = 1;          // nodes that fail together
  std::vector<std::string> notes;  // what had to be assumed, for the report

  int devices() const { return nodes * per_node; }
};

// One direction of the slot that each card of a node has: of the data sheet, and what copies attain of it.
BytesPerSecond pcie_rate(const Node& node);
BytesPerSecond attained_pcie_rate(const Node& node);

// The group must have accelerators whose memory and bandwidth are known.
Pool make_pool(const Cluster& cluster, const Group& group);

// The same pool with every latency of its links times `factor`.
Pool with_latencies(Pool pool, double factor);

// How `ranks` ranks, `stride` devices apart, lie on the tiers of a pool.
struct Span {
  int ranks = 1;
  const Tier* inner = nullptr;       // tier that joins neighbours; nullptr for one rank
  const Tier* outer = nullptr;       // slowest tier that is crossed; equal to inner when one suffices
  int per_inner = 1;                 // ranks inside one inner domain
  BytesPerSecond inner_bandwidth{};  // of one rank towards the others in its inner domain
};
Span span(const Pool& pool, int ranks, int stride);

}  // namespace fathom
