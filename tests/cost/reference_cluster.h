// Ten 8 x H100 nodes and a spare, as a worked example with prices of 2024: the numbers every cost test starts from.
#pragma once

#include "bom/cluster.h"
#include "cost/electricity.h"
#include "cost/unit_cost.h"

namespace fathom::reference {

inline Origin on(const std::string& date, Confidence confidence = Confidence::kReported) {
  return {.source = "test", .date = date, .confidence = confidence};
}

inline Fact<Money> usd(double amount) {
  return {.value = Money::from_major(amount, "USD"), .low = {}, .high = {}, .origin = on("2024-08")};
}

inline Fact<UnitPrice> price(const std::string& text) {
  return {.value = parse_unit_price(text), .low = {}, .high = {}, .origin = on("2024-08")};
}

inline Group nodes() {
  Group group;
  group.id = "gpu";
  group.site = "hall";
  group.nodes = 11;
  group.spares = 1;
  group.node.accelerators = 8;
  group.node.price = usd(310'000);
  return group;
}

inline Fabric infiniband() {
  Fabric fabric;
  fabric.id = "ib";
  fabric.switches = {{.role = "leaf", .part = "QM9700", .count = 2, .price = usd(36'000)}};
  Link link;
  link.from = "gpu";
  link.to = "leaf";
  link.count = 80;
  link.price_each = usd(1'320);
  fabric.links = {link};
  return fabric;
}

inline Site hall() {
  Site site;
  site.id = "hall";
  site.electricity = price("0.088 USD/kWh");
  site.carbon_g_per_kwh = Fact<double>{.value = 582.3, .low = {}, .high = {}, .origin = on("2023")};
  return site;
}

inline Cluster cluster() {
  Cluster cluster;
  cluster.file = "ten.yaml";
  cluster.sites = {hall()};
  cluster.groups = {nodes()};
  cluster.fabrics = {infiniband()};
  cluster.items = {{.what = "management and storage", .count = 1, .price = usd(100'000), .life_years = {}, .at = {}}};
  Software licences;
  licences.id = "licences";
  licences.annual = usd(83'333.33);
  cluster.software = {licences};
  cluster.yearly = {{.id = "operations", .category = "staff", .annual = usd(111'111.11)},
                    {.id = "hall", .category = "space", .annual = usd(55'555.56)},
                    {.id = "rest", .category = "other", .annual = usd(27'777.78)}};
  cluster.finance.discount_rate = 0.08;
  cluster.finance.residual_share = 0.20;
  cluster.finance.utilisation = {.value = 0.5, .low = 0.3, .high = 0.8, .origin = on("", Confidence::kStated)};
  return cluster;
}

// (10 * (0.5 * 6.7 + 0.5 * 2.8) + 3) kW * 1.3 * 8,760 h = 575,094 kWh.
inline std::vector<EnergyUse> energy(double kwh = 575'094) {
  const Joules joules(kwh * 3.6e6);
  return {
      {.site = "hall",
       .per_year = {.min = joules * 0.9, .likely = joules, .max = joules * 1.1, .confidence = Confidence::kDerived}}};
}

// 80 accelerators; `tok_per_s` of output from the whole cluster.
inline Delivery delivery(double tok_per_s) {
  return {.accelerators = 80,
          .output_tok_per_s = Estimate<double>{.min = tok_per_s * 0.8, .likely = tok_per_s, .max = tok_per_s * 1.2},
          .input_per_output = 1,
          .output_per_request = 1000,
          .utilisation = 0.5};
}

}  // namespace fathom::reference
