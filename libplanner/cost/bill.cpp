#include "cost/bill.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cost/priced_line.h"

namespace fathom {
namespace {

Money zero(const std::string& currency) { return Money::from_minor(0, currency); }

// --- nodes -----------------------------------------------------------------------------------------------------------

struct Part {
  std::string name, what;
  double per_node;
  std::optional<Fact<Money>> price;
};

std::vector<Part> parts_of(const Node& node) {
  std::vector<Part> parts;
  if (node.accelerators > 0) {
    const std::string name = node.accelerator == nullptr ? "accelerator" : node.accelerator->id;
    parts.push_back({"accelerator", name, static_cast<double>(node.accelerators), node.accelerator_price});
  }
  if (node.cpus > 0) {
    parts.push_back(
        {"cpu", node.cpu == nullptr ? "processor" : node.cpu->id, static_cast<double>(node.cpus), node.cpu_price});
  }
  if (node.memory.value > 0) parts.push_back({"memory", "host memory, per node", 1, node.memory_price});
  for (const Nic& nic : node.nics) {
    parts.push_back({"nic", nic.part.empty() ? "network card" : nic.part, static_cast<double>(nic.count), nic.price});
  }
  for (const Disk& disk : node.disks) {
    parts.push_back({"disk", disk.part.empty() ? "disk" : disk.part, static_cast<double>(disk.count), disk.price});
  }
  return parts;
}

void add_nodes(Bill& bill, const Group& group, const Cluster& cluster) {
  const Node& node = group.node;
  const auto add = [&](const std::string& name, const std::string& what, double per_node,
                       const std::optional<Fact<Money>>& price) {
    bill.once.push_back(priced({.id = group.id + "." + name,
                                .what = what,
                                .category = "nodes",
                                .quantity = per_node * group.nodes,
                                .hardware = true},
                               per_piece(price), cluster));
  };
  const std::vector<Part> parts = parts_of(node);
  const bool part_priced =
      std::any_of(parts.begin(), parts.end(), [](const Part& part) { return part.price.has_value(); });
  const bool whole = node.price ? node.price_covers_parts : !part_priced;
  add("node", whole ? "node" : "chassis, board and supplies", 1, node.price);
  if (whole) return;
  for (const Part& part : parts) add(part.name, part.what, part.per_node, part.price);
}

// --- network ---------------------------------------------------------------------------------------------------------

// A link is priced whole, or as two ends and a length of fibre; copper has no fibre to price.
void add_link(Bill& bill, const Fabric& fabric, const Link& link, const Cluster& cluster) {
  const std::string id = fabric.id + "." + link.from + "-" + link.to;
  const std::string name = link.medium.empty() ? "link" : link.medium;
  const auto add = [&](const std::string& suffix, const std::string& what, double quantity, const std::string& unit,
                       const std::optional<Fact<UnitPrice>>& price) {
    bill.once.push_back(priced(
        {.id = id + suffix, .what = what, .category = "network", .quantity = quantity, .unit = unit, .hardware = true},
        price, cluster));
  };
  if (link.price_each) return add("", name, link.count, "piece", per_piece(link.price_each));
  const bool split = link.price_per_end || link.price_per_metre;
  if (!split) return add("", name + ", both ends and cable", link.count, "piece", std::nullopt);
  add(".ends", name + ", each end", 2.0 * link.count, "piece", per_piece(link.price_per_end));
  if (link.fibre.empty() && !link.price_per_metre) return;
  const std::string fibre = link.fibre.empty() ? "cable" : link.fibre;
  if (!link.length) return add(".fibre", fibre + ", length not stated", link.count, "piece", std::nullopt);
  Fact<UnitPrice> metre;
  if (link.price_per_metre) metre = *link.price_per_metre;
  const double metres = link.count * link.length->value / (metre.value.per == "km" ? 1000 : 1);
  add(".fibre", fibre, metres, metre.value.per == "km" ? "km" : "m", link.price_per_metre);
}

void add_fabric(Bill& bill, const Fabric& fabric, const Cluster& cluster) {
  for (const SwitchTier& tier : fabric.switches) {
    bill.once.push_back(priced({.id = fabric.id + "." + tier.role,
                                .what = tier.part.empty() ? tier.role + " switch" : tier.part,
                                .category = "network",
                                .quantity = static_cast<double>(tier.count),
                                .hardware = true},
                               per_piece(tier.price), cluster));
  }
  for (const Link& link : fabric.links) add_link(bill, fabric, link, cluster);
}

// --- everything else -------------------------------------------------------------------------------------------------

void add_storage(Bill& bill, const Storage& storage, const Cluster& cluster) {
  bill.once.push_back(priced({.id = storage.id,
                              .what = storage.role.empty() ? "storage" : storage.role,
                              .category = "storage",
                              .hardware = true},
                             per_piece(storage.price), cluster));
}

// An item that wears out before the horizon is bought again: ceil(horizon/life) - 1 times, spread over the years.
void add_item(Bill& bill, const Item& item, const Cluster& cluster) {
  BillLine line{.id = item.what,
                .what = item.what,
                .category = "items",
                .quantity = item.count,
                .hardware = true,
                .life_years = item.life_years};
  const double horizon = cluster.finance.horizon_years;
  bill.once.push_back(priced(line, per_piece(item.price), cluster));
  if (!item.price || !item.life_years || *item.life_years >= horizon) return;
  line.id += ".replacement";
  line.category = "replacement";
  line.hardware = false;
  line.quantity *= (std::ceil(horizon / *item.life_years) - 1) / horizon;
  bill.yearly.push_back(priced(line, per_piece(item.price), cluster));
}

// How often a price falls due in a year; nullopt for a purchase ("per piece", "per km").
std::optional<double> times_per_year(const UnitPrice& price) {
  if (price.per.ends_with("year")) return 1;
  if (price.per.ends_with("month")) return 12;
  if (price.per == "h" || price.per.ends_with("hour")) return 8760;
  return std::nullopt;
}

// The unit of the price decides: per …-year is a subscription, per piece a purchase.
void add_software(Bill& bill, const Software& software, const Cluster& cluster) {
  const BillLine line{.id = software.id, .what = software.id, .category = "software", .unit = software.unit};
  if (software.price) {
    const std::optional<double> times = times_per_year(software.price->value);
    BillLine units = line;
    units.quantity = software.units * times.value_or(1);
    (times ? bill.yearly : bill.once).push_back(priced(units, software.price, cluster));
  }
  if (software.annual) bill.yearly.push_back(priced(line, per_piece(software.annual), cluster));
  if (software.once) bill.once.push_back(priced(line, per_piece(software.once), cluster));
  const bool nothing = !software.price && !software.annual && !software.once;
  if (nothing) bill.yearly.push_back(priced(line, std::nullopt, cluster));
}

void add_yearly(Bill& bill, const YearlyCost& cost, const Cluster& cluster) {
  bill.yearly.push_back(priced({.id = cost.id, .what = cost.id, .category = cost.category, .unit = "year"},
                               per_piece(cost.annual), cluster));
}

// One line of a share of what stands above it, so that the lines still add up to the total.
void add_share(Bill& bill, const std::string& name, double share, const Money& base) {
  if (share == 0) return;
  bill.once.push_back({.id = name,
                       .what = fmt::format("{} at {:.4g} %", name, share * 100),
                       .category = name,
                       .amount = base.times(share),
                       .origin = {.source = "finance", .date = {}, .confidence = Confidence::kStated},
                       .priced = true});
}

Money sum(const std::vector<BillLine>& lines, const std::string& currency) {
  Money total = zero(currency);
  for (const BillLine& line : lines) total += line.amount;
  return total;
}

double residual_share(const BillLine& line, const Finance& finance) {
  if (!line.life_years || *line.life_years <= finance.horizon_years) return finance.residual_share;
  return std::max(finance.residual_share, 1 - finance.horizon_years / *line.life_years);
}

}  // namespace

Money Bill::capex() const { return sum(once, currency); }

Money Bill::per_year() const { return sum(yearly, currency); }

Money Bill::hardware() const {
  Money total = zero(currency);
  for (const BillLine& line : once) {
    if (line.hardware) total += line.amount;
  }
  return total;
}

std::vector<std::string> Bill::unpriced() const {
  std::vector<std::string> ids;
  for (const auto* lines : {&once, &yearly}) {
    for (const BillLine& line : *lines) {
      const bool listed = std::find(ids.begin(), ids.end(), line.id) != ids.end();  // two kinds of disk, one name
      if (!line.priced && !listed) ids.push_back(line.id);
    }
  }
  return ids;
}

Bill expand_bill(const Cluster& cluster) {
  Bill bill{.currency = cluster.finance.currency, .once = {}, .yearly = {}};
  for (const Group& group : cluster.groups) add_nodes(bill, group, cluster);
  for (const Fabric& fabric : cluster.fabrics) add_fabric(bill, fabric, cluster);
  for (const Storage& storage : cluster.storage) add_storage(bill, storage, cluster);
  for (const Item& item : cluster.items) add_item(bill, item, cluster);
  const Money hardware = bill.hardware();
  const Finance& finance = cluster.finance;
  add_share(bill, "tax", finance.tax, hardware);
  add_share(bill, "installation", finance.install_share, hardware + hardware.times(finance.tax));
  for (const Software& software : cluster.software) add_software(bill, software, cluster);
  for (const YearlyCost& cost : cluster.yearly) add_yearly(bill, cost, cluster);
  return bill;
}

Money residual_value(const Bill& bill, const Finance& finance) {
  Money total = zero(bill.currency);
  for (const BillLine& line : bill.once) {
    if (line.hardware) total += line.amount.times(residual_share(line, finance));
  }
  return total;
}

}  // namespace fathom
