#include "search/candidate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "serving/offline.h"
#include "units/text.h"

namespace fathom {

namespace {

std::vector<int> divisors(int n) {
  std::vector<int> result;
  for (int i = 1; i <= n; ++i) {
    if (n % i == 0) result.push_back(i);
  }
  return result;
}

// How many stages of `width` ranks the pool can hold: ranks of a stage share a node, or fill whole nodes.
int stage_slots(const Pool& pool, int width) {
  if (width <= pool.per_node) return pool.nodes * (pool.per_node / width);
  return width % pool.per_node == 0 ? pool.nodes / (width / pool.per_node) : 0;
}

Bytes device_memory(const Accelerator& accelerator) {
  return accelerator.usable_memory ? accelerator.usable_memory->value : accelerator.memory.value;
}

// Longest prompt chunk of one step; a short prompt needs no more.
double chunk_tokens(const Problem& p) {
  return std::min(p.engine.chunk_tokens, std::max(1.0, p.workload.input_tokens.p99));
}

class Enumeration {
 public:
  Enumeration(const Problem& problem, const Pool& pool, PoolRole role, const PoolChoice* pinned)
      : p_(problem), pool_(pool), role_(role), pinned_(pinned) {}

  std::vector<Candidate> run(const std::vector<WeightScheme>& schemes) {
    Layout layout;
    for (const WeightScheme& scheme : schemes) {
      layout.weights = scheme;
      for (KvFormat kv : kv_formats()) {
        layout.kv = kv;
        for (bool offload : {false, true}) {
          if (offload && (!p_.architecture.moe || !p_.workload.offload_experts)) continue;
          layout.offload_experts = offload;
          degrees(layout);
        }
      }
    }
    return std::move(found_);
  }

 private:
  std::vector<KvFormat> kv_formats() const {
    std::vector<KvFormat> formats;
    for (const std::string& name : p_.workload.kv) formats.push_back(*parse_kv_format(name));
    if (formats.empty()) formats.push_back(KvFormat::kBf16);
    if (pinned_ && pinned_->kv) formats = {*parse_kv_format(*pinned_->kv)};
    return formats;
  }

  static bool allowed(const std::optional<int>& pin, int value) { return !pin || *pin == value; }

  void degrees(Layout layout) {
    const Architecture& a = p_.architecture;
    for (int tp : divisors(a.num_heads)) {
      if (tp > pool_.devices() || !allowed(pinned_ ? pinned_->tp : std::nullopt, tp)) continue;
      layout.tp = tp;
      const int most_groups = a.moe && !layout.offload_experts ? a.moe->routed_experts / tp : 1;
      for (int groups = 1; groups <= most_groups && tp * groups <= pool_.devices(); groups *= 2) {
        if (!allowed(pinned_ ? pinned_->attention_dp : std::nullopt, groups)) continue;
        layout.attention_dp = groups;
        for (int ep : expert_degrees(layout)) {
          if (!allowed(pinned_ ? pinned_->ep : std::nullopt, ep)) continue;
          layout.ep = ep;
          with_mtp(layout);
        }
      }
    }
  }

  std::vector<int> expert_degrees(const Layout& layout) const {
    if (!p_.architecture.moe || layout.offload_experts) return {1};
    if (layout.attention_dp > 1) return {layout.stage_width()};
    std::vector<int> result;
    for (int ep : divisors(layout.tp)) {
      if (p_.architecture.moe->routed_experts % ep == 0) result.push_back(ep);
    }
    return result;
  }

  void with_mtp(Layout layout) {
    layout.mtp = false;
    pipelines(layout);
    if (p_.workload.mtp_acceptance && p_.architecture.mtp_modules > 0) {
      layout.mtp = true;
      pipelines(layout);
    }
  }

  void reject(const Layout& layout, std::string reason, double shortfall = 0) {
    found_.push_back({.pool = &pool_,
                      .role = role_,
                      .layout = layout,
                      .memory = {},
                      .load = {},
                      .maximum = {},
                      .rejected = std::move(reason),
                      .shortfall_bytes = shortfall});
  }

  // Every pipeline depth that changes the number of replicas, from the shallowest that fits; deeper ones with the same
  // count only add hops.
  void pipelines(Layout layout) {
    layout.pp = 1;
    if (const std::string why = illegal(p_.architecture, p_.tensors, layout); !why.empty()) return reject(layout, why);
    const int slots = stage_slots(pool_, layout.stage_width());
    if (slots == 0) {
      return reject(
          layout, fmt::format("{} ranks of a stage would straddle nodes of {}", layout.stage_width(), pool_.per_node));
    }
    const int joined = pool_.tiers.empty() ? 1 : pool_.tiers.back().domain;  // devices that reach each other
    if (layout.stage_width() > joined) return reject(layout, "no link joins the ranks of a stage");
    int last_replicas = 0, kept = 0;
    const int deepest = std::min({slots, p_.architecture.num_layers, joined / layout.stage_width()});
    for (int pp = 1; pp <= deepest && kept < kMostDepths; ++pp) {
      if (!allowed(pinned_ ? pinned_->pp : std::nullopt, pp)) continue;
      layout.pp = pp;
      layout.replicas = slots / pp;
      if (pinned_ && pinned_->replicas) {
        if (*pinned_->replicas > layout.replicas) continue;
        layout.replicas = *pinned_->replicas;
      } else if (layout.replicas == last_replicas && kept > 0) {
        continue;
      }
      if (add(layout)) {
        last_replicas = layout.replicas;
        ++kept;
      }
    }
  }

