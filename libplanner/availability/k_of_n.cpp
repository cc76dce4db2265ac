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

// Beside the likeliest count, what is rarer than this changes no sum: of ten million nodes, some thousand counts remain.
constexpr double kNegligible = 1e-25;

// The part of a distribution that matters: element i is the probability of `first` + i.
struct Window {
  int first = 0;
  Distribution p;
};

// From the ratio w(i+1)/w(i), which falls as i grows: outwards from the largest weight, so that nothing overflows.
template <class Ratio>
Window around(int mode, int n, Ratio ratio) {
  Distribution below, above = {1};
  for (int i = mode; i < n && above.back() > kNegligible; ++i) above.push_back(above.back() * ratio(i));
  double weight = 1;
  for (int i = mode; i > 0 && weight > kNegligible; --i) below.push_back(weight /= ratio(i - 1));
  Window window{.first = mode - static_cast<int>(below.size()), .p = {below.rbegin(), below.rend()}};
  window.p.insert(window.p.end(), above.begin(), above.end());
  const double sum = std::accumulate(window.p.begin(), window.p.end(), 0.0);
  for (double& p : window.p) p /= sum;
  return window;
}

// P(i+1)/P(i) = (n-i)/(i+1) * A/(1-A).
Window binomial_window(int n, double up) {
  if (up == 0) return {.first = 0, .p = {1}};
  if (up == 1) return {.first = n, .p = {1}};
  const int mode = std::min(n, static_cast<int>((n + 1.0) * up));
  return around(mode, n, [n, odds = up / (1 - up)](int i) { return (n - i) / (i + 1.0) * odds; });
}

void add(Distribution& sum, const Window& part, double weight) {
  for (std::size_t i = 0; i < part.p.size(); ++i) sum[part.first + i] += weight * part.p[i];
}

Distribution convolve(const Distribution& a, const Distribution& b) {
  std::vector<std::size_t> likely;
  for (std::size_t j = 0; j < b.size(); ++j) {
    if (b[j] > 0) likely.push_back(j);
  }
  Distribution sum(a.size() + b.size() - 1, 0.0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == 0) continue;
    for (const std::size_t j : likely) sum[i + j] += a[i] * b[j];
  }
  return sum;
}

// `count` equal domains: with d of them up, the members of those d are independent.
Distribution equal_domains(int count, const FailureDomain& domain, double member_up) {
  check_share(domain.up);
  Distribution sum(static_cast<std::size_t>(count) * domain.members + 1, 0.0);
  const Window up = binomial_window(count, domain.up);
  for (std::size_t i = 0; i < up.p.size(); ++i) {
    const int d = up.first + static_cast<int>(i);
    add(sum, binomial_window(d * domain.members, member_up), up.p[i]);
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

Distribution binomial(int n, double up) {
  check_count(n);
  check_share(up);
  Distribution result(n + 1, 0.0);
  add(result, binomial_window(n, up), 1);
  return result;
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
  const auto ratio = [&](int down) {
    return (n - down) * repair.failures_per_repair / std::min(down + 1, repair.crews);
  };
  int mode = 0;  // the first count of things down that the next one does not exceed
  for (int high = n; mode < high;) {
    const int middle = mode + (high - mode) / 2;
    ratio(middle) > 1 ? mode = middle + 1 : high = middle;
  }
  Distribution result(n + 1, 0.0);
  const Window down = around(mode, n, ratio);
  for (std::size_t i = 0; i < down.p.size(); ++i) result[n - down.first - i] = down.p[i];
  return result;
}

Distribution pooled(const std::vector<FailureDomain>& domains, double member_up) {
  check_share(member_up);
  Distribution total = {1};
  for (std::size_t at = 0; at < domains.size();) {
    int equal = 0;
    for (const FailureDomain& domain = domains[at]; at < domains.size() && domains[at] == domain; ++at) ++equal;
    Distribution next = equal_domains(equal, domains[at - 1], member_up);
    total = total.size() == 1 ? std::move(next) : convolve(total, next);
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
