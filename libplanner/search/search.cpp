#include "search/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace fathom {

namespace {

// Splitting a cluster into prefill and decode pools costs operations and flexibility; it must win by this much.
constexpr double kDisaggregationGain = 1.10;
// Collectives over kernel TCP: a token waits for the slowest of hundreds of messages in series, and the steady-state means
// used here know no tail. Such a layout must be this much better to be chosen (docs/decisions/0011-collectives-over-tcp.md).
constexpr double kTcpCollectiveGain = 2.0;
constexpr double kAsGood = 1.05;  // predictions are not good enough to tell layouts apart that lie closer
constexpr std::size_t kSolutionsKept = 12;

const PoolChoice* pin_of(const std::vector<PoolChoice>& pinned, const Pool& pool) {
  for (const PoolChoice& choice : pinned) {
    if (choice.group == pool.group->id) return &choice;
  }
  return nullptr;
}

bool quantises_experts_only(const WeightScheme& s) { return s.experts != s.linears; }

// Weight schemes in the order in which they are tried, each tier only when nothing of the one before fits: the published
// weights and bf16, then 8 bits, then 4 bits in the experts, then 4 bits everywhere. Named schemes are one tier.
std::vector<std::vector<WeightScheme>> scheme_tiers(const Problem& p) {
  std::vector<std::vector<WeightScheme>> tiers(4);
  if (!p.workload.weights.empty()) {
    for (const std::string& name : p.workload.weights) tiers[0].push_back(*find_weight_scheme(name));
    return tiers;
  }
  for (const WeightScheme& s : weight_schemes()) {
    if (s.name == p.architecture.native_weights || s.name == "bf16") {
      tiers[0].push_back(s);
    } else if (s.name == "fp8" || s.name == "int8") {
      tiers[1].push_back(s);
    } else if (quantises_experts_only(s)) {
      if (p.architecture.moe) tiers[2].push_back(s);
    } else if (s.name == "int4") {
      tiers[3].push_back(s);
    }
  }
  return tiers;
}

class Search {
 public:
  Search(const Problem& problem, const std::vector<Pool>& pools, const std::vector<PoolChoice>& pinned)
      : p_(problem), pools_(pools), pinned_(pinned) {
    objective_ = p_.workload.objective.value_or(Objective::kLatency);
  }

  SearchResult run() {
    const std::vector<std::vector<WeightScheme>> tiers = scheme_tiers(p_);
    for (std::size_t i = 0; i < tiers.size() && result_.solutions.empty(); ++i) {
      if (tiers[i].empty()) continue;
      try_schemes(tiers[i]);
      if (i > 0 && !result_.solutions.empty()) {
        result_.notes.push_back(
            fmt::format("no legal layout holds the published weights ({}) with their cache; the layouts below quantise "
                        "further, which costs accuracy",
                        p_.architecture.native_weights));
      }
    }
    rank();
    if (result_.solutions.empty()) find_nearest();
    return std::move(result_);
  }

 private:
  void try_schemes(const std::vector<WeightScheme>& schemes) {
    std::vector<std::vector<Candidate>> fitting;  // per pool
    for (const Pool& pool : pools_) {
      std::vector<Candidate> fits;
      const PoolChoice* pin = pin_of(pinned_, pool);
      const std::vector<WeightScheme> usable =
          pin && pin->weights ? std::vector{*find_weight_scheme(*pin->weights)} : schemes;
      for (Candidate& c : enumerate(p_, pool, PoolRole::kServe, usable, pin)) {
        (c.feasible() ? fits : result_.rejected).push_back(std::move(c));
      }
      fitting.push_back(std::move(fits));
    }
    for (std::size_t i = 0; i < pools_.size(); ++i) {
      for (Candidate& c : fitting[i]) {
        evaluate(c, p_, Corner::kLikely, p_.workload.concurrency, p_.workload.arrival_rate);
        ++result_.evaluated;
        if (may(pools_[i], "serve")) result_.solutions.push_back(alone(c));
      }
    }
    together(fitting);
    disaggregate(fitting);
  }

