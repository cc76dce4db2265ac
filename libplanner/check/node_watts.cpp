#include "check/node_watts.h"

#include "plan/host_device.h"
#include "power/from_cluster.h"

namespace fathom {

NodeParts bare_parts(const Node& stated, const Site& site, const Catalog& catalog, bool highest) {
  Node node = with_processor_once(stated);
  node.power = {};
  NodeParts parts = node_parts(node, site, catalog);
  if (!highest) return parts;
  if (node.accelerator != nullptr && node.accelerator->tdp)
    parts.accelerator = accelerator_power_model(node.accelerator->id, node.accelerator->tdp->high_or_value());
  if (node.cpu != nullptr && node.cpu->tdp) parts.cpu_tdp = node.cpu->tdp->high_or_value();
  return parts;
}

NodeRange node_range(const Node& node, const Site& site, const Catalog& catalog) {
  const NodeWatts usual = node_power(bare_parts(node, site, catalog, false), Activity{});
  const NodeWatts most = node_power(bare_parts(node, site, catalog, true), Activity{});
  return {.idle = usual.idle.likely,
          .idle_least = usual.idle.min,
          .peak_least = usual.peak.min,
          .peak_most = most.peak.max,
          .unknown = usual.unknown};
}

Verdict judge_watts(const NodeRange& range, bool peak, Watts stated) {
  constexpr double kLeastOfPeak = 0.85, kTooMuch = 1.4, kFarTooMuch = 2;
  if (stated < (peak ? range.peak_least * kLeastOfPeak : range.idle_least)) return Verdict::kContradicted;
  if (stated > range.peak_most * kFarTooMuch) return Verdict::kContradicted;
  return stated > range.peak_most * kTooMuch ? Verdict::kMisleading : Verdict::kHolds;
}

}  // namespace fathom
