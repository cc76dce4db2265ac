#include "plan/verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/describe.h"
#include "units/text.h"

namespace fathom {

void judge(Plan& plan, const Solution& best, const Workload& w) {
  plan.fits = true;
  if (best.saturated) {
    plan.reasons.push_back(
        fmt::format("the load of {:.3g} requests/s exceeds what the cluster answers ({:.3g}/s): the queue would grow",
                    w.arrival_rate->value, best.requests_per_s));
  }
  // The mean, or what a percentile came to in the simulation.
  bool keeps = true;
  const auto compare = [&](const char* name, const std::optional<Seconds>& limit, Seconds mean,
                           Spread PlanSimulation::*of) {
    const Seconds value = plan.simulated ? ((*plan.simulated).*of).named : mean;
    if (!limit || value <= *limit) return;
    keeps = false;
    const std::string which = plan.simulated ? fmt::format("P{:g} of ", plan.simulated->percentile) : std::string();
    plan.reasons.push_back(
        fmt::format("{}{} {} at the load, {} wanted", which, name, to_string(value), to_string(*limit)));
  };
  compare("TTFT", w.slo.ttft, best.ttft, &PlanSimulation::ttft);
  compare("TPOT", w.slo.tpot, best.tpot, &PlanSimulation::tpot);
  compare("end to end", w.slo.e2e, best.e2e, &PlanSimulation::e2e);
  if (plan.simulated && plan.simulated->overloaded) {
    keeps = false;
    plan.reasons.push_back("the queue grew in the simulation: more requests come than are answered");
  }
  plan.meets = (plan.simulated ? keeps : best.keeps_service_level) && !best.saturated;
  plan.saturated = best.saturated;
}

// What a yes rests on: the worst case of the band, percentiles that were not simulated, and what the bill leaves open.
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
  if (!plan.simulated && w.slo.percentile > 50 && (w.slo.ttft || w.slo.tpot || w.slo.e2e)) {
    plan.caveats.push_back(fmt::format("the service level names P{:g}, and means were compared: P{:g} is longer",
                                       w.slo.percentile, w.slo.percentile));
  }
  for (const Candidate& c : best.pools) {
    if (c.load.kv_limited && !best.saturated) {
      plan.caveats.push_back("the KV cache holds fewer requests than are in flight: the others wait for a place");
    }
    for (const std::string& note : c.pool->notes) {  // two pools may be parts of one group
      if (std::find(plan.caveats.begin(), plan.caveats.end(), note) == plan.caveats.end()) plan.caveats.push_back(note);
    }
  }
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

}  // namespace fathom