  // Best first; among those as good as the best within a few percent, the one with the other virtue, or else the
  // simplest. The layout with the most throughput stays in sight.
  void rank() {
    std::vector<Solution>& all = result_.solutions;
    if (all.empty()) return;
    std::stable_sort(all.begin(), all.end(), [&](const Solution& a, const Solution& b) { return better(a, b); });
    const auto as_good = [&](const Solution& s) {
      if (s.saturated != all.front().saturated || s.keeps_service_level != all.front().keeps_service_level)
        return false;
      if (handicap(s) != handicap(all.front())) return false;
      return objective_ == Objective::kLatency ? s.e2e <= all.front().e2e * kAsGood
                                               : s.max_output_tok_per_s * kAsGood >= all.front().max_output_tok_per_s;
    };
    const auto virtue = [&](const Solution& s) {  // the other one
      return objective_ == Objective::kLatency ? s.max_output_tok_per_s : 1 / s.e2e.value;
    };
    auto pick = all.begin();
    for (auto s = all.begin(); s != all.end(); ++s) {
      if (!as_good(*s)) continue;
      const bool more = virtue(*s) > kAsGood * virtue(*pick), no_less = kAsGood * virtue(*s) > virtue(*pick);
      if (more || (no_less && kinds_of_parallelism(*s) < kinds_of_parallelism(*pick))) pick = s;
    }
    std::rotate(all.begin(), pick, pick + 1);
    const auto most = std::max_element(all.begin(), all.end(), [](const Solution& a, const Solution& b) {
      return a.max_output_tok_per_s < b.max_output_tok_per_s;
    });
    if (most - all.begin() > 1) std::rotate(all.begin() + 1, most, most + 1);
    if (all.size() > kSolutionsKept) all.resize(kSolutionsKept);
  }

  // Each kind is one more thing to run and to go wrong.
  static int kinds_of_parallelism(const Solution& s) {
    int kinds = 0;
    for (const Candidate& c : s.pools) {
      const Layout& l = c.layout;
      kinds += (l.tp > 1) + (l.pp > 1) + (l.ep > 1) + (l.attention_dp > 1);
    }
    return kinds;
  }

  const std::string& role_of(const Pool& pool) const {
    const PoolChoice* pin = pin_of(pinned_, pool);
    return pin && pin->role ? *pin->role : pool.group->role;
  }

  Solution alone(const Candidate& c) const {
    Solution s;
    s.pools = {c};
    s.shares = {1};
    s.requests_per_s = c.load.requests_per_s;
    s.output_tok_per_s = c.load.output_tok_per_s;
    s.max_output_tok_per_s = c.maximum ? c.maximum->output_tok_per_s : 0;
    s.ttft = c.load.ttft;
    s.tpot = c.load.tpot;
    s.e2e = c.load.e2e;
    s.saturated = c.load.saturated;
    s.keeps_service_level = keeps(c.load, p_.workload.slo);
    return s;
  }

  bool better(const Solution& a, const Solution& b) const {
    if (a.saturated != b.saturated) return b.saturated;
    if (a.keeps_service_level != b.keeps_service_level) return a.keeps_service_level;
    const double handicap_a = handicap(a), handicap_b = handicap(b);
    if (a.saturated || (objective_ == Objective::kCapacity && a.keeps_service_level)) {
      const double x = (a.saturated ? a.output_tok_per_s : a.max_output_tok_per_s) / handicap_a;
      const double y = (b.saturated ? b.output_tok_per_s : b.max_output_tok_per_s) / handicap_b;
      if (x != y) return x > y;
    }
    return a.e2e * handicap_a < b.e2e * handicap_b;
  }

