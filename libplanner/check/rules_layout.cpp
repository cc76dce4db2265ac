// Layouts that the file pins: whether the model can be cut that way, and whether the devices are there.
#include <fmt/format.h>

#include <algorithm>

#include "check/design_lookup.h"
#include "check/design_rules.h"
#include "model/tensors.h"

namespace fathom {

namespace {

const Group* group_named(const Cluster& cluster, const std::string& id) {
  for (const Group& g : cluster.groups) {
    if (g.id == id) return &g;
  }
  return nullptr;
}

Layout pinned(const PoolChoice& pin) {
  Layout layout;
  layout.tp = pin.tp.value_or(1);
  layout.pp = pin.pp.value_or(1);
  layout.attention_dp = pin.attention_dp.value_or(1);
  layout.ep = pin.ep.value_or(1);
  layout.replicas = pin.replicas.value_or(1);
  return layout;
}

// One degree at a time, so that the finding stands at the one that is wrong.
void degrees(const Design& d, std::size_t i, const Architecture& model, const std::vector<Tensor>& weights,
             Findings& out) {
  const PoolChoice& pin = d.cluster.layout[i];
  Layout layout;
  const auto legal = [&](std::string_view key) {
    const std::string why = illegal(model, weights, layout);
    if (why.empty()) return true;
    out.add("layout.tensor_parallel", d.at({"layout", i, key}), {.message = pin.group + ": " + why});
    return false;
  };
  if (pin.pp) {
    layout.pp = *pin.pp;
    if (!legal("pp")) return;
  }
  // Of a model with experts the widths depend on EP as well: without it, heads alone are certain.
  if (pin.tp) {
    layout.tp = *pin.tp;
    const bool heads_divide = model.num_heads % *pin.tp == 0;
    if ((!model.moe || !heads_divide) && !legal("tp")) return;
  }
  if (!pin.ep || !pin.tp) return;
  layout.ep = *pin.ep;
  layout.attention_dp = pin.attention_dp.value_or(1);
  legal("ep");
}

void devices(const Design& d, std::size_t i, Findings& out) {
  const PoolChoice& pin = d.cluster.layout[i];
  const Group* g = group_named(d.cluster, pin.group);
  if (g == nullptr || !serves(*g)) return;
  const Layout layout = pinned(pin);
  const double there = static_cast<double>(g->nodes - g->spares) * g->node.accelerators;
  const double needed = static_cast<double>(layout.tp) * layout.attention_dp * layout.pp * layout.replicas;
  if (needed <= there) return;
  std::string terms = fmt::format("tp {} x attention-dp {} x pp {} x {} replicas = {:g}", layout.tp,
                                  layout.attention_dp, layout.pp, layout.replicas, needed);
  out.add("layout.devices", d.at({"layout", i}),
          {.message = fmt::format("{}: the pinned layout takes {:g} devices, {} are there", g->id, needed, there),
           .terms = {std::move(terms)}});
}

// Who reads prompts needs somebody who answers, and the other way round.
void roles(const Design& d, Findings& out) {
  bool prefill = false, decode = false, any = false;
  std::size_t first = 0;
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Group& g = d.cluster.groups[i];
    if (!serves(g)) continue;
    const PoolChoice* pin = pin_of(d.cluster, g);
    const std::string& role = pin != nullptr && pin->role ? *pin->role : g.role;
    if (role == "prefill") prefill = true;
    if (role == "decode") decode = true;
    if (role != "prefill" && role != "decode") any = true;
    if (role == "prefill" || role == "decode") first = i;
  }
  if (any || prefill == decode) return;
  out.add("layout.roles", d.at({"groups", first, "role"}),
          {.message = prefill ? "prompts are read and nobody answers: no group decodes"
                              : "tokens are decoded and nobody reads the prompts",
           .help = "role: serve, or a second group"});
}

}  // namespace

void check_layout(const Design& design, Findings& findings) {
  roles(design, findings);
  if (design.cluster.layout.empty()) return;
  const Architecture model = model_of(design);
  const std::vector<Tensor> weights = tensors(model);
  for (std::size_t i = 0; i < design.cluster.layout.size(); ++i) {
    degrees(design, i, model, weights, findings);
    devices(design, i, findings);
  }
}

}  // namespace fathom
