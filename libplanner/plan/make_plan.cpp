#include "plan/make_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "input/value.h"
#include "plan/economics.h"
#include "plan/predict.h"
#include "search/search.h"
#include "units/text.h"

namespace fathom {

namespace {

// Of a regular file; a pipe cannot be read twice.
std::string fnv64(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) return {};
  std::ifstream in(path, std::ios::binary);
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (char c; in.get(c);) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return fmt::format("{:016x}", hash);
}

bool is_path(const std::string& model) { return model.find('/') != std::string::npos || model.ends_with(".json"); }

// A path is taken relative to the cluster file.
std::filesystem::path model_path(const Cluster& cluster) {
  const std::filesystem::path named(cluster.workload.model);
  return named.is_absolute() ? named : std::filesystem::path(cluster.file).parent_path() / named;
}

Architecture read_model(const Cluster& cluster, const Catalog& catalog) {
  if (is_path(cluster.workload.model)) {
    const std::filesystem::path path = model_path(cluster);
    if (!std::filesystem::exists(path)) {
      throw InputError(cluster.file, cluster.workload.model_at, "there is no model configuration " + path.string(),
                       "paths are taken from the folder of this file");
    }
    return read_hf_config(path);
  }
  return catalog.model(cluster.workload.model);
}

EngineProfile read_engine(const Cluster& cluster, const Catalog& catalog) {
  const std::string& id = cluster.workload.engine;
  const std::vector<std::string> known = engine_ids(catalog.data_dir());
  if (std::find(known.begin(), known.end(), id) == known.end()) {
    const std::string close = did_you_mean(id, known);
    throw InputError(cluster.file, cluster.workload.engine_at, fmt::format("unknown engine \"{}\"", id),
                     close.empty() ? fmt::format("known engines: {}", fmt::join(known, ", "))
                                   : fmt::format("did you mean \"{}\"?", close));
  }
  return read_engine_profile(catalog.data_dir(), id);
}

PlanModel describe(const Architecture& a) {
  const ParameterCounts counts = count_parameters(a);
  return {.id = a.id,
          .name = a.name,
          .parameters = static_cast<double>(counts.total),
          .active_parameters = static_cast<double>(counts.active),
          .kv_bytes_per_token = kv_bytes_per_token(a, KvFormat::kBf16),
          .native_weights = a.native_weights};
}

std::string describe_load(const Workload& w) {
  const std::string lengths =
      fmt::format("{:.0f} tokens in and {:.0f} out on average", w.input_tokens.mean, w.output_tokens.mean);
  if (w.concurrency)
    return fmt::format("{:g} request{} in flight, {}", *w.concurrency, *w.concurrency == 1 ? "" : "s", lengths);
  return fmt::format("{:.3g} requests/s, {}", w.arrival_rate->value, lengths);
}

// Every model needs a 16-bit product somewhere (router, head, attention).
bool multiplies(const Accelerator& a) { return peak(a, a.native.bf16 ? Dtype::kBf16 : Dtype::kFp16) != nullptr; }

std::vector<Pool> make_pools(const Cluster& cluster, std::vector<std::string>& reasons) {
  std::vector<Pool> pools;
  for (const Group& group : cluster.groups) {
    if (group.role == "support" || group.node.accelerator == nullptr || group.node.accelerators < 1) continue;
    if (!group.node.accelerator->memory_bandwidth) {
      reasons.push_back(
          fmt::format("{}: the memory bandwidth of {} is not known", group.id, group.node.accelerator->name));
      continue;
    }
    if (!multiplies(*group.node.accelerator)) {
      reasons.push_back(
          fmt::format("{}: the 16-bit arithmetic rate of {} is not known", group.id, group.node.accelerator->name));
      continue;
    }
    if (group.nodes - group.spares < 1) {
      reasons.push_back(fmt::format("{}: every node is a spare", group.id));
      continue;
    }
    pools.push_back(make_pool(cluster, group));
  }
  return pools;
}

std::string tier_text(const Pool& pool, const std::string& what, int ranks, int stride) {
  if (ranks <= 1) return {};
  const Span s = span(pool, ranks, stride);
  if (s.outer == nullptr) return {};
  std::string text = fmt::format("{} over {}", what, s.inner->name);
  if (s.inner->kind == TierKind::kScaleUp) text += fmt::format(" ({} each way)", to_string(s.inner->bandwidth));
  if (s.outer != s.inner) text += fmt::format(", then {}", s.outer->name);
  return text;
}

std::vector<std::string> links(const Candidate& c) {
  std::vector<std::string> result;
  const Layout& l = c.layout;
  for (std::string text : {tier_text(*c.pool, fmt::format("TP{}", l.tp), l.tp, 1),
                           l.attention_dp > 1 ? tier_text(*c.pool, fmt::format("EP{}", l.ep), l.ep, 1) : std::string(),
                           tier_text(*c.pool, fmt::format("PP{}", l.pp), l.pp, l.stage_width())}) {
    if (!text.empty()) result.push_back(std::move(text));
  }
  return result;
}

PlanMemory describe_memory(const Problem& p, const Candidate& c) {
  const Ledger& worst = c.memory.worst();
  PlanMemory m;
  m.stage = worst.stage;
  m.capacity = worst.capacity;
  m.withheld = worst.reserved_by_share;
  for (const LedgerRow& row : worst.rows)
    m.rows.push_back({.name = row.name, .bytes = row.bytes, .copied = row.copied});
  m.used = worst.used();
  m.kv_room = worst.kv_room();
  m.kv_per_token = worst.kv_per_token;
  m.host_per_node = worst.host * std::min(c.pool->per_node, c.layout.devices_per_replica() * c.layout.replicas);
  m.kv_tokens_capacity = c.memory.kv_tokens;
  m.max_context = p.architecture.max_position > 0 ? std::min<double>(c.memory.max_context, p.architecture.max_position)
                                                  : c.memory.max_context;
  m.max_sequences =
      sequences_that_fit(c.memory, c.layout, p.workload.input_tokens.mean + p.workload.output_tokens.mean);
  m.weights_one_copy = checkpoint_bytes(p.architecture, c.layout.weights, c.layout.mtp);
  m.devices_capacity = worst.capacity * c.layout.devices_per_replica();
  return m;
}

std::vector<std::string> format_notes(const Candidate& c) {
  std::vector<std::string> notes;
  const Accelerator& a = *c.pool->accelerator;
  bool weight_only = false;
  const Format math = math_format(a, c.layout.weights.linears, weight_only);
  if (weight_only) {
    notes.push_back(fmt::format("{} weights are weight-only on {}: stored so, multiplied in {}",
                                to_string(c.layout.weights.linears), a.name, to_string(math)));
  }
  if (!a.native.bf16) notes.push_back(fmt::format("{} has no bf16: activations run in fp16", a.name));
  if (c.layout.offload_experts) notes.push_back("routed experts stay in host memory and run on the CPU");
  return notes;
}

// A model with a draft module invites to load it: say when there is no room.
std::vector<std::string> mtp_notes(const Problem& p, const Candidate& c) {
  if (p.architecture.mtp_modules == 0 || c.layout.mtp) return {};
  Layout with = c.layout;
  with.mtp = true;
  const ReplicaMemory memory = memory_of(p, *c.pool, with);
  const Bytes whole = checkpoint_bytes(p.architecture, with.weights, true);
  if (memory.fits() && memory.max_context >= p.workload.input_tokens.mean + p.workload.output_tokens.mean) return {};
  return {fmt::format(
      "the MTP draft module does not fit: the checkpoint with it is {}, short by {} per accelerator in this layout",
      to_string_binary(whole), to_string_binary(Bytes(std::max(0.0, -memory.worst().kv_room().value))))};
}

std::vector<std::string> part_notes(const Accelerator& a) {
  if (a.status == PartStatus::kOk) return {};
  return {fmt::format("the data of {} are {}: measure before you commit", a.name,
                      words(a.status)[static_cast<std::size_t>(a.status)])};
}

PlanPool describe_pool(const Problem& p, const Candidate& c) {
  const Layout& l = c.layout;
  PlanPool pool;
  pool.group = c.pool->group->id;
  pool.role = to_string(c.role);
  pool.accelerator = c.pool->accelerator->name;
  pool.layout = short_name(l);
  pool.tp = l.tp;
  pool.pp = l.pp;
  pool.ep = l.ep;
  pool.attention_dp = l.attention_dp;
  pool.replicas = l.replicas;
  pool.weights = l.weights.name;
  pool.kv = to_string(l.kv);
  pool.offload_experts = l.offload_experts;
  pool.mtp = l.mtp;
  for (const Stage& stage : stages(p.architecture, p.tensors, l)) pool.stage_layers.push_back(stage.layers);
  pool.devices_per_replica = l.devices_per_replica();
  pool.devices = c.pool->devices();
  pool.idle_devices = pool.devices - l.devices_per_replica() * l.replicas;
  pool.links = links(c);
  pool.memory = describe_memory(p, c);
  for (const std::vector<std::string>& notes : {format_notes(c), mtp_notes(p, c), part_notes(*c.pool->accelerator)}) {
    pool.notes.insert(pool.notes.end(), notes.begin(), notes.end());
  }
  fill_operators(pool, p, c);
  return pool;
}

std::string describe_limit(const PlanPool& pool) {
  const std::vector<PlanOperator>& operators = pool.decode.empty() ? pool.prefill : pool.decode;
  std::vector<std::pair<std::string, double>> bounds;
  for (const PlanOperator& op : operators) {
    auto same = std::find_if(bounds.begin(), bounds.end(), [&](const auto& b) { return b.first == op.bound; });
    if (same == bounds.end()) same = bounds.insert(bounds.end(), {op.bound, 0.0});
    same->second += op.share;
  }
  std::sort(bounds.begin(), bounds.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  if (bounds.empty()) return {};
  return fmt::format("{} ({:.0f} % of a decode step)", bounds.front().first, bounds.front().second * 100);
}

void add_alternatives(Plan& plan, const SearchResult& found, int all_devices) {
  for (std::size_t i = 0; i < found.solutions.size(); ++i) {
    const Solution& s = found.solutions[i];
    PlanAlternative row{.output_tok_per_s = s.output_tok_per_s,
                        .max_output_tok_per_s = s.max_output_tok_per_s,
                        .ttft = s.ttft,
                        .tpot = s.tpot};
    int used = 0;
    for (const Candidate& c : s.pools) {
      row.layout += (row.layout.empty() ? "" : " + ") + (s.pools.size() > 1 ? to_string(c.role) + " " : std::string()) +
                    short_name(c.layout);
      row.group += (row.group.empty() ? "" : ", ") + c.pool->group->id;
      used += c.layout.devices_per_replica() * c.layout.replicas;
    }
    row.gpu_share = all_devices > 0 ? static_cast<double>(used) / all_devices : 0;
    plan.alternatives.push_back(std::move(row));
  }
}

void explain_shortfall(Plan& plan, const SearchResult& found, const Problem& p) {
  plan.reasons.push_back("no legal layout holds the model and one request");
  if (found.nearest.empty()) return;
  const Candidate& c = found.nearest.front();
  plan.nearest = fmt::format("closest: {} on {} lacks {} per accelerator", short_name(c.layout), c.pool->group->id,
                             to_string_binary(Bytes(c.shortfall_bytes)));
  plan.pools.push_back(describe_pool(p, c));  // its ledger shows what is missing
  plan.pools.back().decode.clear();
  plan.pools.back().prefill.clear();
}

// The same question with one restriction lifted: what the cluster could serve instead.
void add_remedies(Plan& plan, const Problem& p, const std::vector<Pool>& pools, const std::vector<PoolChoice>& pinned) {
  const auto attempt = [&](const std::string& change, const Workload& workload, const std::vector<PoolChoice>& pins) {
    const Problem changed{
        .architecture = p.architecture, .tensors = p.tensors, .workload = workload, .engine = p.engine};
    const SearchResult found = search(changed, pools, pins);
    if (found.solutions.empty()) return;
    const Solution& best = found.solutions.front();
    PlanRemedy remedy{.change = change, .layout = {}, .output_tok_per_s = best.max_output_tok_per_s};
    for (const Candidate& c : best.pools) {
      remedy.layout += (remedy.layout.empty() ? "" : " + ") + short_name(c.layout);
      remedy.max_context = std::max(remedy.max_context, c.memory.max_context);
    }
    if (p.architecture.max_position > 0)
      remedy.max_context = std::min<double>(remedy.max_context, p.architecture.max_position);
    plan.remedies.push_back(std::move(remedy));
  };
  if (!pinned.empty()) attempt("with another layout", p.workload, {});
  Workload any_weights = p.workload;
  any_weights.weights = {};  // the search then tries them from the most exact to the smallest
  attempt("with smaller weights", any_weights, pinned);
  if (plan.remedies.empty() && !pinned.empty()) attempt("with another layout and smaller weights", any_weights, {});
  Workload short_context = p.workload;
  if (p.workload.max_context &&
      *p.workload.max_context > p.workload.input_tokens.mean + p.workload.output_tokens.mean) {
    short_context.max_context.reset();
    attempt("with contexts of mean length", short_context, pinned);
  }
}

void judge(Plan& plan, const Solution& best, const Workload& w) {
  plan.fits = true;
  plan.meets = best.keeps_service_level && !best.saturated;
  if (best.saturated) {
    plan.reasons.push_back(
        fmt::format("the load of {:.3g} requests/s exceeds what the cluster answers ({:.3g}/s): the queue would grow",
                    w.arrival_rate->value, best.requests_per_s));
  }
  const auto compare = [&](const char* name, const std::optional<Seconds>& limit, Seconds value) {
    if (limit && value > *limit)
      plan.reasons.push_back(fmt::format("{} {} at the load, {} wanted", name, to_string(value), to_string(*limit)));
  };
  compare("TTFT", w.slo.ttft, best.ttft);
  compare("TPOT", w.slo.tpot, best.tpot);
  compare("end to end", w.slo.e2e, best.e2e);
  plan.saturated = best.saturated;
}

// What a yes rests on: the worst case of the band, percentiles that means do not tell, and what the bill leaves open.
void add_caveats(Plan& plan, const Solution& best, const Workload& w) {
  const auto compare = [&](const char* name, const std::optional<Seconds>& limit, const Estimate<Seconds>& value) {
    if (limit && value.likely <= *limit && value.max > *limit) {
      plan.caveats.push_back(
          fmt::format("in the worst case {} is {}, {} wanted", name, to_string(value.max), to_string(*limit)));
    }
  };
  compare("TTFT", w.slo.ttft, plan.predictions.ttft);
  compare("TPOT", w.slo.tpot, plan.predictions.tpot);
  compare("the whole answer", w.slo.e2e, plan.predictions.e2e);
  if (w.slo.percentile > 50 && (w.slo.ttft || w.slo.tpot || w.slo.e2e)) {
    plan.caveats.push_back(fmt::format("the service level names P{:g}, and means were compared: P{:g} is longer",
                                       w.slo.percentile, w.slo.percentile));
  }
  for (const Candidate& c : best.pools) {
    for (const std::string& note : c.pool->notes) plan.caveats.push_back(note);
  }
}

// The search keeps the layout with most throughput in sight.
void name_most_throughput(Plan& plan, const SearchResult& found) {
  const auto most = std::max_element(plan.alternatives.begin(), plan.alternatives.end(),
                                     [](const PlanAlternative& a, const PlanAlternative& b) {
                                       return a.max_output_tok_per_s < b.max_output_tok_per_s;
                                     });
  if (most == plan.alternatives.end() ||
      most->max_output_tok_per_s < 1.1 * found.solutions.front().max_output_tok_per_s) {
    return;
  }
  plan.most_throughput = fmt::format("most throughput: {} with {} (objective: capacity)",
                                     count_text(most->max_output_tok_per_s) + " output tok/s", most->layout);
}

}  // namespace

Plan make_plan(const Cluster& cluster, const Catalog& catalog) {
  const Architecture architecture = read_model(cluster, catalog);
  const std::vector<Tensor> weights = tensors(architecture);
  const EngineProfile engine = read_engine(cluster, catalog);

  Plan plan;
  plan.title = cluster.title;
  plan.date = cluster.date;
  plan.file = cluster.file;
  plan.model = describe(architecture);
  plan.engine = engine.name;
  plan.load = describe_load(cluster.workload);
  plan.objective = cluster.workload.objective == Objective::kCapacity ? "throughput within the service level"
                                                                      : "length of an answer at the load";
  plan.inputs.push_back({.path = cluster.file, .fnv64 = fnv64(cluster.file)});
  if (is_path(cluster.workload.model)) {
    const std::filesystem::path path = model_path(cluster);
    plan.inputs.push_back(
        {.path = path.string(), .fnv64 = fnv64(std::filesystem::is_directory(path) ? path / "config.json" : path)});
  }

  const std::vector<Pool> pools = make_pools(cluster, plan.reasons);
  if (pools.empty()) plan.reasons.push_back("no group has accelerators to serve on");
  const Problem problem{
      .architecture = architecture, .tensors = weights, .workload = cluster.workload, .engine = engine};
  const SearchResult found = search(problem, pools, cluster.layout);
  plan.notes = found.notes;
  plan.evaluated = found.evaluated;
  plan.candidates = static_cast<int>(found.rejected.size()) + found.evaluated;
  for (const RejectionSummary& row : summarise(found.rejected)) {
    plan.rejected.push_back({.reason = row.reason, .count = row.count, .example = row.example});
  }
  for (const Candidate& c : found.rejected) {
    plan.all_rejected.push_back({.layout = short_name(c.layout),
                                 .group = c.pool->group->id,
                                 .reason = c.rejected,
                                 .shortfall = Bytes(c.shortfall_bytes)});
  }
  int all_devices = 0;
  for (const Pool& pool : pools) all_devices += pool.devices();
  add_alternatives(plan, found, all_devices);

  if (found.solutions.empty()) {
    explain_shortfall(plan, found, problem);
    add_remedies(plan, problem, pools, cluster.layout);
  } else {
    const Solution& best = found.solutions.front();
    judge(plan, best, cluster.workload);
    for (const Candidate& c : best.pools) plan.pools.push_back(describe_pool(problem, c));
    plan.sensitivities = sensitivities(problem, best);
    plan.confidence = weakest_that_matters(best, plan.sensitivities);
    plan.predictions = predictions_at_load(problem, best, plan.confidence);
    plan.maximum = predictions_at_maximum(problem, best, plan.confidence);
    add_caveats(plan, best, cluster.workload);
    name_most_throughput(plan, found);
    plan.limited_by = describe_limit(plan.pools.back());
    plan.levers = levers(problem, best);
    if (!plan.maximum)
      plan.notes.push_back("even one request at a time breaks the service level: there is no maximum within it");
  }
  add_economics(plan, cluster, catalog, problem, found);
  return plan;
}

}  // namespace fathom