  static double handicap(const Solution& s) {
    const auto over_tcp = [](const Candidate& c) {
      const Span stage = span(*c.pool, c.layout.stage_width(), 1);
      return c.layout.stage_width() > 1 && stage.outer != nullptr && stage.outer->kind == TierKind::kTcp;
    };
    return (disaggregated(s) ? kDisaggregationGain : 1) *
           (std::any_of(s.pools.begin(), s.pools.end(), over_tcp) ? kTcpCollectiveGain : 1);
  }

  static bool disaggregated(const Solution& s) {
    return s.pools.size() > 1 && s.pools.front().role == PoolRole::kPrefill;
  }

  // All pools serve side by side; each gets the share of the load that its capacity is of the whole.
  void together(const std::vector<std::vector<Candidate>>& fitting) {
    std::vector<Candidate> chosen;
    double capacity = 0;
    for (std::size_t i = 0; i < fitting.size(); ++i) {
      if (!may(pools_[i], "serve")) continue;
      const std::vector<Candidate>& fits = fitting[i];
      const auto best = std::min_element(
          fits.begin(), fits.end(), [&](const Candidate& a, const Candidate& b) { return better(alone(a), alone(b)); });
      if (best == fits.end() || !best->maximum) continue;
      chosen.push_back(*best);
      capacity += best->maximum->output_tok_per_s;
    }
    if (chosen.size() < 2 || capacity <= 0) return;
    Solution sum;
    double weight = 0;
    for (Candidate& c : chosen) {
      const double share = c.maximum->output_tok_per_s / capacity;
      const std::optional<double> users =
          p_.workload.concurrency ? std::optional(*p_.workload.concurrency * share) : std::nullopt;
      const std::optional<Hertz> rate =
          p_.workload.arrival_rate ? std::optional(*p_.workload.arrival_rate * share) : std::nullopt;
      evaluate(c, p_, Corner::kLikely, users, rate);
      add_load(sum, c, weight);
      sum.shares.push_back(share);
    }
    sum.pools = std::move(chosen);
    result_.solutions.push_back(std::move(sum));
  }

  void add_load(Solution& sum, const Candidate& c, double& weight) const {
    const double now = c.load.requests_per_s;
    const double before = weight / (weight + now), after = now / (weight + now);  // means weighted by requests
    sum.ttft = sum.ttft * before + c.load.ttft * after;
    sum.tpot = sum.tpot * before + c.load.tpot * after;
    sum.e2e = sum.e2e * before + c.load.e2e * after;
    weight += now;
    sum.requests_per_s += now;
    sum.output_tok_per_s += c.load.output_tok_per_s;
    sum.max_output_tok_per_s += c.maximum ? c.maximum->output_tok_per_s : 0;
    sum.saturated = sum.saturated || c.load.saturated;
    sum.keeps_service_level = sum.keeps_service_level && keeps(c.load, p_.workload.slo);
  }

  // A prefill pool feeds a decode pool: two groups, or one group cut in two.
  void disaggregate(const std::vector<std::vector<Candidate>>& fitting) {
    for (std::size_t i : ablest(fitting, "prefill")) {
      for (std::size_t j : ablest(fitting, "decode")) {
        if (i == j && pools_[i].nodes < 2) continue;
        if (joined(pools_[i], pools_[j])) {
          for (const Candidate* prefill : apt(fitting[i], PoolRole::kPrefill)) {
            for (const Candidate* decode : apt(fitting[j], PoolRole::kDecode)) pair(*prefill, *decode, i == j);
          }
        } else if (!may(pools_[i], "serve") && !may(pools_[j], "serve")) {
          result_.notes.push_back(fmt::format("{} cannot pass its cache to {}: no fabric joins them",
                                              pools_[i].group->id, pools_[j].group->id));
        }
      }
    }
  }

