// Claims about keys of the plan: the design as the planner computes it answers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "availability/k_of_n.h"
#include "availability/reliability.h"
#include "check/claims_terms.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

std::string reasons(const Plan& plan) {
  return plan.reasons.empty() ? "nothing is served" : "nothing is served: " + plan.reasons.front();
}

// A claim that is no better than the best case holds; a tenth beyond is within the plan's own trust.
enum class Better { kLower, kHigher };
Judgement against(double stated, double best, Better better, const std::string& text) {
  const double beyond = better == Better::kHigher ? stated / best - 1 : 1 - stated / best;
  if (beyond <= 1e-9) return holds(text);
  return beyond <= 0.1 ? misleading(text) : contradicted(text);
}

// Lower is better of watts, seconds and money; higher of rates.
template <class T>
Judgement lower_is_better(Terms& claim, const std::optional<Estimate<T>>& estimate) {
  const T stated = claim.value<T>();
  if (!estimate) return contradicted(reasons(claim.audit().plan()));
  const std::string text = fmt::format("the plan computes {} to {}, stated is {}", to_string(estimate->min),
                                       to_string(estimate->max), to_string(stated));
  return against(stated.value, estimate->min.value, Better::kLower, text);
}

Judgement higher_is_better(Terms& claim, const std::optional<Estimate<double>>& estimate) {
  const Hertz stated = claim.value<Hertz>();
  if (!estimate) return contradicted(reasons(claim.audit().plan()));
  const std::string text = fmt::format("the plan computes {} to {} /s, stated are {}", number(estimate->min),
                                       number(estimate->max), claim.value_text());
  return against(stated.value, estimate->max, Better::kHigher, text);
}

template <Estimate<Watts> SitePower::*kMember>
Judgement watts(Terms& claim) {
  const auto& power = claim.audit().plan().power;
  return lower_is_better<Watts>(claim, power ? std::optional((*power).*kMember) : std::nullopt);
}

template <Estimate<Seconds> PlanPredictions::*kMember>
Judgement seconds(Terms& claim) {
  const Plan& plan = claim.audit().plan();
  return lower_is_better<Seconds>(claim, plan.fits ? std::optional(plan.predictions.*kMember) : std::nullopt);
}

template <Estimate<double> PlanPredictions::*kMember>
Judgement rate(Terms& claim) {
  const Plan& plan = claim.audit().plan();
  return higher_is_better(claim, plan.fits ? std::optional(plan.predictions.*kMember) : std::nullopt);
}

// A sum that leaves out a part without a price is a lower bound.
template <Money CostReport::*kMember>
Judgement money(Terms& claim) {
  const Money stated = claim.value<Money>();
  const Plan& plan = claim.audit().plan();
  if (!plan.cost) return unchecked("the plan has no costs");
  const Money computed = convert((*plan.cost).*kMember, stated.currency(), claim.cluster().finance.exchange);
  const std::string text = fmt::format("the plan computes {}{}, stated is {}", plan.cost->complete ? "" : "at least ",
                                       to_string(computed), to_string(stated));
  if (computed.is_zero()) return unchecked(text);
  return against(stated.major(), computed.major(), Better::kLower, text);
}

// ---------------------------------------------------------------------------------------------------------------------
// Availability

// "N+2": two nodes beyond those that serve.
int spares_of(Terms& claim) {
  const std::string scheme = claim.need<std::string>("scheme");
  const std::optional<ScannedNumber> spares =
      scheme.starts_with("N+") ? scan_number(std::string_view(scheme).substr(2)) : std::nullopt;
  if (!spares || !spares->rest.empty() || spares->value < 0 || spares->value > 1000)
    claim.fail_term("scheme", "expected a scheme such as N+1, found " + in_quotes(scheme));
  return static_cast<int>(spares->value);
}

Fact<double> availability_of_node(const Cluster& cluster) {
  ReliabilityInput input{.failures_per_1000_node_days = cluster.availability.failures_per_1000_node_days,
                         .mttr = cluster.availability.mttr};
  for (const Group& group : cluster.groups) {
    if (group.role != "support" && group.availability) input.availability = group.availability;
  }
  return node_reliability(input).availability;
}

Judgement of_a_scheme(Terms& claim) {
  const int asked = spares_of(claim);
  const double nodes = claim.count("nodes"), replicas = claim.count("replicas");
  const double each = claim.count("nodes_per_replica", 1);
  const double stated = claim.value<double>();
  const double serving = replicas * each;
  const double spare = nodes - serving;
  if (!(stated > 0) || stated > 1) claim.fail_value("an availability lies between 0 and 1");
  if (spare < asked) {
    const double one = std::pow(stated, 1 / serving);
    return contradicted(
        fmt::format("N+{} needs {} spare nodes, {} replicas on {} nodes leave {}; without any, {} of all "
                    "of them take {:.8g} % of each",
                    asked, asked, number(replicas), number(nodes), number(spare), percent(stated), one * 100));
  }
  constexpr double kMostNodes = 100'000;
  if (nodes > kMostNodes) return unchecked("too many nodes to count their states");
  const Fact<double> node = availability_of_node(claim.cluster());
  const double reached = k_of_n(static_cast<int>(serving), static_cast<int>(nodes), node.high_or_value());
  const std::string text = fmt::format("{} of {} nodes that are up {:.4g} % of the year each are there {:.5g} % of it",
                                       number(serving), number(nodes), node.high_or_value() * 100, reached * 100);
  return stated <= reached ? holds(text) : contradicted(fmt::format("{}, not {:.5g} %", text, stated * 100));
}

Judgement service(Terms& claim) {
  if (claim.has("scheme")) return of_a_scheme(claim);
  const double stated = claim.value<double>();
  if (!(stated > 0) || stated > 1) claim.fail_value("an availability lies between 0 and 1");
  const Plan& plan = claim.audit().plan();
  if (!plan.availability) return contradicted(reasons(plan));
  const Estimate<double>& reached = plan.availability->service;
  const std::string text = fmt::format("{:.4g} % are {} a year; the plan computes {:.4f} to {:.4f} %", stated * 100,
                                       to_string(downtime_per_year(stated)), reached.min * 100, reached.max * 100);
  if (stated <= reached.likely) return holds(text);
  return stated <= reached.max ? misleading(text) : contradicted(text);
}

}  // namespace

std::vector<Subject> plan_claims() {
  return {{"availability.service", service},
          {"cost.capex", money<&CostReport::capex>},
          {"cost.opex_per_year", money<&CostReport::opex_per_year>},
          {"cost.total", money<&CostReport::nominal>},
          {"power.it_mean_w", watts<&SitePower::it_mean>},
          {"power.it_peak_w", watts<&SitePower::it_peak>},
          {"power.site_mean_w", watts<&SitePower::site_mean>},
          {"predictions.ttft_s", seconds<&PlanPredictions::ttft>},
          {"predictions.tpot_s", seconds<&PlanPredictions::tpot>},
          {"predictions.e2e_s", seconds<&PlanPredictions::e2e>},
          {"predictions.step_time_s", seconds<&PlanPredictions::step_time>},
          {"predictions.output_tok_per_s", rate<&PlanPredictions::output_tok_per_s>},
          {"predictions.prefill_tok_per_s", rate<&PlanPredictions::prefill_tok_per_s>},
          {"predictions.requests_per_s", rate<&PlanPredictions::requests_per_s>}};
}

}  // namespace fathom::claims
