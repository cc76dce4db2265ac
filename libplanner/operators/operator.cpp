#include "operators/operator.h"

#include <algorithm>
#include <cmath>

namespace fathom {

std::string_view to_string(OperatorKind kind) {
  switch (kind) {
    case OperatorKind::kEmbed: return "embed";
    case OperatorKind::kNorm: return "norm";
    case OperatorKind::kLinear: return "linear";
    case OperatorKind::kGroupedLinear: return "grouped_linear";
    case OperatorKind::kRope: return "rope_kv_write";
    case OperatorKind::kAttention: return "attention";
    case OperatorKind::kMlaAttention: return "mla_attention";
    case OperatorKind::kIndexer: return "indexer";
    case OperatorKind::kActivation: return "activation";
    case OperatorKind::kRouter: return "router";
    case OperatorKind::kCombine: return "combine";
    case OperatorKind::kSample: return "sample";
    case OperatorKind::kAllReduce: return "all_reduce";
    case OperatorKind::kAllGather: return "all_gather";
    case OperatorKind::kAllToAll: return "all_to_all";
    case OperatorKind::kSendRecv: return "send_recv";
  }
  return "?";
}

bool is_collective(OperatorKind kind) {
  return kind == OperatorKind::kAllReduce || kind == OperatorKind::kAllGather || kind == OperatorKind::kAllToAll ||
         kind == OperatorKind::kSendRecv;
}

Flops flops(const Operator& op) {
  switch (op.kind) {
    case OperatorKind::kLinear:
    case OperatorKind::kGroupedLinear: return Flops(2 * op.tokens * op.weight_elements);
    // A router multiplies like a linear; its choice of experts is a few operations per expert, not counted.
    case OperatorKind::kRouter: return Flops(2 * op.tokens * op.weight_elements);
    case OperatorKind::kAttention:
    case OperatorKind::kMlaAttention: return Flops(op.pairs * op.heads * op.pair_flops);
    case OperatorKind::kIndexer: return Flops(2 * op.tokens * op.weight_elements + op.pairs * op.heads * op.pair_flops);
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
    case OperatorKind::kSendRecv: return Flops(0);
  }
  return Flops(0);
}

Bytes bytes_moved(const Operator& op) {
  if (is_collective(op.kind)) return Bytes(0);  // its traffic is wire_bytes
  const double activation = 2 * op.tokens * (op.width_in + op.width_out);  // bf16 in and out
  return op.weight_bytes + op.kv_bytes + Bytes(activation);
}

Bytes wire_bytes(const Operator& op) {
  const double n = op.ranks;
  switch (op.kind) {
    case OperatorKind::kAllReduce: return op.payload * (2 * (n - 1) / n);
    case OperatorKind::kAllGather: return op.payload * (n - 1);  // payload is one rank's share
    case OperatorKind::kAllToAll: return op.payload * ((n - 1) / n);
    case OperatorKind::kSendRecv: return op.payload;
    default: return Bytes(0);
  }
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

// Variance of the number of one token's experts that land on one of `ranks` equal parts.
double load_variance(const Moe& moe, int ranks) {
  const double k = moe.experts_per_token, all = moe.routed_experts, share = 1.0 / ranks;
  if (moe.groups <= 1 || moe.groups_kept >= moe.groups || ranks > moe.groups) {
    return k * share * (1 - share) * (all - k) / (all - 1);  // hypergeometric
  }
  // A rank holds g of the G groups, of which a token may use K: the number of usable groups here is hypergeometric, and
  // the token's experts spread over the usable ones.
  const double groups = moe.groups, kept = moe.groups_kept, here = groups / ranks;
  const double mean = kept * here / groups;
  const double variance = mean * (1 - here / groups) * (groups - kept) / (groups - 1);
  const double usable = all * kept / groups;
  const double within = k * (usable - k) / (usable - 1) * (mean / kept - (variance + mean * mean) / (kept * kept));
  return k * k / (kept * kept) * variance + within;
}

}  // namespace

double expert_imbalance(const Moe& moe, int ranks, double tokens) {
  if (ranks <= 1 || tokens <= 0) return 1;
  const double mean = tokens * moe.experts_per_token / ranks;
  // Loads of n ranks sum to a constant, so they are negatively correlated by 1/(n-1): the spread of the maximum widens.
  const double spread = std::sqrt(tokens * load_variance(moe, ranks) * ranks / (ranks - 1.0));
  const double busiest = std::min(mean + spread * expected_normal_max(ranks), tokens * moe.experts_per_token);
  return busiest / mean;
}

}  // namespace fathom
