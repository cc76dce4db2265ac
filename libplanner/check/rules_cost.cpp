// Licences by what they count, parts without a price, prices without a date.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "check/design_lookup.h"
#include "check/design_rules.h"
#include "cost/bill.h"
#include "units/text.h"

namespace fathom {

namespace {

struct Counted {
  double accelerators = 0, hosts = 0, cores = 0;
  bool cores_known = true;
};
Counted counted(const Cluster& cluster) {
  Counted out;
  for (const Group& g : cluster.groups) {
    out.accelerators += static_cast<double>(g.nodes) * g.node.accelerators;
    out.hosts += g.nodes;
    if (g.node.cpu != nullptr && g.node.cpu->cores) {
      out.cores += static_cast<double>(g.nodes) * g.node.cpus * *g.node.cpu->cores;
    } else {
      out.cores_known = false;
    }
  }
  return out;
}

void licences(const Design& d, Findings& out) {
  constexpr double kFarTooMany = 4;
  const Counted there = counted(d.cluster);
  for (std::size_t i = 0; i < d.cluster.software.size(); ++i) {
    const Software& s = d.cluster.software[i];
    double needed = 0;
    if (s.unit == "gpu") needed = there.accelerators;
    if (s.unit == "host") needed = there.hosts;
    if (s.unit == "core" && there.cores_known) needed = there.cores;
    if (s.units <= 0 || needed <= 0) continue;
    if (s.units >= kFarTooMany * needed) {
      out.add("licence.count", Severity::kWarning, d.at({"software", i, "units"}),
              {.message = fmt::format("{}: {:g} licences per {} are paid for, the design has {:g}", s.id, s.units,
                                      s.unit, needed)});
    }
    if (needed <= s.units) continue;
    out.add("licence.count", d.at({"software", i, "units"}),
            {.message = fmt::format("{}: {:g} licences per {}, the design has {:g}", s.id, s.units, s.unit, needed),
             .help = fmt::format("{:g} more, or fewer machines under it", needed - s.units)});
  }
}

// A total that lacks parts is no total.
void unpriced(const Design& d, Findings& out) {
  const std::vector<std::string> missing = expand_bill(d.cluster).unpriced();
  if (missing.empty()) return;
  std::string list;
  for (std::size_t i = 0; i < missing.size() && i < 8; ++i) list += (i > 0 ? ", " : "") + missing[i];
  if (missing.size() > 8) list += fmt::format(" and {} more", missing.size() - 8);
  out.add("bill.unpriced", d.at({"groups"}),
          {.message = fmt::format("{} no price", missing.size() == 1
                                                     ? std::string("one line of the bill has")
                                                     : fmt::format("{} lines of the bill have", missing.size())),
           .terms = {list},
           .help = "a price for each, or price_covers_parts where a node's price holds them"});
}

// Cards that a bridge joins, and none that is bought. A price for the whole node may hold it.
void bridges(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Node& node = d.cluster.groups[i].node;
    const bool joined = node.accelerator != nullptr && node.accelerator->scale_up.kind == ScaleUpKind::kBridge &&
                        node.scale_up.value_or(false);
    if (!joined || (node.price && node.price_covers_parts)) continue;
    const auto is_bridge = [&](const Item& item) {
      return item.what.find("ridge") != std::string::npos || item.what.find("桥") != std::string::npos ||
             item.what.find(node.accelerator->scale_up.name) != std::string::npos;
    };
    if (std::any_of(d.cluster.items.begin(), d.cluster.items.end(), is_bridge)) continue;
    out.add("bill.bridge", d.at({"groups", i, "node", "scale_up"}),
            {.message = fmt::format("{}: cards joined by {} and no bridge in the bill", d.cluster.groups[i].id,
                                    node.accelerator->scale_up.name),
             .help = "an item for each pair, or scale_up: false"});
  }
}

// A price in the wrong unit: ten thousands left out, another currency, a whole machine for one card. What dealers and days
// explain is left to claims.
constexpr double kOtherUnit = 4;
constexpr int kYearsOfUse = 3;  // what was asked before that says nothing: cards lose most of their price

struct Paid {
  std::string name;
  std::vector<Price> dated;
  const std::optional<Fact<Money>>& price;
};

// Servers with as many of the same accelerator stand for each other.
std::vector<Price> server_prices(const Catalog& catalog, const Node& node) {
  std::vector<Price> out;
  for (const Server& server : catalog.all<Server>()) {
    if (node.accelerator == nullptr || server.accelerator != node.accelerator->id ||
        server.accelerators != node.accelerators)
      continue;
    out.insert(out.end(), server.price.begin(), server.price.end());
  }
  return out;
}

void market(const Design& d, const Paid& paid, Spot spot, Findings& out) {
  if (!paid.price || paid.price->value.is_zero() || d.cluster.date.empty()) return;  // at 0: it is there already
  const std::string& currency = d.cluster.finance.currency;
  try {
    const auto major = [&](const Money& money) { return convert(money, currency, d.cluster.finance.exchange).major(); };
    double low = 0, high = 0;
    for (const Price& price : paid.dated) {
      if (price.kind.find("bill of materials") != std::string::npos) continue;
      if (year_of(price.origin.date) + kYearsOfUse < year_of(d.cluster.date)) continue;
      const double least = major(price.low.value_or(price.amount)), most = major(price.high.value_or(price.amount));
      low = low == 0 ? least : std::min(low, least);
      high = std::max(high, most);
    }
    if (low <= 0 || high <= 0) return;
    const double stated = major(paid.price->value);
    if (stated * kOtherUnit >= low && stated <= high * kOtherUnit) return;
    const auto text = [&](double amount) { return short_text(Money::from_major(amount, currency)); };
    out.add(
        "price.unit", spot,
        {.message = fmt::format("{} for {}; dated prices are {} to {}", text(stated), paid.name, text(low), text(high)),
         .help = "the price of one, in its currency and with its 万 or k"});
  } catch (const MoneyError&) {
    return;  // no rate between the currencies: nothing to compare with
  }
}

void prices(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Node& node = d.cluster.groups[i].node;
    if (node.price && node.price_covers_parts)
      market(d, {d.cluster.groups[i].id, server_prices(d.catalog, node), node.price},
             d.at({"groups", i, "node", "price"}), out);
    if (node.accelerator != nullptr)
      market(d, {node.accelerator->name, node.accelerator->price, node.accelerator_price},
             d.at({"groups", i, "node", "accelerator", "price"}), out);
    if (node.cpu != nullptr)
      market(d, {node.cpu->name, node.cpu->price, node.cpu_price}, d.at({"groups", i, "node", "cpu", "price"}), out);
  }
  for (std::size_t f = 0; f < d.cluster.fabrics.size(); ++f) {
    for (std::size_t t = 0; t < d.cluster.fabrics[f].switches.size(); ++t) {
      const SwitchTier& tier = d.cluster.fabrics[f].switches[t];
      if (const Switch* model = known<Switch>(d.catalog, tier.part))
        market(d, {model->name, model->price, tier.price}, d.at({"fabrics", f, "switches", t, "price"}), out);
    }
  }
}

