// Time value of money. Rates are shares per year, years may be fractional but positive. Formulas: docs/formulas/cost.md.
//
// Depreciation in accounting (straight line) is not this: an annuity is what a purchase costs per year of use at the
// price of capital r.
#pragma once

#include "units/money.h"

namespace fathom {

struct Term {
  double rate = 0;  // discount rate r, >= 0
  double years = 1;
};

// CRF(r, n) = r / (1 - (1+r)^-n); 1/n at r = 0. Throws std::invalid_argument for r < 0 or n <= 0.
double capital_recovery_factor(const Term& term);

// (1+r)^-n.
double discount_factor(const Term& term);

// A = (C0 - S/(1+r)^n) * CRF: what capex C0 costs per year when S is left at the end.
double annuity(double capex, double residual, const Term& term);
Money annuity(const Money& capex, const Money& residual, const Term& term);

// NPV = C0 + A_opex * (1 - (1+r)^-n)/r - S/(1+r)^n, a cost: lower is better. NPV * CRF == annuity + A_opex.
Money net_present_value(const Money& capex, const Money& opex_per_year, const Money& residual, const Term& term);

// C0 + n * A_opex - S: what a bill adds up to without interest.
Money nominal_total(const Money& capex, const Money& opex_per_year, const Money& residual, double years);

// One seat staffed around the clock: 168 h / 40 h = 4.2 people, 4.9 with 15 % leave.
double people_per_24x7_seat(double share_of_leave = 0);

}  // namespace fathom
