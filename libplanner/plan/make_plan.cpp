#include "plan/make_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "input/fnv64.h"
#include "input/value.h"
#include "plan/describe.h"
#include "plan/economics.h"
#include "plan/host_device.h"
#include "plan/percentiles.h"
#include "plan/predict.h"
#include "plan/step_power.h"
#include "plan/step_times.h"
#include "plan/verdict.h"
#include "search/search.h"
#include "units/text.h"

namespace fathom {

namespace {

// Of a regular file; a pipe cannot be read twice.
std::string fnv64(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) return {};
  std::ifstream in(path, std::ios::binary);
  Fnv64 hash;
  for (char c; in.get(c);) hash.add(c);
  return hash.hex();
}

Architecture read_model(const Cluster& cluster, const Catalog& catalog) {
  if (cluster.model_config) return read_hf_config(*cluster.model_config);
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

// Every model needs a 16-bit product somewhere (router, head, attention).
bool multiplies(const Accelerator& a) { return peak(a, a.native.bf16 ? Dtype::kBf16 : Dtype::kFp16) != nullptr; }

// `hosts` keeps the devices that are processors of their nodes; the pools point to them.
std::vector<Pool> make_pools(const Cluster& cluster, std::deque<Accelerator>& hosts,
                             std::vector<std::string>& reasons) {
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
    if (runs_on_host(group.node)) pools.back().accelerator = &hosts.emplace_back(host_device(pools.back()));
  }
  return pools;
}

// Which rates come from measurement, said before the search knows which operators there are.
EngineProfile use_profile(Plan& plan, const EngineProfile& engine, std::shared_ptr<const Profile> profile,
                          const std::vector<Pool>& pools) {
  const auto of_profile = [&](const Pool& pool) { return pool.accelerator->id == profile->accelerator; };
  const bool all = std::all_of(pools.begin(), pools.end(), of_profile);
  plan.profile = PlanProfile{.file = profile->file,
                             .fnv64 = fnv64(profile->file),
                             .machine = profile->machine,
                             .date = profile->date,
                             .accelerator = profile->accelerator,
                             .engine = profile->engine,
                             .covered = {},
                             .uncovered = {},
                             .extrapolated = {},
                             .fits = fit_texts(*profile)};
  plan.inputs.push_back({.path = plan.profile->file, .fnv64 = plan.profile->fnv64});
  if (std::none_of(pools.begin(), pools.end(), of_profile)) {
    plan.notes.push_back(fmt::format("profile {} stands for {}, which no group has: it was not used", profile->file,
                                     profile->accelerator));
  } else if (!profile->engine.empty() && profile->engine != engine.id) {
    plan.notes.push_back(
        fmt::format("profile {} was measured with {}, the plan is for {}: another engine reaches other rates",
                    profile->file, profile->engine, engine.id));
  }
  return with_profile(engine, std::move(profile), all);
}

void take_weaker(std::optional<FigureOrigin>& known, const std::optional<FigureOrigin>& other) {
  if (other) known = std::min(known.value_or(*other), *other);
}

void sort_in(PlanProfile& profile, const std::string& name, FigureOrigin origin) {
  (origin == FigureOrigin::kCatalog ? profile.uncovered : profile.covered).push_back(name);
  if (origin == FigureOrigin::kExtrapolated) profile.extrapolated.push_back(name);
}

// Each operator once, whichever pool runs it; twice where prompts and decoding have their times from different places.
void say_what_is_measured(PlanProfile& profile, const Problem& problem, const Solution& best) {
  std::map<std::string, OperatorOrigin> origins;
  for (const Candidate& c : best.pools) {
    for (const auto& [name, origin] : measured_operators(problem, c).origins) {
      take_weaker(origins[name].decoding, origin.decoding);
      take_weaker(origins[name].prompts, origin.prompts);
    }
  }
  const auto place = [](FigureOrigin origin) {
    return std::pair(origin == FigureOrigin::kCatalog, origin == FigureOrigin::kExtrapolated);
  };
  for (const auto& [name, origin] : origins) {
    if (origin.decoding && origin.prompts && place(*origin.decoding) != place(*origin.prompts)) {
      sort_in(profile, name + " (decoding)", *origin.decoding);
      sort_in(profile, name + " (prompts)", *origin.prompts);
    } else {
      sort_in(profile, name, origin.decoding ? *origin.decoding : *origin.prompts);
    }
  }
}

// Pools that are parts of one group have the devices that their replicas use, and share none.
void count_cut_groups(Plan& plan) {
  for (PlanPool& pool : plan.pools) {
    const auto same = [&](const PlanPool& other) { return other.group == pool.group; };
    if (std::count_if(plan.pools.begin(), plan.pools.end(), same) < 2) continue;
    pool.devices = pool.devices_per_replica * pool.replicas;
    pool.idle_devices = 0;
  }
}

}  // namespace

Plan make_plan(const Cluster& cluster, const Catalog& catalog, std::shared_ptr<const Profile> profile) {
  const Architecture architecture = read_model(cluster, catalog);
  const std::vector<Tensor> weights = tensors(architecture);
  EngineProfile engine = read_engine(cluster, catalog);

  Plan plan;
  plan.title = cluster.title;
  plan.date = cluster.date;
  plan.file = cluster.file;
  plan.model = describe(architecture);
  plan.engine = engine.name;
  plan.load = describe_load(cluster.workload);
  plan.asked = serving_load(cluster.workload);
  plan.limits = serving_limits(cluster.workload);
  plan.objective = cluster.workload.objective == Objective::kCapacity ? "throughput within the service level"
                                                                      : "length of an answer at the load";
  plan.inputs.push_back({.path = cluster.file, .fnv64 = fnv64(cluster.file)});
  if (cluster.model_config) {
    const std::filesystem::path& path = *cluster.model_config;
    plan.inputs.push_back(
        {.path = path.string(), .fnv64 = fnv64(std::filesystem::is_directory(path) ? path / "config.json" : path)});
  }

  std::deque<Accelerator> hosts;
  const std::vector<Pool> pools = make_pools(cluster, hosts, plan.reasons);
  if (pools.empty()) plan.reasons.push_back("no group has accelerators to serve on");
  if (profile) engine = use_profile(plan, engine, std::move(profile), pools);
  const Problem problem{
      .architecture = architecture, .tensors = weights, .workload = cluster.workload, .engine = engine};
  const SearchResult found = search(problem, pools, cluster.layout);
  plan.notes.insert(plan.notes.end(), found.notes.begin(), found.notes.end());
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
    for (const Candidate& c : best.pools) plan.pools.push_back(describe_pool(problem, c));
    for (std::size_t i = 0; i < best.pools.size(); ++i)
      plan.pools[i].serving = serving_pool(problem, best.pools[i], best);
    plan.simulated = simulated_percentiles(plan, best);
    judge(plan, best, cluster.workload);
    count_cut_groups(plan);
    if (plan.profile) say_what_is_measured(*plan.profile, problem, best);
    plan.sensitivities = sensitivities(problem, best);
    plan.confidence = weakest_that_matters(problem, best, plan.sensitivities);
    for (PlanPool& pool : plan.pools) pool.step_time.confidence = plan.confidence;
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
  if (!found.solutions.empty()) add_watts(plan, problem, found.solutions.front(), cluster, catalog);
  return plan;
}

}  // namespace fathom