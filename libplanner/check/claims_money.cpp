// Prices, energy costs, break-even points and salaries.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/claims_terms.h"
#include "check/market.h"
#include "power/from_cluster.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

constexpr double kHour = 3600, kYear = 8760 * kHour;
constexpr double kJoulesPerKwh = 3.6e6;

// Half to twice the design's own tariff: time of day, season and province move industrial prices that far.
constexpr double kTariffBand = 2;

// A claim may take the rating of the supply for what the node draws; then the draw is that of its parts, at worst.
struct Draw {
  Watts watts;
  std::string words;
};
Draw drawn(Terms& claim, Watts stated) {
  for (const Group& group : claim.cluster().groups) {
    if (!group.node.psu || group.node.psu->rated * group.node.psu->needed != stated) continue;
    Node node = group.node;
    node.power = {};
    const NodeWatts parts = node_power(node_parts(node, claim.cluster().site_of(group), claim.catalog()), Activity{});
    if (!parts.unknown.empty() || parts.peak.max >= stated) break;
    return {parts.peak.max, fmt::format("{} (its supply is rated {})", to_string(parts.peak.max), to_string(stated))};
  }
  return {stated, to_string(stated)};
}

Money cost_of(double kwh, const UnitPrice& price) { return price.times(kwh); }

Judgement against_price(Terms& claim, double kwh, const std::string& load, const UnitPrice& price) {
  const Money stated = claim.value<Money>();
  const Money cost = convert(cost_of(kwh, price), stated.currency(), claim.cluster().finance.exchange);
  const std::string equation =
      fmt::format("{} = {} kWh, at {} {}", load, number(kwh), claim.need<std::string>("price"), to_string(cost));
  if (std::abs(cost.major() - stated.major()) <= 0.02 * cost.major()) return holds(equation);
  return contradicted(fmt::format("{}, not {}: {} of it", equation, claim.value_text(),
                                  percent(cost.major() > 0 ? stated.major() / cost.major() : 0)));
}

// Without a tariff: the one that follows, against that of the site.
Judgement implied_price(Terms& claim, double kwh, const std::string& load) {
  const Money stated = claim.value<Money>();
  const double implied = stated.major() / kwh;
  const std::string equation = fmt::format("{} = {} kWh: {} make {:.3g} {}/kWh", load, number(kwh), claim.value_text(),
                                           implied, stated.currency());
  const auto& sites = claim.cluster().sites;
  const auto priced = std::find_if(sites.begin(), sites.end(), [](const Site& site) { return site.electricity; });
  if (priced == sites.end()) return unchecked(equation + "; the design states no tariff");
  const Money per_mwh =
      convert(priced->electricity->value.times(1000), stated.currency(), claim.cluster().finance.exchange);
  const double tariff = per_mwh.major() / 1000;
  const std::string text = fmt::format("{}, the tariff is {:.3g}", equation, tariff);
  const double ratio = std::max(implied / tariff, tariff / implied);
  if (ratio <= kTariffBand) return holds(text);
  return ratio <= kTariffBand * kTariffBand ? misleading(text) : contradicted(text);
}

Judgement energy_cost(Terms& claim) {
  const Watts power = claim.need<Watts>("power");
  const double count = claim.count("count", 1);
  const Seconds time = claim.need<Seconds>("time");
  const double pue = claim.get<double>("pue", 1);
  if (!(power > Watts(0))) claim.fail_term("power", "a load of nothing costs nothing");
  if (!(time > Seconds(0))) claim.fail_term("time", "no time at all");
  if (!(pue >= 1) || pue > 5) claim.fail_term("pue", "a PUE lies between 1 and 5");
  const auto price = claim.find<UnitPrice>("price");
  if (price && price->per != "kWh") claim.fail_term("price", "electricity is priced per kWh, not per " + price->per);
  const Draw draw = drawn(claim, power);
  const double kwh = draw.watts.value * count * pue * time.value / kJoulesPerKwh;
  std::string load = draw.words;
  if (count > 1) load += fmt::format(" x {}", number(count));
  if (pue > 1) load += fmt::format(" x PUE {:g}", pue);
  load += fmt::format(" x {} h", number(time.value / kHour));
  return price ? against_price(claim, kwh, load, *price) : implied_price(claim, kwh, load);
}

// ---------------------------------------------------------------------------------------------------------------------
// Prices

