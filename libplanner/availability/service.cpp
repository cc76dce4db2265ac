#include "availability/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "availability/k_of_n.h"

namespace fathom {
namespace {

// The rack switch and feed, or the switch of a building: nobody publishes it as one figure; three nines, replaceable.
constexpr double kDomainUp = 0.999;
// At the worst published rate (6.5 failures per 1,000 node-days, a day each) a crew of 100 nodes is busy 65 % of the time.
constexpr int kNodesPerCrew = 100;
constexpr int kMostSpares = 256;

// One consistent set of rates: the likely one, the worst or the best end of every range.
struct Rates {
  double node_up = 1;
  double failures_per_1000_node_days = 0;
  double failures_per_repair = 0;
  double domain_up = 1;
  double mains = 1;
};

struct Outcome {
  double capacity = 1;  // mains included
  double failover_loss = 0;
  double service() const { return capacity * (1 - failover_loss); }
};

double low_of(const std::optional<Fact<double>>& fact, double fallback) {
  return fact ? fact->low_or_value() : fallback;
}
double high_of(const std::optional<Fact<double>>& fact, double fallback) {
  return fact ? fact->high_or_value() : fallback;
}
double likely_of(const std::optional<Fact<double>>& fact, double fallback) { return fact ? fact->value : fallback; }

double per_repair(double failures_per_1000_node_days, Seconds mttr) {
  return failures_per_1000_node_days / 1000 * (mttr / Seconds(86400));
}

Rates likely_rates(const ServiceCase& c) {
  const NodeReliability& n = c.node;
  return {.node_up = n.availability.value,
          .failures_per_1000_node_days = n.failures_per_1000_node_days.value,
          .failures_per_repair = per_repair(n.failures_per_1000_node_days.value, n.mttr.value),
          .domain_up = likely_of(c.domain_availability, kDomainUp),
          .mains = likely_of(c.mains_availability, 1)};
}

Rates worst_rates(const ServiceCase& c) {
  const NodeReliability& n = c.node;
  return {.node_up = n.availability.low_or_value(),
          .failures_per_1000_node_days = n.failures_per_1000_node_days.high_or_value(),
          .failures_per_repair = per_repair(n.failures_per_1000_node_days.high_or_value(), n.mttr.high_or_value()),
          .domain_up = low_of(c.domain_availability, kDomainUp),
          .mains = low_of(c.mains_availability, 1)};
}

Rates best_rates(const ServiceCase& c) {
  const NodeReliability& n = c.node;
  return {.node_up = n.availability.high_or_value(),
          .failures_per_1000_node_days = n.failures_per_1000_node_days.low_or_value(),
          .failures_per_repair = per_repair(n.failures_per_1000_node_days.low_or_value(), n.mttr.low_or_value()),
          .domain_up = high_of(c.domain_availability, kDomainUp),
          .mains = high_of(c.mains_availability, 1)};
}

int needed_replicas(const ServiceCase& c) { return c.replicas_needed.value_or(c.replicas); }

int serving_nodes(const ServiceCase& c) { return c.replicas * c.nodes_per_replica; }

void check(const ServiceCase& c) {
  const bool counts = c.replicas >= 1 && c.nodes_per_replica >= 1 && c.spare_nodes >= 0 &&
                      c.nodes_per_failure_domain >= 1 && c.repair_crews.value_or(1) >= 1;
  const bool needed = needed_replicas(c) >= 1 && needed_replicas(c) <= c.replicas;
  if (!counts || !needed) throw std::invalid_argument("replicas, nodes and crews count from one, spares from zero");
}

// Shared domains by convolution; else a queue for the crews; else independent repairs. Domains and queues together
// would need one chain per domain: the domain dominates there, so the queue is left out.
Distribution nodes_up(const ServiceCase& c, int nodes, const Rates& r) {
  if (c.nodes_per_failure_domain > 1) {
    return pooled(spread_over_domains(nodes, c.nodes_per_failure_domain, r.domain_up), r.node_up);
  }
  if (c.node.availability_stated) return binomial(nodes, r.node_up);
  const int crews = c.repair_crews.value_or((nodes + kNodesPerCrew - 1) / kNodesPerCrew);
  return repaired(nodes, {.failures_per_repair = r.failures_per_repair, .crews = crews});
}

double failures_per_year(const ServiceCase& c, const Rates& r) {
  return serving_nodes(c) * failures_per_node_year(r.failures_per_1000_node_days);
}

// Where a replica more than needed runs, the others take over as soon as the failure is noticed.
Seconds interruption(const ServiceCase& c) {
  return needed_replicas(c) < c.replicas ? c.failover.detect : c.failover.total();
}

// failures/year * blast * t_failover / 8760 h; one failure stops one replica of `replicas`.
double failover_loss(const ServiceCase& c, const Rates& r) {
  const double hours = failures_per_year(c, r) / c.replicas * (interruption(c) / Seconds(3600));
  return std::min(1.0, hours / kHoursPerYear);
}

Outcome outcome(const ServiceCase& c, int spares, const Rates& r) {
  const Distribution up = nodes_up(c, serving_nodes(c) + spares, r);
  return {.capacity = at_least(up, needed_replicas(c) * c.nodes_per_replica) * r.mains,
          .failover_loss = failover_loss(c, r)};
}

double capacity_share(const ServiceCase& c, const Rates& r) {
  const Distribution up = nodes_up(c, serving_nodes(c) + c.spare_nodes, r);
  double replicas = 0;
  for (std::size_t nodes = 0; nodes < up.size(); ++nodes) {
    replicas += up[nodes] * std::min(c.replicas, static_cast<int>(nodes) / c.nodes_per_replica);
  }
  return replicas * r.mains / c.replicas;
}

double own_nodes_up(const ServiceCase& c, const Rates& r) {
  const int n = c.nodes_per_replica;
  const bool shared = c.nodes_per_failure_domain > 1;
  const auto domains = spread_over_domains(n, c.nodes_per_failure_domain, shared ? r.domain_up : 1);
  return at_least(pooled(domains, r.node_up), n) * r.mains;
}

// By bisection: more spares never lower the service.
std::optional<int> spares_needed(const ServiceCase& c, const Rates& r) {
  const auto meets = [&](int spares) { return outcome(c, spares, r).service() >= *c.target; };
  int high = std::clamp(serving_nodes(c), 8, kMostSpares);
  if (!c.target || !meets(high)) return std::nullopt;
  for (int low = -1; high - low > 1;) {
    const int middle = (low + high) / 2;
    (meets(middle) ? high : low) = middle;
  }
  return high;
}

// mains * (1 - f * blast * t / 8760 h) = target, solved for t: capacity is taken as perfect.
std::optional<Seconds> failover_allowed(const ServiceCase& c, const Rates& r) {
  const double failures = failures_per_year(c, r) / c.replicas;
  if (!c.target || failures == 0 || r.mains == 0) return std::nullopt;
  return Seconds(std::max(0.0, 1 - *c.target / r.mains) * kHoursPerYear * 3600 / failures);
}

std::string limit(const ServiceCase& c, const Outcome& o, const Rates& r) {
  const double mains = 1 - r.mains;
  const double nodes = r.mains > 0 ? 1 - o.capacity / r.mains : 0;
  if (mains > nodes && mains > o.failover_loss) return "mains supply";
  if (o.failover_loss > nodes) {
    return fmt::format("failover time: {:.0f} failures a year, {:.0f} s each", failures_per_year(c, r),
                       interruption(c).value);
  }
  if (c.nodes_per_failure_domain > 1) return fmt::format("failure domains of {} nodes", c.nodes_per_failure_domain);
  return c.spare_nodes == 0 ? "no spare node" : fmt::format("{} spare nodes are too few", c.spare_nodes);
}

std::vector<std::string> assumptions(const ServiceCase& c) {
  std::vector<std::string> list;
  const NodeReliability& n = c.node;
  const auto assumed = [](const Origin& origin) { return origin.confidence == Confidence::kAssumed; };
  if (!n.availability_stated && assumed(n.failures_per_1000_node_days.origin)) {
    list.push_back(fmt::format("{} failures per 1,000 node-days", n.failures_per_1000_node_days.value));
  }
  if (assumed(n.mttr.origin)) list.push_back(fmt::format("{:.3g} h to repair a node", n.mttr.value.value / 3600));
  if (c.failover.confidence == Confidence::kAssumed) {
    list.push_back(fmt::format("{:.0f} s to fail over", c.failover.total().value));
  }
  if (c.nodes_per_failure_domain > 1 && !c.domain_availability) {
    list.push_back(fmt::format("a failure domain is up {} of the time", kDomainUp));
  }
  return list;
}

Confidence confidence(const ServiceCase& c) {
  Confidence weak = weakest(c.node.availability.origin.confidence, c.failover.confidence);
  weak = weakest(weak, c.node.failures_per_1000_node_days.origin.confidence);
  if (c.mains_availability) weak = weakest(weak, c.mains_availability->origin.confidence);
  if (c.nodes_per_failure_domain == 1) return weak;
  return weakest(weak, c.domain_availability ? c.domain_availability->origin.confidence : Confidence::kAssumed);
}

void judge(AvailabilityReport& report, double target) {
  report.meets_target = report.service.likely >= target;
  report.budget_left = downtime_per_year(target) - report.downtime_per_year;
}

}  // namespace

AvailabilityReport service_availability(const ServiceCase& c) {
  check(c);
  const Rates likely = likely_rates(c);
  const Outcome now = outcome(c, c.spare_nodes, likely);
  AvailabilityReport report{.service = {.min = outcome(c, c.spare_nodes, worst_rates(c)).service(),
                                        .likely = now.service(),
                                        .max = outcome(c, c.spare_nodes, best_rates(c)).service(),
                                        .confidence = confidence(c)},
                            .capacity = now.capacity,
                            .capacity_share = capacity_share(c, likely),
                            .per_replica = own_nodes_up(c, likely),
                            .failures_per_year = failures_per_year(c, likely),
                            .failover_loss = now.failover_loss,
                            .replicas = c.replicas,
                            .replicas_needed = needed_replicas(c),
                            .spare_nodes = c.spare_nodes,
                            .spares_needed = spares_needed(c, likely),
                            .failover = interruption(c),
                            .downtime_per_year = downtime_per_year(now.service()),
                            .failover_allowed = failover_allowed(c, likely),
                            .limited_by = limit(c, now, likely),
                            .assumptions = assumptions(c)};
  if (c.target) judge(report, *c.target);
  return report;
}

Estimate<double> in_series(const std::vector<Estimate<double>>& parts) {
  Estimate<double> product{.min = 1, .likely = 1, .max = 1, .confidence = Confidence::kMeasured};
  for (const Estimate<double>& part : parts) {
    product.min *= part.min;
    product.likely *= part.likely;
    product.max *= part.max;
    product.confidence = weakest(product.confidence, part.confidence);
  }
  return product;
}

}  // namespace fathom
