// How long tokens take at least, and times that do not say of what.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/claims_sizing.h"
#include "check/claims_terms.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

// Part of the memory bandwidth that the design's engine reaches with these weights; unknown engines count as the reference.
double reached(Terms& claim, const Accelerator& a, const WeightScheme& scheme) {
  const EngineProfile* known = claim.audit().engine(claim.cluster().workload.engine);
  const EngineProfile engine = on_device(known != nullptr ? *known : *claim.audit().engine("reference"), a);
  const bool four_bits = bits_per_weight(scheme.linears) < 5;
  return engine.memory_share.value * (four_bits ? engine.int4_memory_factor.value : 1);
}

// Without a stated format: the smallest that keeps answers.
constexpr const char* kSmallest = "int4";

Judgement tokens(Terms& claim) {
  const double count = claim.count("tokens");
  const Architecture model = claim.model();
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const double devices = claim.count("count");
  const WeightScheme scheme = claim.find_scheme("weights").value_or(*find_weight_scheme(kSmallest));
  const Seconds stated = claim.value<Seconds>();
  if (!(stated > Seconds(0))) claim.fail_value("nothing is computed in no time");
  if (!a.memory_bandwidth) return unchecked("the catalog has no memory bandwidth of " + a.name);
  const TokenFloor floor = token_floor(claim.cluster(), model, scheme, a, devices);
  const Seconds each = stated / count;
  std::string text = fmt::format("{} / {} = {} per token; a token reads {} in {}", to_string(stated), number(count),
                                 to_string(each), to_string(bytes_per_token(model, scheme)), scheme.name);
  text += fmt::format(", {} on one device", to_string(floor.one_device));
  if (floor.devices > 1)
    text += fmt::format(", {} on the {} that can share it", to_string(floor.time), number(floor.devices));
  text += fmt::format(": {} at least", to_string(floor.time * count));
  if (floor.time > each) return contradicted(text);
  const double share = floor.time / each, engine = reached(claim, a, scheme);
  if (share <= engine) return holds(text);
  return misleading(fmt::format("{}. That is {} of the bandwidth for one request alone; engines reach about {}", text,
                                percent(share), percent(engine)));
}

// "Below 200 ms": the first token, each token, or the whole answer? How many tokens would fit says how much it matters.
std::string tokens_in(Terms& claim, Seconds stated) {
  const Cluster& cluster = claim.cluster();
  if (cluster.model_config) return {};
  const ModelEntry& model = claim.catalog().model(cluster.workload.model);
  for (const Group& group : cluster.groups) {
    const Accelerator* a = group.node.accelerator;
    if (group.role == "support" || a == nullptr || !a->memory_bandwidth || group.nodes <= group.spares) continue;
    const WeightScheme scheme =
        *find_weight_scheme(cluster.workload.weights.empty() ? "bf16" : cluster.workload.weights.front());
    const double devices = static_cast<double>(group.nodes) * group.node.accelerators;
    const TokenFloor floor = token_floor(cluster, model, scheme, *a, devices);
    return fmt::format("; a token of {} in {} takes at least {} here, so {} in {}", model.name, scheme.name,
                       to_string(floor.time), number(std::floor(stated / floor.time)), to_string(stated));
  }
  return {};
}

Judgement undefined(Terms& claim) {
  const bool network = claim.choice("kind", {"inference", "network"}) == 1;
  const std::optional<Hertz> rate = claim.find<Hertz>("rate");
  const Seconds stated = claim.value<Seconds>();
  std::string text = fmt::format("{} of what: ", to_string(stated));
  if (network) {
    text += "one message between two ports, between two applications, or a collective of all devices? ";
    const double message = claim.constant("rdma-send-32b").value;
    text += fmt::format("A message of 32 B takes {} with verbs", to_string(Seconds(message)));
    return misleading(text + (stated.value < message ? ", more than is stated" : ""));
  }
  text += "the first token, each token, or an answer of how many tokens?";
  text += tokens_in(claim, stated);
  if (rate)
    text += fmt::format("; {} /s x {} are {} in flight", number(rate->value), to_string(stated),
                        number(rate->value * stated.value));
  return misleading(text);
}

// Tensor parallelism over a slow network: each layer waits for two all-reduces, each as deep as a tree of the devices.
Judgement over_network(Terms& claim) {
  const Architecture model = claim.model();
  const double devices = claim.count("devices"), count = claim.count("tokens");
  const Seconds hop = claim.get<Seconds>("hop", Seconds(claim.constant("p2p-latency").value));
  const Seconds stated = claim.value<Seconds>();
  if (devices < 2) claim.fail_term("devices", "a network joins at least two");
  const double reductions = 2.0 * model.num_layers, hops = 2 * std::ceil(std::log2(devices));
  const Seconds token = hop * (reductions * hops);
  const std::string text = fmt::format(
      "{} all-reduces of {} hops of {} are {} per token, {} for {} tokens, before any bandwidth", number(reductions),
      number(hops), to_string(hop), to_string(token), to_string(token * count), number(count));
  return token * count <= stated ? holds(text) : contradicted(fmt::format("{}, not {}", text, to_string(stated)));
}

}  // namespace

std::vector<Subject> latency_claims() {
  return {{"latency.tokens", tokens}, {"latency.undefined", undefined}, {"latency.network", over_network}};
}

}  // namespace fathom::claims
