#include "operators/operator.h"

#include <algorithm>
#include <cmath>

namespace fathom {

std::string_view to_string(OperatorKind kind) {
  switch (kind) {
    case OperatorKind::kEmbed:
      return "embed";
    case OperatorKind::kNorm:
      return "norm";
    case OperatorKind::kLinear:
      return "linear";
    case OperatorKind::kGroupedLinear:
      return "grouped_linear";
    case OperatorKind::kRope:
      return "rope_kv_write";
    case OperatorKind::kAttention:
      return "attention";
    case OperatorKind::kMlaAttention:
      return "mla_attention";
    case OperatorKind::kIndexer:
      return "indexer";
    case OperatorKind::kActivation:
      return "activation";
    case OperatorKind::kRouter:
      return "router";
    case OperatorKind::kCombine:
      return "combine";
    case OperatorKind::kSample:
      return "sample";
    case OperatorKind::kAllReduce:
      return "all_reduce";
    case OperatorKind::kAllGather:
      return "all_gather";
    case OperatorKind::kAllToAll:
      return "all_to_all";
    case OperatorKind::kSendRecv:
      return "send_recv";
  }
  return "?";
}

bool is_collective(OperatorKind kind) {
  return kind == OperatorKind::kAllReduce || kind == OperatorKind::kAllGather || kind == OperatorKind::kAllToAll ||
         kind == OperatorKind::kSendRecv;
}

std::string plan_name(const Operator& op) {
  const bool marked = op.name.substr(0, 4) == "mtp.";
  return (op.draft && !marked ? "mtp." : "") + std::string(op.name);
}

Flops flops(const Operator& op) {
  switch (op.kind) {
    case OperatorKind::kLinear:
    case OperatorKind::kGroupedLinear:
      return Flops(2 * op.tokens * op.weight_elements);
    // A router multiplies like a linear; its choice of experts is a few operations per expert, not counted.
    case OperatorKind::kRouter:
      return Flops(2 * op.tokens * op.weight_elements);
    case OperatorKind::kAttention:
    case OperatorKind::kMlaAttention:
      return Flops(op.pairs * op.heads * op.pair_flops);
    case OperatorKind::kIndexer:
      return Flops(2 * op.tokens * op.weight_elements + op.pairs * op.heads * op.pair_flops);
    // Element-wise work is bound by memory on every device of the catalog; its arithmetic is not counted.
    case OperatorKind::kEmbed:
    case OperatorKind::kNorm:
    case OperatorKind::kRope:
    case OperatorKind::kActivation:
    case OperatorKind::kCombine:
    case OperatorKind::kSample:
    case OperatorKind::kAllReduce:
    case OperatorKind::kAllGather:
    case OperatorKind::kAllToAll:
    case OperatorKind::kSendRecv:
      return Flops(0);
  }
  return Flops(0);
}

Bytes bytes_moved(const Operator& op) {
  if (is_collective(op.kind)) return Bytes(0);                             // its traffic is wire_bytes
  const double activation = 2 * op.tokens * (op.width_in + op.width_out);  // bf16 in and out
  return op.weight_bytes + op.kv_bytes + Bytes(activation);
}

double ring_share(std::string_view name, double ranks) {
  if (name == "all_reduce") return 2 * (ranks - 1) / ranks;
  const bool is_dealt_out = name == "all_gather" || name == "reduce_scatter" || name == "all_to_all";
  return is_dealt_out ? (ranks - 1) / ranks : 1;
}

Bytes wire_bytes(const Operator& op) {
  const double n = op.ranks;
  switch (op.kind) {
    case OperatorKind::kAllReduce:
      return op.payload * ring_share("all_reduce", n);
    case OperatorKind::kAllGather:
      return op.payload * (n - 1);  // payload is one rank's share
    case OperatorKind::kAllToAll:
      return op.payload * ring_share("all_to_all", n);
    case OperatorKind::kSendRecv:
      return op.payload;
    default:
      return Bytes(0);
  }
}

Work busiest_work(const Operator& op) {
  const Bytes others = bytes_moved(op) - op.weight_bytes;
  if (op.kind != OperatorKind::kGroupedLinear) return {op.weight_bytes, others, flops(op)};
  return {.weights = std::min(op.weight_bytes * op.imbalance, std::max(op.held_bytes, op.weight_bytes)),
          .others = others * op.imbalance,
          .flops_done = flops(op) * op.imbalance};
}

double places_reached(const Moe& moe, double places) {
  // A group spans several places, or a place holds several groups and is out of reach only when none of them is kept.
  const double kept = static_cast<double>(moe.groups_kept) / moe.groups, groups_here = moe.groups / places;
  const double usable = std::max(1.0, places * (groups_here > 1 ? 1 - std::pow(1 - kept, groups_here) : kept));
  return usable * (1 - std::pow(1 - 1 / usable, moe.experts_per_token));
}

double distinct_experts(const Moe& moe, double held, double tokens) {
  const double miss = 1.0 - static_cast<double>(moe.experts_per_token) / moe.routed_experts;
  return held * (1 - std::pow(miss, tokens));
}

namespace {

// Expected maximum of n independent standard normals (Blom's approximation of the largest order statistic through the
// inverse error function is within 1 % for n <= 1000; this rational form of it avoids the inverse).
double expected_normal_max(int n) {
  if (n <= 1) return 0;
  const double p = (n - 0.375) / (n + 0.25);
  const double t = std::sqrt(-2 * std::log(1 - p));  // Abramowitz & Stegun 26.2.23
  return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

// Variance of the number of one token's experts that land on one of `ranks` equal parts: the pairs of experts there, each
// pair chosen together with a probability that depends on whether it shares a group.
double load_variance(const Moe& moe, int ranks) {
  const double k = moe.experts_per_token, all = moe.routed_experts, held = all / ranks, mean = k / ranks;
  const double groups = moe.groups, kept = moe.groups_kept, group_size = all / groups, usable = group_size * kept;
  if (usable <= 1) return mean * (1 - mean);
  const double both = k * (k - 1) / (usable * (usable - 1));  // of two experts in usable groups
  const double same_group = kept / groups * both;
  const double two_groups = groups > 1 ? kept * (kept - 1) / (groups * (groups - 1)) * both : 0;
  const double same_pairs = held * (std::min(held, group_size) - 1), other_pairs = held * (held - 1) - same_pairs;
  return std::max(0.0, mean + same_pairs * same_group + std::max(0.0, other_pairs) * two_groups - mean * mean);
}

// Expected maximum of n independent counts of this mean and variance: sum over x of 1 - P(count <= x)^n, the counts being
// binomial when narrower than Poisson and negative binomial when wider, both continued to any real size.
double expected_count_max(double mean, double variance, int n) {
  const double ratio = variance / mean;
  const bool poisson = std::abs(ratio - 1) < 1e-3;
  const double size = poisson ? 0 : mean / (1 - ratio);  // negative: negative binomial
  double p = poisson ? std::exp(-mean) : std::pow(ratio, size), below = 0, sum = 0;
  for (int x = 0; x < 1000; ++x) {
    below += p;
    const double tail = n * (1 - below);
    const double above = tail > 30 ? 1 : tail <= 0 ? 0 : 1 - std::exp(n * std::log(below));
    sum += above;
    if (above < 1e-4) break;
    p *= poisson ? mean / (x + 1) : std::max(0.0, (size - x) * (1 - ratio)) / ((x + 1) * ratio);
  }
  return sum;
}

// The same from the normal distribution with the skewness of those counts (Cornish-Fisher), for large means.
double expected_normal_count_max(double mean, double variance, int n) {
  const double z = expected_normal_max(n);
  return mean + std::sqrt(variance) * z + (2 * variance / mean - 1) / 6 * (z * z - 1);
}

}  // namespace

double expert_imbalance(const Moe& moe, int ranks, double tokens) {
  if (ranks <= 1 || tokens <= 0) return 1;
  const double n = ranks, mean = tokens * moe.experts_per_token / n, variance = tokens * load_variance(moe, ranks);
  if (variance <= 0) return 1;
  constexpr double kCounted = 8, kNormal = 16;  // between these means the two blend, so that the result is continuous
  double independent = 0;
  const double normal = std::clamp((mean - kCounted) / (kNormal - kCounted), 0.0, 1.0);
  if (normal < 1) independent += (1 - normal) * expected_count_max(mean, variance, ranks);
  if (normal > 0) independent += normal * expected_normal_count_max(mean, variance, ranks);
  // Loads sum to a constant, so they are negatively correlated by 1/(n-1): the maximum lies further out.
  const double busiest = mean + std::sqrt(n / (n - 1)) * (independent - mean);
  const double most = tokens * std::min<double>(moe.experts_per_token, moe.routed_experts / n);
  return std::clamp(busiest, std::max(mean, std::min(1.0, tokens)), most) / mean;
}

}  // namespace fathom
