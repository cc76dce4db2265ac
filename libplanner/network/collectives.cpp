#include "network/collectives.h"

#include <algorithm>
#include <cmath>

namespace fathom {

namespace {

// Latencies in microseconds, from NVIDIA/nccl src/graph/tuning.cc (2026-06): {LL, Simple}. LL moves flags with the data:
// quick to start, half the bandwidth.
struct Protocol {
  double tree_base, ring_base;
  double scale_up_tree, scale_up_ring;
  double host_tree, host_ring;
  double bandwidth_share;
};
constexpr Protocol kLl = {6.8, 6.6, 0.6, 0.6, 1.0, 1.0, 0.5};
constexpr Protocol kSimple = {8.4, 8.4, 4.0, 3.4, 4.0, 5.7, 1.0};

// Peer-to-peer kernels on NVLink inside a CUDA graph: 2.7 us + 0.16 us per rank and 366 GB/s of reads on 4 H200 (one
// shot), 5 us (two shots, ring volume). Fitted to published SGLang and TensorRT-LLM tables, 2 KiB to 8 MiB within 12 %.
constexpr double kOneShotBase = 2.1e-6, kOneShotPerRank = 0.16e-6, kTwoShotBase = 4.4e-6, kTwoShotPerRank = 0.16e-6;

double hop(const Tier& tier, const Protocol& p, bool tree) {
  switch (tier.kind) {
    case TierKind::kScaleUp:
      return 1e-6 * (tree ? p.scale_up_tree : p.scale_up_ring);
    case TierKind::kHost:
      return 1e-6 * (tree ? p.host_tree : p.host_ring);
    case TierKind::kRdma:
    case TierKind::kTcp:
      return tier.step_latency.value;
  }
  return 0;
}

int groups_of(const Span& s) { return s.per_inner > 0 ? (s.ranks + s.per_inner - 1) / s.per_inner : s.ranks; }

// The ranks of a node share its way out, so the outer bandwidth of Tier (per accelerator) counts for all of them at once.
double ring_bandwidth(const Span& s) {
  if (s.inner == s.outer) return s.inner_bandwidth.value;
  return std::min(s.inner_bandwidth.value, s.outer->bandwidth.value * s.per_inner);
}

double nccl_all_reduce(const Span& s, double bytes, const Protocol& p) {
  const double n = s.ranks, k = groups_of(s);
  const double bandwidth = ring_bandwidth(s) * p.bandwidth_share;
  const double outer_steps = s.inner == s.outer ? 0 : 2 * (k - 1);
  const double ring_latency = 1e-6 * p.ring_base + (2 * (n - 1) - outer_steps) * hop(*s.inner, p, false) +
                              outer_steps * hop(*s.outer, p, false);
  const double ring = ring_latency + 2 * (n - 1) / n * bytes / bandwidth;
  // A tree is a chain of the ranks inside a node and binary between nodes (ncclTopoTuneModel there).
  const bool one_per_node = s.inner == s.outer && (s.inner->kind == TierKind::kRdma || s.inner->kind == TierKind::kTcp);
  const double depth_inner = one_per_node ? std::ceil(std::log2(n)) : s.inner == s.outer ? n - 1 : n / k - 1;
  const double depth_outer = s.inner == s.outer ? 0 : std::ceil(std::log2(k));
  const double tree_latency =
      1e-6 * p.tree_base + 2 * (depth_inner * hop(*s.inner, p, true) + depth_outer * hop(*s.outer, p, true));
  const double tree = tree_latency + 2 * bytes / (bandwidth * 0.9);  // pipelined double tree, a little below the link
  return std::min(ring, tree);
}

double one_shot_all_reduce(const Span& s, double bytes) {
  const double n = s.ranks, bandwidth = s.inner_bandwidth.value;
  const double one = kOneShotBase + kOneShotPerRank * n + (n - 1) * bytes / bandwidth;
  const double two = kTwoShotBase + kTwoShotPerRank * n + 2 * (n - 1) / n * bytes / bandwidth;
  return std::min(one, two);
}

}  // namespace

HierarchicalBounds hierarchical_all_reduce(Bytes payload, int nodes, int per_node, BytesPerSecond intra,
                                           BytesPerSecond inter) {
  const double g = per_node, k = nodes;
  return {.intra = payload * (2 * (g - 1) / g) / intra, .inter = payload / g * (2 * (k - 1) / k) / inter};
}

Seconds all_reduce_time(const Span& s, Bytes payload, AllReduceStyle style) {
  if (s.ranks <= 1) return Seconds(0);
  double best = std::min(nccl_all_reduce(s, payload.value, kLl), nccl_all_reduce(s, payload.value, kSimple));
  const bool peers = s.outer->kind == TierKind::kScaleUp;
  if (style == AllReduceStyle::kOneShot && peers) best = std::min(best, one_shot_all_reduce(s, payload.value));
  if (s.inner != s.outer && s.per_inner > 1) {
    // Reduce-scatter inside, all-reduce of the slices across, all-gather inside: phases in turn, latencies of both.
    const HierarchicalBounds bounds =
        hierarchical_all_reduce(payload, groups_of(s), s.per_inner, s.inner_bandwidth, s.outer->bandwidth);
    const double latency = 1e-6 * kSimple.ring_base + 2 * hop(*s.inner, kSimple, false) +
                           2 * std::ceil(std::log2(groups_of(s))) * hop(*s.outer, kSimple, true);
    best = std::min(best, latency + bounds.serialised().value);
  }
  return Seconds(best);
}

Seconds all_gather_time(const Span& s, Bytes payload) {
  if (s.ranks <= 1) return Seconds(0);
  const double n = s.ranks, k = groups_of(s);
  const double volume = (n - 1) * payload.value / ring_bandwidth(s);
  const double outer_steps = s.inner == s.outer ? 0 : k - 1;
  const double latency = 1e-6 * kLl.ring_base + (n - 1 - outer_steps) * hop(*s.inner, kLl, false) +
                         outer_steps * hop(*s.outer, kLl, false);
  return Seconds(latency + volume);
}

Seconds all_to_all_time(const Span& s, Bytes payload) {
  if (s.ranks <= 1) return Seconds(0);
  const double n = s.ranks, k = groups_of(s);
  // One message to each peer, posted one after the other; what crosses the outer tier is the share of peers outside.
  const double inner_share = s.inner == s.outer ? (n - 1) / n : (s.per_inner - 1) / n;
  const double outer_share = s.inner == s.outer ? 0 : (n - s.per_inner) / n;
  double time = 1e-6 * kSimple.ring_base + hop(*s.inner, kSimple, false);
  const double inner_peers = s.inner == s.outer ? n - 1 : s.per_inner - 1.0;
  time += inner_peers * s.inner->message_cost.value;
  if (k > 1 && s.inner != s.outer)
    time += hop(*s.outer, kSimple, false) + (n - s.per_inner) * s.outer->message_cost.value;
  const double inner_time = inner_share * payload.value / s.inner_bandwidth.value;
  const double outer_time = outer_share * payload.value / s.outer->bandwidth.value;
  return Seconds(time + std::max(inner_time, outer_time));
}

Seconds send_time(const Tier& tier, Bytes payload) {
  // A peer copy on the scale-up link starts in about 3 us from a graph; other tiers carry their own step latency.
  return tier.step_latency + payload / tier.bandwidth;
}

}  // namespace fathom