// Servers with as many of the same accelerator stand for each other.
MarketPrice market_price(Terms& claim, const std::string& currency) {
  MarketPrice market;
  const auto& rates = claim.cluster().finance.exchange;
  if (const Server* server = claim.find_entry<Server>("server")) {
    for (const Server& other : claim.catalog().all<Server>()) {
      const bool alike = &other == server || (server->accelerator && other.accelerator == server->accelerator &&
                                              other.accelerators == server->accelerators);
      if (alike) widen(market, other.price, currency, rates);
    }
    return market;
  }
  const NamedPart part = claim.part("part");
  if (part.accelerator != nullptr) widen(market, part.accelerator->price, currency, rates);
  if (part.cpu != nullptr) widen(market, part.cpu->price, currency, rates);
  if (part.nic != nullptr) widen(market, part.nic->price, currency, rates);
  if (part.net_switch != nullptr) widen(market, part.net_switch->price, currency, rates);
  return market;
}

Judgement near_market(Terms& claim) {
  const double count = claim.count("count", 1);
  const Money stated = claim.value<Money>();
  const MarketPrice market = market_price(claim, stated.currency());
  const double each = stated.major() / count;
  const auto money = [&](double amount) { return short_text(Money::from_major(amount, stated.currency())); };
  if (market.high == 0) return unchecked(fmt::format("{} each; the catalog has no dated price of it", money(each)));
  const std::string text = fmt::format("{} / {} = {} each; dated prices are {} to {} ({})", claim.value_text(),
                                       number(count), money(each), money(market.low), money(market.high), market.dates);
  return {against_market(each, market), text};
}

// A price without a day says little: they moved by 44 % within a year (AWS p5, 2024 to 2025).
Judgement dated(Terms& claim) {
  claim.need<std::string>("part");  // in the design's words: it need not be in the catalog
  claim.value<Money>();
  const auto date = claim.find<std::string>("date");
  const auto source = claim.find<std::string>("source");
  if (date && source) return holds(fmt::format("of {}, {}", *date, *source));
  return unchecked(date     ? fmt::format("of {}, but nobody is named who asked for it", *date)
                   : source ? fmt::format("from {}, but without a day", *source)
                            : "no date and no source");
}

Judgement break_even(Terms& claim) {
  const Hertz calls = claim.need<Hertz>("calls");
  const Money cost = claim.need<Money>("cost");
  const double years = claim.need<double>("years");
  const auto at = claim.find<Hertz>("at");
  const double saving = claim.share_value();
  if (!(calls > Hertz(0))) claim.fail_term("calls", "a break-even needs calls");
  if (!(years > 0) || years > 100) claim.fail_term("years", "expected a number of years");
  if (saving >= 1) claim.fail_value("a saving is below 100 %");
  const double per_year = calls.value * kYear;
  const double per_call = cost.major() / (per_year * years);
  const std::string price = fmt::format("at the break-even of {} calls per year a call costs {:.3g} {} either way",
                                        number(per_year), per_call, cost.currency());
  if (!at) {
    if (saving <= 0) return holds(price);
    return misleading(fmt::format("{}, and the saving is 0; {} are reached at {} calls", price, percent(saving),
                                  number(per_year / (1 - saving))));
  }
  const double reached = 1 - calls.value / at->value;
  const std::string text = fmt::format("{}; {} calls save {}", price, number(at->value * kYear), percent(reached));
  return std::abs(reached - saving) <= 0.02 ? holds(text) : contradicted(text);
}

// One place that is staffed round the clock takes 168 / 40 = 4.2 people, more with leave.
Judgement round_the_clock(Terms& claim) {
  const double seats = claim.count("seats", 1);
  const std::optional<double> people = claim.find<double>("people");
  const Money annual = claim.value<Money>();
  const double each = claim.constant("fte-per-24x7-seat").value;
  const double needed = seats * each;
  const std::string staff = fmt::format("{} x {} = {} people for {} place{} round the clock", number(seats),
                                        number(each), number(needed), number(seats), seats == 1 ? "" : "s");
  if (people) {
    const std::string text = fmt::format("{}, {} are planned", staff, number(*people));
    return *people >= needed ? holds(text) : contradicted(text);
  }
  return misleading(fmt::format("{}: {} each, and the design states no number of people", staff,
                                to_string(Money::from_major(std::round(annual.major() / needed), annual.currency()))));
}

}  // namespace

std::vector<Subject> money_claims() {
  return {{"energy.cost", energy_cost},
          {"price.market", near_market},
          {"price.dated", dated},
          {"finance.break_even", break_even},
          {"staff.round_the_clock", round_the_clock}};
}

}  // namespace fathom::claims
