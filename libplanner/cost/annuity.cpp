#include "cost/annuity.h"

#include <cmath>
#include <stdexcept>

namespace fathom {

// expm1 and log1p keep the digits that 1 - (1+r)^-n loses for small r.
double capital_recovery_factor(const Term& term) {
  if (!(term.rate >= 0) || !(term.years > 0))
    throw std::invalid_argument("an annuity needs r >= 0 and more than 0 years");
  if (term.rate == 0) return 1 / term.years;
  return term.rate / -std::expm1(-term.years * std::log1p(term.rate));
}

double discount_factor(const Term& term) { return std::exp(-term.years * std::log1p(term.rate)); }

double annuity(double capex, double residual, const Term& term) {
  return (capex - residual * discount_factor(term)) * capital_recovery_factor(term);
}

// Rounded once, at the end; the sum of the amounts refuses mixed currencies.
Money annuity(const Money& capex, const Money& residual, const Term& term) {
  return Money::from_major(annuity(capex.major(), residual.major(), term), (capex + residual).currency());
}

Money net_present_value(const Money& capex, const Money& opex_per_year, const Money& residual, const Term& term) {
  const double value =
      capex.major() + opex_per_year.major() / capital_recovery_factor(term) - residual.major() * discount_factor(term);
  return Money::from_major(value, (capex + opex_per_year + residual).currency());
}

Money nominal_total(const Money& capex, const Money& opex_per_year, const Money& residual, double years) {
  return capex + opex_per_year.times(years) - residual;
}

double people_per_24x7_seat(double share_of_leave) { return 168.0 / 40 / (1 - share_of_leave); }

}  // namespace fathom
