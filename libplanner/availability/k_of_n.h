// Probabilities that enough of n like things work. Pure numbers: no hardware, no defaults.
//
// Shares are in [0, 1], counts >= 0; anything else throws std::invalid_argument. Exact to about 1e-12 up to n = 1,000
// (ratios of neighbours, no factorials); counts 10^25 times rarer than the likeliest are taken as 0. Formulas: docs/formulas/availability.md.
#pragma once

#include <optional>
#include <vector>

#include "units/quantity.h"

namespace fathom {

inline constexpr double kHoursPerYear = 8760;

// Element i is the probability that exactly i work; the elements sum to 1.
using Distribution = std::vector<double>;

// Share of time that something is up which works `mtbf` and then takes `mttr` to repair.
double steady_availability(Seconds mtbf, Seconds mttr);

// Hours per year below 1: 99.9 % is 8.76 h.
Seconds downtime_per_year(double availability);

// n independent things that are up with probability `up`.
Distribution binomial(int n, double up);

// P(at least k); 1 for k <= 0, 0 for k beyond the end.
double at_least(const Distribution& up, int k);

// P(at least k of n), independent, as many repairs at a time as there are failures.
double k_of_n(int k, int n, double up);

struct Repair {
  double failures_per_repair = 0;  // lambda/mu of one thing: MTTR/MTBF
  int crews = 1;                   // repairs at a time
};

// The same with a queue for the crews: a birth-death chain in which every thing that is up may fail, spares included.
Distribution repaired(int n, Repair repair);

// Things that share fate: a building with its switch, a rack with its feed.
struct FailureDomain {
  int members = 1;
  double up = 1;  // of what they share

  bool operator==(const FailureDomain&) const = default;
};

// Each domain gives none with probability 1 - up, else a binomial count of its members. Runs of equal domains are summed
// at once, so that millions take no time.
Distribution pooled(const std::vector<FailureDomain>& domains, double member_up);

// `members` spread over domains of at most `per_domain`.
std::vector<FailureDomain> spread_over_domains(int members, int per_domain, double domain_up);

// The fewest spares s with P(at least k of k + s) >= target; nullopt beyond `most`.
std::optional<int> spares_for(int k, double up, double target, int most = 1000);

}  // namespace fathom