  bool add(const Layout& layout) {
    Candidate c{.pool = &pool_,
                .role = role_,
                .layout = layout,
                .memory = memory_of(p_, pool_, layout),
                .load = {},
                .maximum = {},
                .rejected = {},
                .shortfall_bytes = 0};
    const double longest =
        p_.workload.max_context.value_or(p_.workload.input_tokens.p99 + p_.workload.output_tokens.p99);
    const int positions = p_.architecture.max_position;
    if (positions > 0 && longest > positions) {
      c.rejected = fmt::format("a request may reach {:.0f} tokens, the model has {} positions", longest, positions);
    } else if (!c.memory.fits()) {
      c.shortfall_bytes = -c.memory.worst().kv_room().value;
      c.rejected = "does not fit: weights and reserves exceed the device memory";
    } else if (c.memory.max_context < longest) {
      c.shortfall_bytes = (longest - c.memory.max_context) * c.memory.worst().kv_per_token.value;
      c.rejected = fmt::format("no room for one request of {:.0f} tokens", longest);
    } else if (layout.offload_experts) {
      c.rejected = offload_refused(c);
    }
    found_.push_back(std::move(c));
    return found_.back().feasible();
  }

  std::string offload_refused(const Candidate& c) const {
    if (!p_.engine.offloads_experts) return fmt::format("{} does not run experts from host memory", p_.engine.name);
    if (pool_.host_memory_bandwidth <= BytesPerSecond(0)) return "host memory bandwidth unknown";
    const int per_node = std::min(pool_.per_node, c.layout.devices_per_replica() * c.layout.replicas);
    if (c.memory.worst().host * per_node > pool_.host_memory * 0.9) {
      return fmt::format("experts need {} of host memory per node, {} there",
                         to_string(c.memory.worst().host * per_node), to_string(pool_.host_memory));
    }
    return {};
  }

  static constexpr int kMostDepths = 8;
  const Problem& p_;
  const Pool& pool_;
  const PoolRole role_;
  const PoolChoice* pinned_;
  std::vector<Candidate> found_;
};

}  // namespace

std::string engine_refused(const Accelerator& accelerator, const EngineProfile& engine) {
  if (engine.stacks.empty()) return {};
  for (const std::string& known : engine.stacks) {
    if (accelerator.stack.find(known) != std::string::npos) return {};
  }
  return fmt::format("{} does not run on {} ({})", engine.name, accelerator.name, accelerator.stack);
}

std::string format_refused(const Accelerator& accelerator, const WeightScheme& scheme) {
  for (Format f : {scheme.linears, scheme.experts}) {
    if ((f == Format::kFp8 || f == Format::kFp8Block128) && !accelerator.native.fp8 &&
        accelerator.stack.find("CUDA") != 0) {
      return fmt::format("{} has no fp8 arithmetic and no weight-only fp8 kernels", accelerator.name);
    }
  }
  return {};
}

std::vector<Candidate> enumerate(const Problem& problem, const Pool& pool, PoolRole role,
                                 const std::vector<WeightScheme>& schemes, const PoolChoice* pinned) {
  std::vector<WeightScheme> usable;
  std::vector<Candidate> refused;
  for (const WeightScheme& scheme : schemes) {
    std::string why = engine_refused(*pool.accelerator, problem.engine);
    if (why.empty()) why = format_refused(*pool.accelerator, scheme);
    if (why.empty()) {
      usable.push_back(scheme);
    } else {
      Candidate c;
      c.pool = &pool;
      c.role = role;
      c.layout.weights = scheme;
      c.rejected = why;
      refused.push_back(std::move(c));
    }
  }
  std::vector<Candidate> found = Enumeration(problem, pool, role, pinned).run(usable);
  found.insert(found.end(), refused.begin(), refused.end());
  return found;
}

ReplicaMemory memory_of(const Problem& p, const Pool& pool, const Layout& layout) {
  const MemoryInput input{.architecture = p.architecture,
                          .tensors = p.tensors,
                          .layout = layout,
                          .device_capacity = device_memory(*pool.accelerator),
                          .reserves = p.engine.reserves,
                          .chunk_tokens = chunk_tokens(p),
                          .sequences = 1};
  return replica_memory(input, stages(p.architecture, p.tensors, layout));
}

void evaluate(Candidate& c, const Problem& p, Corner corner, std::optional<double> concurrency,
              std::optional<Hertz> arrival_rate, Seconds transfer) {
  const std::vector<Stage> cut = stages(p.architecture, p.tensors, c.layout);
  const EngineProfile engine = at_corner(on_device(p.engine, *c.pool->accelerator), corner);
  const Pool pool = with_latencies(*c.pool, link_latency_factor(corner));
  const ReplicaTimer timer(p.architecture, p.tensors, c.layout, cut, device_rates(pool, engine), host_work(engine));
  const SteadyState steady(
      timer, p.workload, engine, c.layout, c.role,
      places(c.memory, engine, c.layout, p.workload.input_tokens.mean, p.workload.output_tokens.mean), transfer);
  c.load = steady.at_load(concurrency, arrival_rate);
  c.maximum = steady.maximum(p.workload.slo);
}

}  // namespace fathom