  // The pools that may take this role, those with most throughput first; pairs of a few are worth the time.
  std::vector<std::size_t> ablest(const std::vector<std::vector<Candidate>>& fitting, const std::string& role) const {
    constexpr std::size_t kMost = 4;
    std::vector<std::pair<double, std::size_t>> able;
    for (std::size_t i = 0; i < pools_.size(); ++i) {
      if (!may(pools_[i], role)) continue;
      double most = 0;
      for (const Candidate& c : fitting[i]) most = std::max(most, c.maximum ? c.maximum->output_tok_per_s : 0);
      able.emplace_back(-most, i);
    }
    std::sort(able.begin(), able.end());
    std::vector<std::size_t> result;
    for (const auto& [most, i] : able) {
      if (result.size() < kMost) result.push_back(i);
    }
    return result;
  }

  bool may(const Pool& pool, const std::string& role) const { return role_of(pool) == role || role_of(pool) == "auto"; }

  // The cache has to travel: over one fabric that both groups plug into.
  static bool joined(const Pool& a, const Pool& b) { return a.fabric != nullptr && a.fabric == b.fabric; }

  // The layout that does most work per device in this role, and the one that is quickest at the load, if it is another.
  static std::vector<const Candidate*> apt(const std::vector<Candidate>& fits, PoolRole role) {
    const bool prefill = role == PoolRole::kPrefill;
    const auto work = [&](const Candidate& c) {
      const double rate = prefill ? c.maximum->prefill_tok_per_s
                                  : c.maximum->sequences / c.maximum->step_time.value * c.layout.replicas;
      return rate / (c.layout.devices_per_replica() * c.layout.replicas);
    };
    const auto wait = [&](const Candidate& c) { return prefill ? c.load.ttft : c.load.tpot; };
    const Candidate *most = nullptr, *quickest = nullptr;
    for (const Candidate& c : fits) {
      if (!c.maximum) continue;
      if (!most || work(c) > work(*most)) most = &c;
      if (!quickest || wait(c) < wait(*quickest)) quickest = &c;
    }
    if (!most) return {};
    return most == quickest ? std::vector{most} : std::vector{most, quickest};
  }

  Seconds transfer_time(const Candidate& prefill, const Candidate& decode) const {
    const Tier &out = prefill.pool->outside, &in = decode.pool->outside;
    // Every device of the decode replica receives what it will hold, copies of a replicated latent included.
    Bytes cache{};
    for (const Ledger& stage : decode.memory.stages) cache += stage.kv_per_token * (decode.layout.tp * stage.alike);
    const BytesPerSecond link = std::min(out.bandwidth * prefill.layout.devices_per_replica(),
                                         in.bandwidth * decode.layout.devices_per_replica());
    return std::max(out.step_latency, in.step_latency) +
           cache * p_.workload.input_tokens.mean /
               (link * on_device(p_.engine, *prefill.pool->accelerator).wire_share.value);
  }

  static int replicas_on(const Candidate& c, int nodes) {
    const int width = c.layout.stage_width(), per_node = c.pool->per_node;
    const int slots = width <= per_node ? nodes * (per_node / width) : nodes / std::max(1, width / per_node);
    return slots / c.layout.pp;
  }

