// Links and what was measured on them, power while serving, failure rates, single constants.
#pragma once

#include "catalog/accelerator.h"

namespace fathom {

enum class LinkFamily { kInfiniband, kEthernet, kPcie, kNvlink };
constexpr std::array<std::string_view, 4> words(LinkFamily) { return {"infiniband", "ethernet", "pcie", "nvlink"}; }

// A generation of a link: "HDR is 4 lanes of 50 Gb/s".
struct LinkGeneration {
  std::string id;
  LinkFamily family = LinkFamily::kEthernet;
  std::string name;
  std::optional<int> generation;
  std::optional<PartStatus> status;
  std::optional<int> lanes;
  std::optional<Fact<BytesPerSecond>> lane_rate;
  Fact<BytesPerSecond> rate;                     // all lanes, one direction
  std::optional<Fact<BytesPerSecond>> measured;  // what copies reach
  Notes notes;
  SourceCodes source;
};
template <class Visit, Is<LinkGeneration> L>
void fields(Visit& visit, L& link) {
  visit("id", link.id);
  visit("family", link.family);
  visit("name", link.name);
  visit("generation", link.generation, between(1, 10));
  visit("status", link.status);
  visit("lanes", link.lanes, between(1, 64));
  visit("lane_rate", link.lane_rate, between(0.01_GBps, 1000_GBps));
  visit("rate", link.rate, between(0.1_GBps, 5000_GBps));
  visit("measured", link.measured, between(0.01_GBps, 5000_GBps));
  visit("notes", link.notes);
  visit("source", link.source);
}

// Bus bandwidth or time of a collective over message size, as nccl-tests define them.
struct CollectiveCurve {
  std::string id;
  std::string operation;                   // "all-reduce"
  std::optional<std::string> accelerator;  // catalog id; absent when the source does not name it
  int ranks = 0;
  int nodes = 1;
  std::optional<std::string> algorithm, network;
  std::optional<Fact<BytesPerSecond>> plateau;
  std::vector<Bytes> sizes;
  std::vector<BytesPerSecond> bus_bandwidth;
  std::vector<Seconds> times;
  Notes notes;
  Origin origin;
};
template <class Visit, Is<CollectiveCurve> C>
void fields(Visit& visit, C& curve) {
  visit("id", curve.id);
  visit("operation", curve.operation);
  visit("accelerator", curve.accelerator);
  visit("ranks", curve.ranks, between(2, 100'000));
  visit("nodes", curve.nodes, between(1, 100'000));
  visit("algorithm", curve.algorithm);
  visit("network", curve.network);
  visit("plateau", curve.plateau, between(0.1_GBps, 5000_GBps));
  visit("sizes", curve.sizes, between(1_B, 1024_GiB));
  visit("bus_bandwidth", curve.bus_bandwidth, between(0.0001_GBps, 5000_GBps));
  visit("times", curve.times, between(1e-7, 1000.0));
  visit("notes", curve.notes);
  visit.origin(curve.origin);
}
inline std::string contradiction(const CollectiveCurve& curve) {
  const std::size_t points = curve.sizes.size();
  if (!curve.bus_bandwidth.empty() && curve.bus_bandwidth.size() != points)
    return "sizes and bus_bandwidth have different lengths";
  if (!curve.times.empty() && curve.times.size() != points) return "sizes and times have different lengths";
  return points == 0 && !curve.plateau ? "a curve needs points or a plateau" : "";
}

// Lowest figures that a large operator accepts from a healthy node.
struct HealthThreshold {
  std::string id;
  std::optional<std::string> accelerator;
  std::optional<int> accelerators;
  std::optional<Fact<BytesPerSecond>> network, network_gpu_direct, all_reduce, all_reduce_network_loopback,
      host_to_device, peer_to_peer;
  SourceCodes source;
};
template <class Visit, Is<HealthThreshold> H>
void fields(Visit& visit, H& h) {
  const Range rate = between(0.1_GBps, 5000_GBps);
  visit("id", h.id);
  visit("accelerator", h.accelerator);
  visit("accelerators", h.accelerators, between(1, 1024));
  visit("network", h.network, rate);
  visit("network_gpu_direct", h.network_gpu_direct, rate);
  visit("all_reduce", h.all_reduce, rate);
  visit("all_reduce_network_loopback", h.all_reduce_network_loopback, rate);
  visit("host_to_device", h.host_to_device, rate);
  visit("peer_to_peer", h.peer_to_peer, rate);
  visit("source", h.source);
}

// What share of the physical limit a case of the probe reaches on devices that are well; `low` of the share is the least that is credible.
struct CaseShare {
  std::string id;
  std::string case_name;              // "gpu.memory.write"
  std::optional<std::string> dtype;   // of products
  std::optional<std::string> boards;  // a form factor's first letters, "SXM"; absent: any
  Fact<double> share;
  Notes notes;
  SourceCodes source;
};
template <class Visit, Is<CaseShare> S>
void fields(Visit& visit, S& s) {
  visit("id", s.id);
  visit("case", s.case_name);
  visit("dtype", s.dtype);
  visit("boards", s.boards);
  visit("share", s.share, between(0.01, 1.2));
  visit("notes", s.notes);
  visit("source", s.source);
}

// NCCL's own latency table: per protocol, for a start (`base`) or a step over one kind of link.
struct NcclLatency {
  std::string id;
  std::string scope;      // "base", "nvlink", "pcie", "network"
  std::string algorithm;  // "ring", "tree", "nvls", "nvls-tree"
  std::optional<Fact<Seconds>> ll, ll128;
  Fact<Seconds> simple;
  SourceCodes source;
};
template <class Visit, Is<NcclLatency> N>
void fields(Visit& visit, N& n) {
  const Range latency = between(0.1_us, 1000_us);
  visit("id", n.id);
  visit("scope", n.scope);
  visit("algorithm", n.algorithm);
  visit("ll", n.ll, latency);
  visit("ll128", n.ll128, latency);
  visit("simple", n.simple, latency);
  visit("source", n.source);
}

// One serving measurement: a list per quantity, one item per batch limit.
struct PowerMeasurement {
  std::string id;
  std::string model, accelerator;  // catalog ids
  int accelerators = 1;
  std::string weights, layout, task;
  std::vector<int> batch;
  std::vector<Watts> power_per_accelerator;
  std::vector<Hertz> tokens;  // output tokens per second, all accelerators
  std::vector<Joules> energy_per_token;
  std::vector<Seconds> inter_token_latency;  // median
  Notes notes;
  Origin origin;
};
template <class Visit, Is<PowerMeasurement> P>
void fields(Visit& visit, P& p) {
  visit("id", p.id);
  visit("model", p.model);
  visit("accelerator", p.accelerator);
  visit("accelerators", p.accelerators, between(1, 1024));
  visit("weights", p.weights);
  visit("layout", p.layout);
  visit("task", p.task);
  visit("batch", p.batch, between(1, 1'000'000));
  visit("power_per_accelerator", p.power_per_accelerator, between(1_W, 3000_W));
  visit("tokens", p.tokens, between(0.01, 1e8));
  visit("energy_per_token", p.energy_per_token, between(1e-4, 1e4));
  visit("inter_token_latency", p.inter_token_latency, between(1e-4, 100.0));
  visit("notes", p.notes);
  visit.origin(p.origin);
}
inline std::string contradiction(const PowerMeasurement& p) {
  const std::size_t points = p.batch.size();
  const bool equal = p.power_per_accelerator.size() == points && p.tokens.size() == points &&
                     p.energy_per_token.size() == points && p.inter_token_latency.size() == points;
  return equal ? "" : "the lists have different lengths";
}

struct Constant {
  std::string id;
  std::optional<std::string> topic;
  std::string what;
  Fact<AnyQuantity> value;
  std::optional<std::string> per;  // "GPU", "disk", "m"
  Notes notes;
};
// How often something fails, or how long a repair takes.
struct FailureRate : Constant {};

template <class Visit, Is<Constant> C>
void fields(Visit& visit, C& constant) {
  visit("id", constant.id);
  visit("topic", constant.topic);
  visit("what", constant.what);
  visit("value", constant.value);
  visit("per", constant.per);
  visit("notes", constant.notes);
}

}  // namespace fathom