// Electricity against all tariffs that the catalog has: beyond twice the highest or a third of the lowest is another unit.
void tariffs(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.sites.size(); ++i) {
    const std::optional<Fact<UnitPrice>>& price = d.cluster.sites[i].electricity;
    if (!price || price->value.per != "kWh") continue;
    double low = 0, high = 0;
    const auto each = [&](const UnitPrice& unit) {
      return convert(unit.times(1000), price->value.currency, d.cluster.finance.exchange).major() / 1000;
    };
    for (const Tariff& tariff : d.catalog.all<Tariff>()) {
      try {
        const double known_price = each(tariff.price.value);
        low = low == 0 ? known_price : std::min(low, known_price);
        high = std::max(high, known_price);
      } catch (const MoneyError&) {
        continue;
      }
    }
    const double stated = each(price->value);
    if (high == 0 || (stated >= low / 3 && stated <= high * 2)) continue;
    out.add("energy.price", d.at({"sites", i, "electricity"}),
            {.message =
                 fmt::format("{:.3g} {}/kWh; tariffs are {:.3g} to {:.3g}", stated, price->value.currency, low, high)});
  }
}

}  // namespace

void check_cost(const Design& design, Findings& findings) {
  licences(design, findings);
  unpriced(design, findings);
  bridges(design, findings);
  prices(design, findings);
  tariffs(design, findings);
}

}  // namespace fathom
