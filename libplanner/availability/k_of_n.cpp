#include "availability/k_of_n.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace fathom {
namespace {

void check_share(double value) {
  if (!(value >= 0 && value <= 1)) throw std::invalid_argument("an availability lies between 0 and 1");
}

void check_count(int n) {
  if (n < 0) throw std::invalid_argument("a number of parts cannot be negative");
}

// Weights known up to a factor, as logarithms: shifted by the largest, so that nothing overflows.
Distribution normalised(Distribution log_weights) {
  const double top = *std::max_element(log_weights.begin(), log_weights.end());
  for (double& w : log_weights) w = std::exp(w - top);
  const double sum = std::accumulate(log_weights.begin(), log_weights.end(), 0.0);
  for (double& w : log_weights) w /= sum;
  return log_weights;
}

Distribution certain(int n, int outcome) {
  Distribution result(n + 1, 0.0);
  result[outcome] = 1;
  return result;
}

Distribution convolve(const Distribution& a, const Distribution& b) {
  Distribution sum(a.size() + b.size() - 1, 0.0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < b.size(); ++j) sum[i + j] += a[i] * b[j];
  }
  return sum;
}

}  // namespace

double steady_availability(Seconds mtbf, Seconds mttr) {
  if (!(mtbf.value > 0) || mttr.value < 0) throw std::invalid_argument("MTBF must be positive, MTTR not negative");
  return mtbf / (mtbf + mttr);
}

Seconds downtime_per_year(double availability) {
  check_share(availability);
  return Seconds((1 - availability) * kHoursPerYear * 3600);
}

// P(i+1)/P(i) = (n-i)/(i+1) * A/(1-A).
Distribution binomial(int n, double up) {
  check_count(n);
  check_share(up);
  if (up == 0) return certain(n, 0);
  if (up == 1) return certain(n, n);
  const double odds = std::log(up) - std::log1p(-up);
  Distribution weights(n + 1, 0.0);
  for (int i = 0; i < n; ++i) weights[i + 1] = weights[i] + std::log((n - i) / (i + 1.0)) + odds;
  return normalised(std::move(weights));
}

// Sums the side with fewer terms from small to large, so that neither 1e-12 nor 1 - 1e-12 is lost.
double at_least(const Distribution& up, int k) {
  const int n = static_cast<int>(up.size()) - 1;
  if (k <= 0) return 1;
  if (k > n) return 0;
  if (k <= n / 2) return std::max(0.0, 1 - std::accumulate(up.begin(), up.begin() + k, 0.0));
  return std::min(1.0, std::accumulate(up.begin() + k, up.end(), 0.0));
}

double k_of_n(int k, int n, double up) { return at_least(binomial(n, up), k); }

// pi(down+1) = pi(down) * (n-down) lambda / (min(down+1, c) mu); then counted by things up instead of down.
Distribution repaired(int n, Repair repair) {
  check_count(n);
  if (repair.crews < 1 || !(repair.failures_per_repair >= 0)) {
    throw std::invalid_argument("repair needs at least one crew and a failure rate that is not negative");
  }
  if (repair.failures_per_repair == 0) return certain(n, n);
  Distribution weights(n + 1, 0.0);
  for (int down = 0; down < n; ++down) {
    const double ratio = (n - down) * repair.failures_per_repair / std::min(down + 1, repair.crews);
    weights[n - down - 1] = weights[n - down] + std::log(ratio);
  }
  return normalised(std::move(weights));
}

Distribution pooled(const std::vector<FailureDomain>& domains, double member_up) {
  Distribution total = certain(0, 0);
  for (const FailureDomain& domain : domains) {
    check_share(domain.up);
    Distribution one = binomial(domain.members, member_up);
    for (double& p : one) p *= domain.up;
    one[0] += 1 - domain.up;
    total = convolve(total, one);
  }
  return total;
}

std::vector<FailureDomain> spread_over_domains(int members, int per_domain, double domain_up) {
  check_count(members);
  if (per_domain < 1) throw std::invalid_argument("a failure domain has at least one member");
  std::vector<FailureDomain> domains;
  for (int left = members; left > 0; left -= per_domain) {
    domains.push_back({.members = std::min(left, per_domain), .up = domain_up});
  }
  return domains;
}

std::optional<int> spares_for(int k, double up, double target, int most) {
  for (int spares = 0; spares <= most; ++spares) {
    if (k_of_n(k, k + spares, up) >= target) return spares;
  }
  return std::nullopt;
}

}  // namespace fathom