  void pair(Candidate prefill, Candidate decode, bool one_group) {
    prefill.role = PoolRole::kPrefill;
    decode.role = PoolRole::kDecode;
    const Seconds transfer = transfer_time(prefill, decode);
    if (one_group && !share_nodes(prefill, decode, transfer)) return;
    const auto at = [&](double rate) {
      evaluate(prefill, p_, Corner::kLikely, std::nullopt, Hertz(rate));
      evaluate(decode, p_, Corner::kLikely, std::nullopt, Hertz(rate), transfer);
    };
    at(1e-6);
    if (!prefill.maximum || !decode.maximum) return;
    const double most = std::min(prefill.maximum->requests_per_s, decode.maximum->requests_per_s);
    double rate = p_.workload.arrival_rate ? std::min(p_.workload.arrival_rate->value, most) : most;
    if (p_.workload.concurrency) {
      double low = 0, high = most;
      for (int i = 0; i < 12; ++i) {
        rate = 0.5 * (low + high);
        at(rate);
        const double flying = rate * (prefill.load.ttft + decode.load.e2e).value;
        (flying < *p_.workload.concurrency ? low : high) = rate;
      }
    }
    at(rate);
    Solution s;
    s.requests_per_s = rate;
    s.output_tok_per_s = rate * p_.workload.output_tokens.mean;
    s.max_output_tok_per_s = most * p_.workload.output_tokens.mean;
    s.tpot = decode.load.tpot;
    s.ttft = prefill.load.ttft + decode.load.ttft;
    s.e2e = s.ttft + decode.load.tpot * (p_.workload.output_tokens.mean - 1);
    if (p_.workload.concurrency) {  // what the two pools cannot hold waits in front of them
      const Seconds wait(std::max(0.0, *p_.workload.concurrency / rate - s.e2e.value));
      s.ttft += wait;
      s.e2e += wait;
    }
    s.saturated = p_.workload.arrival_rate && p_.workload.arrival_rate->value > most;
    s.keeps_service_level = keeps({.ttft = s.ttft, .tpot = s.tpot, .e2e = s.e2e}, p_.workload.slo);
    s.pools = {prefill, decode};
    s.shares = {1, 1};
    s.transfer = transfer;
    result_.solutions.push_back(std::move(s));
  }

  // Gives each role the number of nodes that lets both answer the same rate.
  bool share_nodes(Candidate& prefill, Candidate& decode, Seconds transfer) const {
    evaluate(prefill, p_, Corner::kLikely, std::nullopt, Hertz(1e-6));
    evaluate(decode, p_, Corner::kLikely, std::nullopt, Hertz(1e-6), transfer);
    if (!prefill.maximum || !decode.maximum) return false;
    const double prefill_each = prefill.maximum->requests_per_s / prefill.layout.replicas;
    const double decode_each = decode.maximum->requests_per_s / decode.layout.replicas;
    double most = 0;
    int split = 0;
    for (int nodes = 1; nodes < prefill.pool->nodes; ++nodes) {
      const double rate = std::min(prefill_each * replicas_on(prefill, nodes),
                                   decode_each * replicas_on(decode, prefill.pool->nodes - nodes));
      if (rate > most) {
        most = rate;
        split = nodes;
      }
    }
    if (split == 0) return false;
    prefill.layout.replicas = replicas_on(prefill, split);
    decode.layout.replicas = replicas_on(decode, prefill.pool->nodes - split);
    return true;
  }

  void find_nearest() {
    for (const Candidate& c : result_.rejected) {
      if (c.shortfall_bytes > 0) result_.nearest.push_back(c);
    }
    std::stable_sort(result_.nearest.begin(), result_.nearest.end(),
                     [](const Candidate& a, const Candidate& b) { return a.shortfall_bytes < b.shortfall_bytes; });
    if (result_.nearest.size() > 3) result_.nearest.resize(3);
  }

  const Problem& p_;
  const std::vector<Pool>& pools_;
  const std::vector<PoolChoice>& pinned_;
  Objective objective_;
  SearchResult result_;
};

}  // namespace

SearchResult search(const Problem& problem, const std::vector<Pool>& pools, const std::vector<PoolChoice>& pinned) {
  return Search(problem, pools, pinned).run();
}

std::vector<RejectionSummary> summarise(const std::vector<Candidate>& rejected) {
  std::map<std::string, RejectionSummary> by_reason;
  for (const Candidate& c : rejected) {
    RejectionSummary& row = by_reason[c.rejected];
    row.reason = c.rejected;
    if (row.count++ == 0) row.example = short_name(c.layout);
  }
  std::vector<RejectionSummary> rows;
  for (auto& [reason, row] : by_reason) rows.push_back(std::move(row));
  std::stable_sort(rows.begin(), rows.end(),
                   [](const RejectionSummary& a, const RejectionSummary& b) { return a.count > b.count; });
  return rows;
}

}  // namespace fathom
