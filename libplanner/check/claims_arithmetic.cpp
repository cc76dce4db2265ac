// Sums, products, shares and ratios of figures that a design prints side by side.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/claims_terms.h"

namespace fathom::claims {

namespace {

// "3.5 USD/m" times metres is money: units of prices that are quantities take part in products.
Amount with_units(Amount amount) {
  struct Per {
    std::string_view unit;
    std::size_t power;  // of Dimension::powers
    double scale;       // to SI
  };
  constexpr double kHour = 3600;
  static constexpr Per kUnits[] = {
      {"m", 4, 1},    {"km", 4, 1e3}, {"h", 2, kHour}, {"month", 2, 730 * kHour}, {"year", 2, 8760 * kHour},
      {"TB", 0, 1e12}};
  if (amount.dimension.per == "kWh") {  // J = W s, whose powers stand in one place
    amount.dimension.per.clear();
    amount.dimension.powers[3] -= 1;
    amount.value /= 3.6e6;
  }
  for (const Per& per : kUnits) {
    if (amount.dimension.per != per.unit) continue;
    amount.dimension.per.clear();
    amount.dimension.powers[per.power] -= 1;
    amount.value /= per.scale;
  }
  return amount;
}

std::string written_product(const std::vector<std::pair<std::string, WrittenAmount>>& terms, std::string_view sign) {
  std::string out;
  for (const auto& [name, term] : terms) out += (out.empty() ? "" : std::string(sign)) + term.text;
  return out;
}

// The figures are compared as they are rounded.
bool agrees(double computed, const WrittenAmount& stated) {
  return std::abs(computed - stated.amount.value) <= stated.half_place + 1e-9 * std::abs(computed);
}

void need_dimension(Terms& claim, const Amount& computed, const WrittenAmount& stated) {
  if (computed.dimension == stated.amount.dimension) return;
  claim.fail_value(
      fmt::format("the terms make {}, the value is {}", name_of(computed.dimension), name_of(stated.amount.dimension)));
}

std::string in_words(const Amount& amount, const WrittenAmount& like) {
  return like.percent ? percent(amount.value) : to_string(amount);
}

// A digit or a unit was lost.
std::string factor(double computed, double stated) {
  if (stated == 0 || computed == 0) return {};
  const double ratio = std::max(computed / stated, stated / computed);
  return ratio >= 5 ? fmt::format(": a factor of {}", number(ratio)) : std::string();
}

Judgement compare(const std::string& left, const Amount& computed, const WrittenAmount& stated) {
  const std::string equation = fmt::format("{} = {}", left, in_words(computed, stated));
  if (agrees(computed.value, stated)) return holds(equation);
  return contradicted(fmt::format("{}, not {}{}", equation, stated.text, factor(computed.value, stated.amount.value)));
}

Judgement product_of_terms(Terms& claim) {
  const auto terms = claim.all_amounts();
  const WrittenAmount stated = claim.amount_value();
  Amount computed{.value = 1};
  for (const auto& [name, term] : terms)
    computed = product(computed, with_units(term.amount), 1, claim.cluster().finance.exchange);
  computed = exchanged(computed, stated.amount.currency, claim.cluster().finance.exchange);
  need_dimension(claim, computed, stated);
  return compare(written_product(terms, " x "), computed, stated);
}

// Percentages that are rounded one by one may miss 100 by one in the last place.
Judgement sum_of_terms(Terms& claim) {
  const auto terms = claim.all_amounts();
  WrittenAmount stated = claim.amount_value();
  Amount sum{.value = 0, .dimension = stated.amount.dimension, .currency = stated.amount.currency};
  double finest = 1;
  for (const auto& [name, term] : terms) {
    const Amount added = exchanged(term.amount, sum.currency, claim.cluster().finance.exchange);
    if (added.dimension != sum.dimension) {
      claim.fail_term(name, fmt::format("{} cannot be added to {}", name_of(added.dimension), name_of(sum.dimension)));
    }
    sum.value += added.value;
    finest = std::min(finest, 2 * term.half_place);
  }
  if (stated.percent) stated.half_place = std::max(stated.half_place, finest);
  return compare(written_product(terms, " + "), sum, stated);
}

Judgement share_of_total(Terms& claim) {
  const WrittenAmount part = claim.amount("part");
  const bool band = claim.has("total_low");
  const WrittenAmount low = claim.amount(band ? "total_low" : "total"), high = band ? claim.amount("total_high") : low;
  const WrittenAmount stated = claim.amount_value();
  const auto share_of = [&](const WrittenAmount& total, const std::string& key) {
    if (!(total.amount.value > 0)) claim.fail_term(key, "a total must be above 0");
    const Amount share = product(part.amount, total.amount, -1, claim.cluster().finance.exchange);
    if (share.dimension == Dimension{}) return share.value;
    claim.fail_term(
        "part", fmt::format("{} is no part of {}", name_of(part.amount.dimension), name_of(total.amount.dimension)));
  };
  const double most = share_of(low, band ? "total_low" : "total");
  const double least = band ? share_of(high, "total_high") : most;
  const std::string computed =
      band ? fmt::format("{} of {} to {} are {} to {}", part.text, low.text, high.text, percent(least), percent(most))
           : fmt::format("{} of {} are {}", part.text, low.text, percent(most));
  const double slack = stated.half_place + 1e-9;
  const bool right = stated.amount.value >= least - slack && stated.amount.value <= most + slack;
  return right ? holds(computed) : contradicted(fmt::format("{}, not {}", computed, stated.text));
}

Judgement ratio_of_terms(Terms& claim) {
  const double after = claim.need<double>("after"), before = claim.need<double>("before");
  const WrittenAmount stated = claim.amount_value();
  if (before == 0) claim.fail_term("before", "nothing is a multiple of 0");
  need_dimension(claim, Amount{}, stated);
  return compare(fmt::format("{} / {}", number(after), number(before)), Amount{.value = after / before}, stated);
}

Judgement within_bounds(Terms& claim) {
  const WrittenAmount low = claim.amount("low"), high = claim.amount("high"), stated = claim.amount_value();
  const auto value_of = [&](const WrittenAmount& bound, const std::string& key) {
    const Amount amount = exchanged(bound.amount, stated.amount.currency, claim.cluster().finance.exchange);
    if (amount.dimension == stated.amount.dimension) return amount.value;
    claim.fail_term(
        key, fmt::format("{} cannot be compared with {}", name_of(amount.dimension), name_of(stated.amount.dimension)));
  };
  const double least = value_of(low, "low"), most = value_of(high, "high");
  if (least > most) claim.fail_term("low", "it is above \"high\"");
  const bool right = stated.amount.value >= least && stated.amount.value <= most;
  const std::string range = fmt::format("{} to {}", low.text, high.text);
  return right ? holds(fmt::format("{} lies within {}", stated.text, range))
               : contradicted(fmt::format("{} lies outside {}", stated.text, range));
}

}  // namespace

std::vector<Subject> arithmetic_claims() {
  return {{"arithmetic.product", product_of_terms},
          {"arithmetic.sum", sum_of_terms},
          {"arithmetic.share", share_of_total},
          {"arithmetic.ratio", ratio_of_terms},
          {"arithmetic.within", within_bounds}};
}

}  // namespace fathom::claims
