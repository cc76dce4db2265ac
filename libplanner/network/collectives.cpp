#include "network/collectives.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom {

namespace {

// Start of a kernel and of one step inside a node. Fitted to nccl-tests of 8 KiB on 2, 4 and 8 H100 (6.8, 10.1, 16.4 us)
// and on 2 and 4 L40S (8.1, 13.0 us; ai-dynamo/aiconfigurator, nccl_perf @095f58a); NCCL's own constants (src/graph/tuning.cc)
// are 6.6 us and 0.6 us (NVLink) or 1.0 us (PCIe).
constexpr double kStart = 5.1e-6, kScaleUpHop = 0.8e-6, kHostHop = 1.2e-6;
constexpr double kExchangeStart = 8.4e-6;  // grouped sends and receives: NCCL's start of the Simple protocol

// Bytes under way that fill the pipe of one rank: many channels of large chunks on NVLink, few elsewhere. Fitted to
// nccl-tests of 64 KiB to 256 MiB (H100, A100: 24 all-reduces, 18 all-to-alls; L40S: 16) and to five all-reduces of two
// nodes with a NIC each (NVIDIA/nccl-tests issue 232).
constexpr double kScaleUpFill = 1e6, kHostFill = 6e3, kRdmaFill = 50e3;

// Peer-to-peer kernels on NVLink inside a CUDA graph: 2.7 us + 0.16 us per rank and 366 GB/s of reads on 4 H200 (one
// shot), 5 us (two shots, ring volume). Fitted to published SGLang and TensorRT-LLM tables, 2 KiB to 8 MiB within 12 %.
constexpr double kOneShotBase = 2.1e-6, kOneShotPerRank = 0.16e-6, kTwoShotBase = 4.4e-6, kTwoShotPerRank = 0.16e-6;

double hop(const Tier& tier) {
  switch (tier.kind) {
    case TierKind::kScaleUp:
      return kScaleUpHop;
    case TierKind::kHost:
      return kHostHop;
    case TierKind::kRdma:
    case TierKind::kTcp:
      return tier.step_latency.value;
  }
  return 0;
}

double fill(const Tier& tier) {
  switch (tier.kind) {
    case TierKind::kScaleUp:
      return kScaleUpFill;
    case TierKind::kHost:
      return kHostFill;
    case TierKind::kRdma:
      return kRdmaFill;
    case TierKind::kTcp:
      return 0;  // the kernel's buffers hide it behind step latencies of tens of microseconds
  }
  return 0;
}

// Cut in the best number of chunks, a message of V bytes costs (sqrt(V) + sqrt(fill))^2 / w; the constant part of it is in
// the latencies.
double streamed(double bytes, double fill_bytes, double bandwidth) {
  return (bytes + 2 * std::sqrt(fill_bytes * bytes)) / bandwidth;
}

int groups_of(const Span& s) { return s.per_inner > 0 ? (s.ranks + s.per_inner - 1) / s.per_inner : s.ranks; }

// The ranks of a node share its way out, so the outer bandwidth of Tier (per accelerator) counts for all of them at once.
double ring_bandwidth(const Span& s) {
  if (s.inner == s.outer) return s.inner_bandwidth.value;
  return std::min(s.inner_bandwidth.value, s.outer->bandwidth.value * s.per_inner);
}

bool joined_by_network(const Span& s) { return s.inner->kind == TierKind::kRdma || s.inner->kind == TierKind::kTcp; }

double ring_fill(const Span& s) {
  return s.inner == s.outer ? fill(*s.inner) : fill(*s.inner) + fill(*s.outer) * s.per_inner;
}

// `passes` times round the ring, each n - 1 steps of a share of the buffer.
double ring_time(const Span& s, double bytes, double passes) {
  const double n = s.ranks, steps = passes * (n - 1);
  const double outer_steps = s.inner == s.outer ? 0 : passes * (groups_of(s) - 1);
  const double latency = kStart + (steps - outer_steps) * hop(*s.inner) + outer_steps * hop(*s.outer);
  // The pipe is as deep as the steps are many; the fitted depth is that of an all-reduce, two passes.
  return latency + streamed(steps / n * bytes, ring_fill(s) * passes / 2, ring_bandwidth(s));
}

// A tree is a chain of the ranks inside a node and binary between nodes (ncclTopoTuneModel in NCCL's tuning.cc); each half of
// the buffer has a tree of its own, so that all ranks send alike. A tenth below the link: judgement.
double tree_time(const Span& s, double bytes) {
  const double n = s.ranks, k = groups_of(s);
  const double depth_inner = s.inner != s.outer ? n / k - 1 : joined_by_network(s) ? std::ceil(std::log2(n)) : n - 1;
  const double depth_outer = s.inner == s.outer ? 0 : std::ceil(std::log2(k));
  const double latency = kStart + 2 * (depth_inner * hop(*s.inner) + depth_outer * hop(*s.outer));
  return latency + streamed(2 * (n - 1) / n * bytes, ring_fill(s), 0.9 * ring_bandwidth(s));
}

// The switch adds the ranks' shares up and sends the sum to all (NVLS): each rank's link carries the buffer once.
double multicast_time(const Span& s, double bytes, double share) {
  const double n = s.ranks;
  // NCCL's constant for the start; the pipe fitted to 16 all-reduces of 1 MiB to 16 GiB on eight H200 and B200.
  constexpr double kMulticastStart = 25e-6, kMulticastFill = 1.5e6;
  return kMulticastStart + streamed(bytes, kMulticastFill, s.inner_bandwidth.value * share * (n - 1) / n);
}

double one_shot_all_reduce(const Span& s, double bytes) {
  const double n = s.ranks, bandwidth = s.inner_bandwidth.value;
  const double one = kOneShotBase + kOneShotPerRank * n + (n - 1) * bytes / bandwidth;
  const double two = kTwoShotBase + kTwoShotPerRank * n + 2 * (n - 1) / n * bytes / bandwidth;
  return std::min(one, two);
}

// DeepEP's README, H800 with 200 GB/s of NVLink and a 400 Gb/s NIC each: fitted to EP8, EP16 and EP64, six low-latency times
// and six rates, all within 5 %. A stream to one peer stops at 22 GB/s.
constexpr double kExpertStart = 35e-6, kExpertScaleUpShare = 0.78, kExpertRdmaShare = 0.92, kExpertPerPeer = 22e9;

}  // namespace

