// Prices of a bill against dated ones, licences by what they count, and what a sum for electricity pays for.
#include <fmt/format.h>

#include <algorithm>

#include "check/bill_rules.h"
#include "check/market.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::bill_rules {

namespace {

using namespace bill;

MarketPrice market_of(const Checked& checked, const Part& part, const std::string& currency) {
  MarketPrice market;
  const auto& rates = checked.bill.rates;
  if (part.kind == PartKind::kAccelerator) {
    for (const Accelerator* a : part.accelerators) widen(market, a->price, currency, rates);
  }
  for (const Cpu* cpu : part.cpus) widen(market, cpu->price, currency, rates);
  for (const NetworkCard* card : part.nics) widen(market, card->price, currency, rates);
  for (const Switch* device : part.switches) widen(market, device->price, currency, rates);
  if (part.kind != PartKind::kHost || part.accelerators.empty() || part.accelerators_each == 0) return market;
  for (const Server& server : checked.catalog.all<Server>()) {  // those with as many of the same stand for each other
    if (server.accelerator == part.accelerators.front()->id &&
        server.accelerators.value_or(0) == part.accelerators_each)
      widen(market, server.price, currency, rates);
  }
  return market;
}

// Another day or dealer explains much, so that a price alone is never an error here.
void market_prices(const Checked& checked, Findings& out) {
  for (const Part& part : checked.parts) {
    const Row& row = *part.row;
    if (!row.price || row.price->currency.empty() || row.price->is_range() || !row.price->per.empty()) continue;
    MarketPrice market;
    try {
      market = market_of(checked, part, row.price->currency);
    } catch (const MoneyError&) {
      continue;  // no exchange rate: the dated prices are in another currency
    }
    const Verdict verdict = against_market(row.price->low, market);
    if (verdict != Verdict::kContradicted && verdict != Verdict::kMisleading) continue;
    const auto money = [&](double amount) { return short_text(Money::from_major(amount, row.price->currency)); };
    const std::string dated = market.low == market.high
                                  ? fmt::format("a dated price is {}", money(market.low))
                                  : fmt::format("dated prices are {} to {}", money(market.low), money(market.high));
    // List prices of processors and cards are what nobody pays.
    const bool grave =
        verdict == Verdict::kContradicted && (part.kind == PartKind::kAccelerator || part.kind == PartKind::kHost);
    out.add("price.market", grave ? Severity::kWarning : Severity::kNote, spot(row.price->cell),
            {.message = fmt::format("{}: {} each; {} ({})", row.name(), money(row.price->low), dated, market.dates),
             .help = "an offer with its day, or the unit that the column counts in"});
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Licences

struct Counted {
  double accelerators = 0, hosts = 0, cores = 0;
  bool cores_known = true;
};

Counted counted_in(const Checked& checked, int option) {
  Counted out;
  double sockets = 0;
  for (const Part& part : checked.parts) {
    if (part.row->option != option && part.row->option != 0) continue;
    if (part.kind == PartKind::kAccelerator || part.kind == PartKind::kHost)
      out.accelerators += part.count * part.accelerators_each;
    if (part.kind == PartKind::kHost) out.hosts += part.count;
    if (part.kind != PartKind::kCpu) continue;
    sockets += part.count;
    out.cores_known &= !part.cpus.empty() && part.cpus.front()->cores.has_value();
    if (out.cores_known) out.cores += part.count * *part.cpus.front()->cores;
  }
  out.cores_known &= sockets > 0;
  return out;
}

void licences(const Checked& checked, Findings& out) {
  for (const Part& part : checked.parts) {
    if (part.licences.empty() || part.count <= 0) continue;
    const Licence& licence = *part.licences.front();
    const Counted there = counted_in(checked, part.row->option);
    double needed = 0;
    if (licence.unit == "gpu") needed = there.accelerators;
    if (licence.unit == "host") needed = there.hosts;
    if (licence.unit == "core" && there.cores_known) needed = there.cores;
    if (licence.unit == "cluster" || (needed > 0 && part.count >= needed)) continue;
    const std::string unit = licence.unit == "gpu" ? "GPU" : licence.unit;
    const std::string covers =
        fmt::format("{} is licensed per {}: {} cover as many {}s", licence.name, unit, plain_number(part.count), unit);
    if (needed > 0) {
      out.add("licence.count", Severity::kWarning, spot(part.row->quantity->cell),
              {.message = fmt::format("{}, the bill has {}", covers, plain_number(needed)),
               .help = fmt::format("{} more", plain_number(needed - part.count))});
    } else {
      out.add("licence.count", Severity::kNote, spot(part.row->quantity->cell),
              {.message = covers, .help = fmt::format("the number of {}s under it: this bill does not say", unit)});
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Electricity

// A load in watts and a price per kWh say how long a sum lasts; the largest count of the bill is what is likely meant to run.
void energy(const Checked& checked, Findings& out) {
  const Row* most = nullptr;
  for (const Part& part : checked.parts) {
    if (part.count > 1 && part.kind != PartKind::kCable && (most == nullptr || part.count > most->quantity->low))
      most = part.row;
  }
  for (const Part& part : checked.parts) {
    const Row& row = *part.row;
    if (!row.price || !row.total || (row.price->per != "kwh" && row.price->per != "度") || !(row.price->low > 0) ||
        row.quantity)
      continue;
    double watts = 0;
    for (const Measure& measure : measures_in(row.words())) {
      const std::string unit = lower(measure.unit);
      if (unit.starts_with("w") || unit.starts_with("kw")) {
        if (unit.starts_with("kwh") || watts > 0) continue;
        watts = measure.value * (unit.starts_with("kw") ? 1000 : 1);
      }
    }
    if (watts <= 0 || most == nullptr) continue;
    const double loads = row.total->high / row.price->low / (watts / 1000) / 8760;
    if (loads >= 0.98 * most->quantity->low) continue;
    const double year = most->quantity->low * watts / 1000 * 8760 * row.price->low;
    out.add(
        "energy.cost", Severity::kWarning, spot(row.total->cell),
        {.message = fmt::format("{} pays for {} loads of {} for one year; the bill counts up to {} ({})",
                                counted(row.total->low, *row.total), plain_number(std::floor(loads)),
                                to_string(Watts(watts)), plain_number(most->quantity->low), name_of(*most)),
         .terms = {fmt::format("{} x {} x 8,760 h x {} {}/kWh = {} for one year, {} for three",
                               plain_number(most->quantity->low), to_string(Watts(watts)), plain_number(row.price->low),
                               row.price->currency, counted(year, *row.total), counted(3 * year, *row.total))},
         .help = "the number of loads, the hours and the years that are paid for"});
  }
}

}  // namespace

void check_prices(const Checked& checked, Findings& findings) {
  market_prices(checked, findings);
  licences(checked, findings);
  energy(checked, findings);
}

}  // namespace fathom::bill_rules
