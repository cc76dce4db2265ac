// What has to go together: engine and device, formats and arithmetic, cards and their links, parts and the day of the design.
#include <fmt/format.h>

#include <algorithm>

#include "check/design_lookup.h"
#include "check/design_rules.h"
#include "input/value.h"
#include "plan/host_device.h"
#include "search/candidate.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom {

namespace {

void engines(const Design& d, Findings& out) {
  const Spot spot = d.at({"workload", "engine"});
  const std::optional<EngineProfile> engine = engine_of(d);
  if (!engine) {
    const std::vector<std::string> ids = engine_ids(d.catalog.data_dir());
    const std::string close = did_you_mean(d.cluster.workload.engine, ids);
    out.add("software.engine", spot,
            {.message = "nothing is known of an engine " + in_quotes(d.cluster.workload.engine),
             .help = close.empty() ? "known are " + listed(ids, ", ") : "did you mean " + in_quotes(close) + "?"});
    return;
  }
  for (const Group& g : d.cluster.groups) {
    if (!serves(g)) continue;
    const std::string why = engine_refused(*g.node.accelerator, *engine);
    if (why.empty()) continue;
    out.add("software.runs_on", spot,
            {.message = g.id + ": " + why, .help = "it runs on " + listed(engine->stacks, " and ")});
    return;
  }
}

bool is_fp8(Format format) { return format == Format::kFp8 || format == Format::kFp8Block128; }
bool has_fp8(const WeightScheme& scheme) { return is_fp8(scheme.linears) || is_fp8(scheme.experts); }

// Where the file names the formats of a group: its own pin, else the workload.
Spot format_spot(const Design& d, const Group& g, std::string_view key) {
  for (std::size_t i = 0; i < d.cluster.layout.size(); ++i) {
    const PoolChoice& pin = d.cluster.layout[i];
    if (pin.group == g.id && (key == "kv" ? pin.kv.has_value() : pin.weights.has_value()))
      return d.at({"layout", i, key});
  }
  return d.at({"workload", key});
}

bool names_weights(const Cluster& cluster, const Group& g) {
  const PoolChoice* pin = pin_of(cluster, g);
  return !cluster.workload.weights.empty() || (pin != nullptr && pin->weights);
}

// Only where every format that is allowed has the fault: else the plan takes another.
void weights(const Design& d, const Group& g, const Architecture& model, Findings& out) {
  if (!names_weights(d.cluster, g)) return;
  const Accelerator& a = *g.node.accelerator;
  const std::vector<WeightScheme> schemes = allowed_schemes(d.cluster, g, model);
  const auto all = [&](const auto& is) { return std::all_of(schemes.begin(), schemes.end(), is); };
  const Spot spot = format_spot(d, g, "weights");
  if (all([&](const WeightScheme& s) { return !format_refused(a, s).empty(); })) {
    out.add("part.format", spot,
            {.message = g.id + ": " + format_refused(a, schemes.front()), .help = "int8, int4 or bf16 weights"});
  } else if (!a.native.fp8 && all(has_fp8)) {
    out.add(
        "part.format", Severity::kWarning, spot,
        {.message = fmt::format("{}: {} has no fp8 arithmetic: weights are expanded on the way, and products run at "
                                "the 16-bit rate",
                                g.id, a.name),
         .help = "int8 or int4 weights, or a card with fp8"});
  } else if (!a.native.bf16 && all([](const WeightScheme& s) { return s.name == "bf16"; })) {
    out.add("part.format", Severity::kWarning, spot,
            {.message = fmt::format("{}: {} has no bf16 arithmetic: the model is computed in fp16, whose range is "
                                    "smaller",
                                    g.id, a.name)});
  }
}

void cache(const Design& d, const Group& g, Findings& out) {
  const Accelerator& a = *g.node.accelerator;
  const PoolChoice* pin = pin_of(d.cluster, g);
  const std::vector<std::string> formats = pin != nullptr && pin->kv ? std::vector{*pin->kv} : d.cluster.workload.kv;
  const bool fp8_only = formats == std::vector<std::string>{"fp8"};
  if (!fp8_only || a.native.fp8) return;
  out.add("part.format", Severity::kWarning, format_spot(d, g, "kv"),
          {.message = fmt::format("{}: {} has no fp8 arithmetic: the cache is expanded at every read, and not every "
                                  "kernel does that",
                                  g.id, a.name),
           .help = "kv: bf16"});
}

// Links between the cards of a node: there at all, and how far.
void scale_up(const Design& d, std::size_t i, Findings& out) {
  const Group& g = d.cluster.groups[i];
  const ScaleUp& link = g.node.accelerator->scale_up;
  const bool joined = g.node.scale_up.value_or(false) || g.node.scale_up_domain.value_or(1) > 1;
  const std::string_view key = g.node.scale_up.value_or(false) ? "scale_up" : "scale_up_domain";
  if (joined && link.kind == ScaleUpKind::kNone) {
    out.add(
        "part.feature", d.at({"groups", i, "node", key}),
        {.message = fmt::format("{}: {} has no link between cards, PCIe joins them", g.id, g.node.accelerator->name),
         .help = "leave it out, or take cards that have one"});
    return;
  }
  if (!link.domain || g.node.scale_up_domain.value_or(1) <= *link.domain) return;
  out.add("part.scale_up_domain", d.at({"groups", i, "node", "scale_up_domain"}),
          {.message = fmt::format("{}: {} joins {} of {}, not {}", g.id, link.name, *link.domain,
                                  g.node.accelerator->name, *g.node.scale_up_domain)});
}

// The largest machines of one operating system hold sixteen: libplanner/network/topology.cpp. Racks that are one link domain
// are nodes of four to eight all the same.
void node_size(const Design& d, std::size_t i, Findings& out) {
  constexpr int kMostInOneNode = 16;
  const Node& node = d.cluster.groups[i].node;
  if (runs_on_host(node)) return;
  if (node.accelerators > kMostInOneNode) {
    out.add("part.per_node", d.at({"groups", i, "node", "accelerator", "count"}),
            {.message = fmt::format("{}: {} accelerators in one node; the largest hold {}", d.cluster.groups[i].id,
                                    node.accelerators, kMostInOneNode)});
  }
  // Cards in slots: where memory is one, there is nothing to compare.
  const Bytes devices = node.accelerator->memory.value * node.accelerators;
  if (!node.accelerator->pcie || node.memory == Bytes(0) || node.memory >= devices) return;
  out.add("memory.host", d.at({"groups", i, "node", "memory"}),
          {.message = fmt::format("{}: {} of host memory for {} x {} = {} on the devices", d.cluster.groups[i].id,
                                  to_string(node.memory), node.accelerators,
                                  to_string_binary(node.accelerator->memory.value), to_string_binary(devices)),
           .help = "as much as the devices have: weights are staged and caches put aside there"});
}

void hosts(const Design& d, std::size_t i, Findings& out) {
  const Node& node = d.cluster.groups[i].node;
  if (node.cpu == nullptr) return;
  if (node.cpus > node.cpu->max_sockets) {
    out.add("part.sockets", d.at({"groups", i, "node", "cpu", "count"}),
            {.message = fmt::format("{}: {} of {} on one board, which takes {}", d.cluster.groups[i].id, node.cpus,
                                    node.cpu->name, node.cpu->max_sockets)});
  }
  if (!node.memory_bandwidth || !node.cpu->memory_bandwidth) return;
  const BytesPerSecond there = node.cpu->memory_bandwidth->high_or_value() * node.cpus;
  if (*node.memory_bandwidth <= there * 1.02) return;
  out.add("part.memory_bandwidth", d.at({"groups", i, "node", "memory", "bandwidth"}),
          {.message = fmt::format("{}: {} x {} reads {} at most, not {}", d.cluster.groups[i].id, node.cpus,
                                  node.cpu->name, to_string(there), to_string(*node.memory_bandwidth))});
}

void dates(const Design& d, Findings& out) {
  const int year = year_of(d.cluster.date);
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Accelerator* a = d.cluster.groups[i].node.accelerator;
    if (a == nullptr) continue;
    const Spot spot = d.at({"groups", i, "node", "accelerator", "part"});
    if (a->status == PartStatus::kAnnounced) {
      out.add("part.available", spot,
              {.message = fmt::format("{} is announced; nobody has measured or delivered one", a->name)});
    } else if (year > 0 && a->year > year) {
      out.add("part.available", spot,
              {.message = fmt::format("{} appeared in {}, the design is of {}", a->name, a->year, year)});
    }
  }
  if (year == 0 || d.cluster.model_config) return;
  const ModelEntry& model = d.catalog.model(d.cluster.workload.model);
  if (model.year <= year) return;
  out.add("model.published", d.at({"workload", "model"}),
          {.message = fmt::format("{} was published in {}, the design is of {}", model.name, model.year, year)});
}

}  // namespace

void check_compatibility(const Design& design, Findings& findings) {
  const Architecture model = model_of(design);
  engines(design, findings);
  for (std::size_t i = 0; i < design.cluster.groups.size(); ++i) {
    const Group& g = design.cluster.groups[i];
    hosts(design, i, findings);
    if (!serves(g)) continue;
    weights(design, g, model, findings);
    cache(design, g, findings);
    scale_up(design, i, findings);
    node_size(design, i, findings);
  }
  dates(design, findings);
}

}  // namespace fathom