HierarchicalBounds hierarchical_all_reduce(Bytes payload, int nodes, int per_node, BytesPerSecond intra,
                                           BytesPerSecond inter) {
  const double g = per_node, k = nodes;
  return {.intra = payload * (2 * (g - 1) / g) / intra, .inter = payload / g * (2 * (k - 1) / k) / inter};
}

Seconds nccl_all_reduce_time(const Span& s, Bytes payload, const NcclChoice& choice) {
  if (s.ranks <= 1) return Seconds(0);
  double best = std::numeric_limits<double>::infinity();
  if (choice.ring) best = std::min(best, ring_time(s, payload.value, 2));
  if (choice.tree) best = std::min(best, tree_time(s, payload.value));
  const bool switched = s.inner == s.outer && s.inner->kind == TierKind::kScaleUp && !s.inner->mesh;
  if (choice.multicast > 0 && switched) best = std::min(best, multicast_time(s, payload.value, choice.multicast));
  return Seconds(best);
}

Seconds all_reduce_time(const Span& s, Bytes payload, AllReduceStyle style) {
  if (s.ranks <= 1) return Seconds(0);
  double best = nccl_all_reduce_time(s, payload, {}).value;
  const bool peers = s.outer->kind == TierKind::kScaleUp;
  if (style == AllReduceStyle::kOneShot && peers) best = std::min(best, one_shot_all_reduce(s, payload.value));
  if (s.inner != s.outer && s.per_inner > 1) {
    // Reduce-scatter inside, all-reduce of the slices across, all-gather inside: phases in turn, latencies of both.
    const HierarchicalBounds bounds =
        hierarchical_all_reduce(payload, groups_of(s), s.per_inner, s.inner_bandwidth, s.outer->bandwidth);
    const double latency = kStart + 2 * hop(*s.inner) + 2 * std::ceil(std::log2(groups_of(s))) * hop(*s.outer);
    best = std::min(best, latency + bounds.serialised().value);
  }
  return Seconds(best);
}

Seconds all_gather_time(const Span& s, Bytes payload) {
  if (s.ranks <= 1) return Seconds(0);
  return Seconds(ring_time(s, payload.value * s.ranks, 1));
}

Seconds all_to_all_time(const Span& s, Bytes payload) {
  if (s.ranks <= 1) return Seconds(0);
  const double n = s.ranks;
  const bool leaves = s.inner != s.outer;
  // One message to each peer, posted one after the other; what crosses the outer tier is the share of peers outside.
  const double inner_peers = leaves ? s.per_inner - 1.0 : n - 1, outer_peers = leaves ? n - s.per_inner : 0;
  double time = kExchangeStart + hop(*s.inner) + inner_peers * s.inner->message_cost.value;
  if (leaves) time += hop(*s.outer) + outer_peers * s.outer->message_cost.value;
  const double inner_time = streamed(inner_peers / n * payload.value, fill(*s.inner), s.inner_bandwidth.value);
  const double outer_time = streamed(outer_peers / n * payload.value, fill(*s.outer), s.outer->bandwidth.value);
  return Seconds(time + std::max(inner_time, leaves ? outer_time : 0));
}

Seconds forwarded_exchange_time(const Span& s, Bytes payload, Bytes crossing) {
  const double nodes = groups_of(s), outside = nodes - 1, n = s.per_inner;
  const double latency = 2 * kExchangeStart + hop(*s.inner) + hop(*s.outer) + (n - 1) * s.inner->message_cost.value +
                         outside * s.outer->message_cost.value;
  const double outer_time = streamed(outside / nodes * crossing.value, fill(*s.outer), s.outer->bandwidth.value);
  const double inner_time = streamed((n - 1) / n * payload.value, fill(*s.inner), s.inner_bandwidth.value);
  return Seconds(latency + std::max(inner_time, outer_time));  // chunks are passed on while others arrive
}

Seconds send_time(const Tier& tier, Bytes payload) {
  // A peer copy on the scale-up link starts in about 3 us from a graph; other tiers carry their own step latency.
  return tier.step_latency + payload / tier.bandwidth;
}

Seconds expert_exchange_time(const Span& s, Bytes payload) {
  if (s.ranks <= 1) return Seconds(0);
  const bool leaves = s.inner != s.outer;
  const double n = s.ranks, inside = (leaves ? s.per_inner : n) - 1, outside = leaves ? n - s.per_inner : 0;
  const double inner_time = inside / n * payload.value / (s.inner_bandwidth.value * kExpertScaleUpShare);
  const double outer_time = outside / n * payload.value / (s.outer->bandwidth.value * kExpertRdmaShare);
  return Seconds(kExpertStart + std::max(inner_time, outer_time));
}

BytesPerSecond expert_exchange_rate(const Span& s) {
  if (s.ranks <= 1 || s.inner == s.outer) return s.inner_bandwidth * kExpertScaleUpShare;
  const double nodes = groups_of(s);
  const double sent = std::min(s.outer->bandwidth.value * kExpertRdmaShare, kExpertPerPeer * (nodes - 1));
  return BytesPerSecond(sent * nodes / (nodes - 1));
}

}  // namespace fathom
