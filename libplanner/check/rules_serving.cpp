// What no layout can change: memory that is not there, tokens faster than memory is read, more load than is computed.
#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "check/claims_sizing.h"
#include "check/design_lookup.h"
#include "check/design_rules.h"
#include "model/tensors.h"
#include "plan/host_device.h"
#include "search/candidate.h"
#include "units/text.h"

namespace fathom {

namespace {

using claims::bytes_per_token;
using claims::copy_bytes;
using claims::device_memory;
using claims::devices_per_copy;
using claims::token_floor;

struct Serving {
  const Design& design;
  Architecture model;
  std::vector<Tensor> weights;
  EngineProfile engine;

  const Workload& load() const { return design.cluster.workload; }
};

double devices_of(const Group& g) { return static_cast<double>(g.nodes - g.spares) * g.node.accelerators; }

WeightScheme smallest(const Serving& s, const Group& g) {
  const std::vector<WeightScheme> schemes = allowed_schemes(s.design.cluster, g, s.model);
  return *std::min_element(schemes.begin(), schemes.end(), [&](const WeightScheme& a, const WeightScheme& b) {
    return copy_bytes(s.model, a) < copy_bytes(s.model, b);
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Memory

struct Shortage {
  bool fits = false;
  Bytes each{};        // per device, of the layout that lacks least; zero when memory is not the reason
  std::string reason;  // of the last layout
};

Shortage shortage(const Serving& s, const Group& g, const WeightScheme& scheme) {
  Shortage out;
  Pool pool = make_pool(s.design.cluster, g);
  std::deque<Accelerator> host;
  if (runs_on_host(g.node)) pool.accelerator = &host.emplace_back(host_device(pool));
  const Problem problem{.architecture = s.model,
                        .tensors = s.weights,
                        .workload = s.load(),
                        .engine = on_device(s.engine, *pool.accelerator)};
  for (const Candidate& c : enumerate(problem, pool, PoolRole::kServe, {scheme}, pin_of(s.design.cluster, g))) {
    if (c.feasible()) return {.fits = true, .each = {}, .reason = {}};
    if (c.shortfall_bytes > 0 && (out.each == Bytes(0) || Bytes(c.shortfall_bytes) < out.each))
      out.each = Bytes(c.shortfall_bytes);
    out.reason = c.rejected;
  }
  return out;
}

// What fits on a few nodes fits on all of them, and the fewer are looked at faster.
bool fits_on_few(const Serving& s, const Group& g, const WeightScheme& scheme) {
  const int per_node = g.node.accelerators;
  const double devices = 2 * devices_per_copy(s.model, scheme, device_memory(*g.node.accelerator)) + 2;
  Group few = g;
  few.spares = 0;
  few.nodes = static_cast<int>(std::min<double>(g.nodes - g.spares, (devices + per_node - 1) / per_node));
  return pin_of(s.design.cluster, g) == nullptr && few.nodes < g.nodes && shortage(s, few, scheme).fits;
}

constexpr double kMostSearched = 1e6;  // devices: more hold any model, and layouts over them are nobody's question

bool can_serve(const Serving& s, const Group& g) {
  return serves(g) && g.node.accelerator->memory_bandwidth && engine_refused(*g.node.accelerator, s.engine).empty();
}

// The weights alone, then every layout: with contexts, buffers, activations and one request.
void memory(const Serving& s, Findings& out) {
  const std::vector<Group>& groups = s.design.cluster.groups;
  std::optional<std::size_t> first;
  Shortage lacking;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const Group& g = groups[i];
    if (!can_serve(s, g)) continue;
    if (devices_of(g) > kMostSearched) return;
    const WeightScheme scheme = smallest(s, g);
    if (!format_refused(*g.node.accelerator, scheme).empty() || fits_on_few(s, g, scheme)) return;
    const Shortage found = shortage(s, g, scheme);
    if (found.fits) return;
    if (!first) {
      first = i;
      lacking = found;
    }
  }
  if (!first) return;
  const Group& g = groups[*first];
  const WeightScheme scheme = smallest(s, g);
  const Bytes weights = copy_bytes(s.model, scheme), there = device_memory(*g.node.accelerator) * devices_of(g);
  std::string message =
      fmt::format("{}: {} in {} fits in no {}layout on {} x {}", g.id, s.model.name, scheme.name,
                  pin_of(s.design.cluster, g) == nullptr ? "" : "pinned ", devices_of(g), g.node.accelerator->name);
  if (weights > there) {
    message += fmt::format(": {} are missing for the weights alone", to_string(weights - there));
  } else if (lacking.each > Bytes(0)) {
    message += fmt::format(": {} are missing on each", to_string(lacking.each));
  } else {
    message += ": " + lacking.reason;
  }
  out.add("memory.fits", s.design.at({"groups", *first, "node", "accelerator"}),
          {.message = std::move(message),
           .terms = {fmt::format("{} of weights against {} x {} = {}", to_string_binary(weights), devices_of(g),
                                 to_string_binary(device_memory(*g.node.accelerator)), to_string_binary(there))},
           .help = "fathom plan names the nearest change"});
}

// ---------------------------------------------------------------------------------------------------------------------
// Floors and ceilings of the hardware: data sheets only, no engine

FlopsPerSecond fastest(const Accelerator& a) {
  FlopsPerSecond most{};
  for (const auto& [rate, fact] : a.peak) most = std::max(most, fact.high_or_value());
  return most;
}

struct Hardware {
  FlopsPerSecond compute{};
  BytesPerSecond bandwidth{};
  Bytes memory{};
  std::optional<Seconds> token;  // the least time of one token
  std::string fastest_group;     // whose it is
  bool complete = true;          // nothing serves whose figures are not known, or come from elsewhere
};

Hardware hardware(const Serving& s) {
  Hardware out;
  for (const Group& g : s.design.cluster.groups) {
    if (!serves(g)) continue;
    const Accelerator& a = *g.node.accelerator;
    if (runs_on_host(g.node) || !a.memory_bandwidth || fastest(a) == FlopsPerSecond(0) || s.load().offload_experts) {
      out.complete = false;
      continue;
    }
    const double devices = devices_of(g);
    out.compute += fastest(a) * devices;
    out.bandwidth += a.memory_bandwidth->high_or_value() * devices;
    out.memory += device_memory(a) * devices;
    const Seconds token = token_floor(s.design.cluster, s.model, smallest(s, g), a, devices).time;
    if (out.token && *out.token <= token) continue;
    out.token = token;
    out.fastest_group = g.id;
  }
  return out;
}

// Tokens of a typical request: the median where lengths differ, as a percentile binds half of the requests at least.
double typical(const LengthDistribution& lengths) { return std::min(lengths.mean, lengths.p50); }

Flops per_token(const Serving& s) {
  return Flops(2.0 * static_cast<double>(count_parameters(s.model).active_without_input_embedding));
}

void latency(const Serving& s, const Hardware& there, Findings& out) {
  const Workload& w = s.load();
  const ServiceLevel& slo = w.slo;
  const double per_step = 1 + w.mtp_acceptance.value_or(0) * s.model.mtp_modules;
  const Seconds token = *there.token / per_step;
  if (slo.tpot && *slo.tpot < token) {
    out.add("latency.tokens", s.design.at({"workload", "slo", "tpot"}),
            {.message = fmt::format("{} per token; reading the weights takes {} at least", to_string(*slo.tpot),
                                    to_string(token)),
             .terms = {fmt::format("{}: {} per token over the bandwidth of the devices that can share a layer",
                                   there.fastest_group, to_string(*there.token))},
             .help = "smaller weights, more memory bandwidth, or a longer limit"});
  }
  const double prompt = typical(w.input_tokens) * (1 - w.prefix_cache_hit);
  const Seconds first = per_token(s) * prompt / there.compute;
  if (slo.ttft && *slo.ttft < first) {
    out.add("latency.prefill", s.design.at({"workload", "slo", "ttft"}),
            {.message = fmt::format("the first token within {}; computing the prompt takes {} on all devices at their "
                                    "peak",
                                    to_string(*slo.ttft), to_string(first)),
             .terms = {fmt::format("{:.0f} tokens x {} = {} / {}", prompt, to_string(per_token(s)),
                                   to_string(per_token(s) * prompt), to_string(there.compute))}});
  }
  const double steps = std::max(0.0, typical(w.output_tokens) - 1);
  const Seconds answer = first + token * steps;
  if (!slo.e2e || *slo.e2e >= answer) return;
  out.add("latency.tokens", s.design.at({"workload", "slo", "e2e"}),
          {.message = fmt::format("an answer within {}; {:.0f} tokens of {} take {} at least", to_string(*slo.e2e),
                                  steps + 1, to_string(token), to_string(answer))});
}

// Requests per second that the file asks for: stated, or what so many in flight make within the limits.
struct Asked {
  double rate = 0;
  std::string_view key;
  std::string words;
};
std::optional<Asked> asked(const Workload& w) {
  if (w.arrival_rate)
    return Asked{w.arrival_rate->value, "arrival_rate", fmt::format("{:g} /s", w.arrival_rate->value)};
  if (!w.concurrency) return std::nullopt;
  std::optional<Seconds> limit = w.slo.e2e;
  if (!limit && w.slo.ttft && w.slo.tpot) limit = *w.slo.ttft + *w.slo.tpot * w.output_tokens.mean;
  if (!limit) return std::nullopt;
  const double rate = *w.concurrency / limit->value;
  return Asked{rate, "concurrency",
               fmt::format("{:g} in flight / {} = {:.3g} /s", *w.concurrency, to_string(*limit), rate)};
}

// Cache of one token, in the smallest format that is allowed; nothing for models whose windows bound it.
std::optional<Bytes> cache_per_token(const Serving& s) {
  if (s.model.sliding_window > 0 || s.model.indexer) return std::nullopt;
  const std::vector<std::string>& kv = s.load().kv;
  const bool fp8 = std::find(kv.begin(), kv.end(), "fp8") != kv.end();
  return kv_bytes_per_token(s.model, fp8 ? KvFormat::kFp8 : KvFormat::kBf16);
}

// Every token is computed once, and each one that is answered reads the cache of its request.
void load(const Serving& s, const Hardware& there, Findings& out) {
  const Workload& w = s.load();
  const std::optional<Asked> want = asked(w);
  if (!want) return;
  const double tokens = w.input_tokens.mean * (1 - w.prefix_cache_hit) + w.output_tokens.mean;
  const FlopsPerSecond compute(want->rate * tokens * per_token(s).value);
  const Spot spot = s.design.at({"workload", want->key});
  if (compute > there.compute) {
    out.add("serving.load", spot,
            {.message = fmt::format("the load takes {}, all devices compute {} at their peak", to_string(compute),
                                    to_string(there.compute)),
             .terms = {fmt::format("{} x {:.0f} tokens x {}", want->words, tokens, to_string(per_token(s)))}});
    return;
  }
  const std::optional<Bytes> cache = cache_per_token(s);
  if (!cache) return;
  const double context = w.input_tokens.mean + w.output_tokens.mean / 2;
  const BytesPerSecond read(want->rate * w.output_tokens.mean * context * cache->value);
  if (read <= there.bandwidth) return;
  out.add("serving.load", spot,
          {.message = fmt::format("the load reads {} of cache, the memory of all devices gives {}", to_string(read),
                                  to_string(there.bandwidth)),
           .terms = {fmt::format("{} x {:.0f} tokens x {:.0f} of context x {}", want->words, w.output_tokens.mean,
                                 context, to_string(*cache))}});
}

// All requests in flight beside one copy of the weights: the best case. More of them wait in a queue.
void in_flight(const Serving& s, const Hardware& there, Findings& out) {
  const Workload& w = s.load();
  const std::optional<Bytes> cache = cache_per_token(s);
  if (!w.concurrency || !cache) return;
  Bytes copy = there.memory;
  for (const Group& g : s.design.cluster.groups) {
    if (serves(g)) copy = std::min(copy, copy_bytes(s.model, smallest(s, g)));
  }
  if (copy >= there.memory) return;  // memory.fits says it
  const double context = w.input_tokens.mean + w.output_tokens.mean / 2;
  const Bytes needed = *cache * context * *w.concurrency, room = there.memory - copy;
  if (needed <= room) return;
  out.add("serving.concurrency", Severity::kWarning, s.design.at({"workload", "concurrency"}),
          {.message = fmt::format("{:g} requests in flight hold {} of cache, beside the weights there is room for {}",
                                  *w.concurrency, to_string(needed), to_string(room)),
           .terms = {fmt::format("{:g} x {:.0f} tokens x {}; {} - {} of weights", *w.concurrency, context,
                                 to_string(*cache), to_string(there.memory), to_string(copy))},
           .help = fmt::format("at most {:.0f} are served at once, the others wait", room / (*cache * context))});
}

}  // namespace

void check_serving(const Design& design, Findings& findings) {
  const std::optional<EngineProfile> engine = engine_of(design);
  if (!engine) return;
  Serving s{.design = design, .model = model_of(design), .weights = {}, .engine = *engine};
  s.weights = tensors(s.model);
  memory(s, findings);
  const Hardware there = hardware(s);
  if (!there.complete || !there.token) return;
  latency(s, there, findings);
  load(s, there, findings);
  in_flight(s, there, findings);
}

}  // namespace fathom
