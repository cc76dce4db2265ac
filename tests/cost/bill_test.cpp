#include "cost/bill.h"

#include <gtest/gtest.h>

#include "cost/reference_cluster.h"

namespace fathom {
namespace {

using reference::price;
using reference::usd;

const BillLine& line(const Bill& bill, const std::string& id) {
  for (const auto* lines : {&bill.once, &bill.yearly}) {
    for (const BillLine& candidate : *lines) {
      if (candidate.id == id) return candidate;
    }
  }
  throw std::out_of_range("no line " + id);
}

double amount(const Bill& bill, const std::string& id) { return line(bill, id).amount.major(); }

// 11 * 310,000 + 2 * 36,000 + 80 * 1,320 + 100,000.
TEST(Bill, TheReferenceClusterCosts3687600) {
  const Bill bill = expand_bill(reference::cluster());
  EXPECT_EQ(bill.capex(), Money::from_major(3'687'600, "USD"));
  EXPECT_EQ(amount(bill, "gpu.node"), 3'410'000);  // the spare is one of the eleven
  EXPECT_EQ(amount(bill, "ib.leaf"), 72'000);
  EXPECT_EQ(amount(bill, "ib.gpu-leaf"), 105'600);
  EXPECT_TRUE(bill.unpriced().empty());
  EXPECT_EQ(bill.per_year(), Money::from_major(277'777.78, "USD"));
  EXPECT_EQ(residual_value(bill, reference::cluster().finance), Money::from_major(737'520, "USD"));
}

TEST(Bill, LinesAddUpToTheTotal) {
  Cluster cluster = reference::cluster();
  cluster.finance.tax = 0.13;
  cluster.finance.install_share = 0.035;
  const Bill bill = expand_bill(cluster);
  Money sum;
  for (const BillLine& one : bill.once) sum += one.amount;
  EXPECT_EQ(sum, bill.capex());
  EXPECT_EQ(bill.capex(), Money::from_major(3'687'600 * 1.13 * 1.035, "USD"));
}

// 1,000 links of 120 m at 3.50 USD/m are 420,000 USD; 200 links take 400 modules of 280 USD.
TEST(Bill, ALinkIsTwoEndsAndALengthOfFibre) {
  Cluster cluster = reference::cluster();
  Link homes;
  homes.from = "homes";
  homes.to = "access";
  homes.count = 1000;
  homes.fibre = "OM4";
  homes.length = Metres(120);
  homes.price_per_metre = price("3.5 USD/m");
  Link core = homes;
  core.from = "access";
  core.to = "spine";
  core.count = 200;
  core.price_per_metre = std::nullopt;
  core.price_per_end = usd(280);
  cluster.fabrics.front().links = {homes, core};
  const Bill bill = expand_bill(cluster);
  EXPECT_EQ(amount(bill, "ib.homes-access.fibre"), 420'000);
  EXPECT_EQ(amount(bill, "ib.access-spine.ends"), 112'000);
  EXPECT_EQ(line(bill, "ib.access-spine.ends").quantity, 400);
  const std::vector<std::string> expected = {"ib.homes-access.ends", "ib.access-spine.fibre"};
  EXPECT_EQ(bill.unpriced(), expected);
}

TEST(Bill, ANodeIsPricedWholeOrByItsParts) {
  Cluster cluster = reference::cluster();
  Node& node = cluster.groups.front().node;
  node.accelerator_price = usd(30'000);
  node.nics = {{.part = "ConnectX-7", .count = 8, .rate = {}, .fabric = {}, .price = usd(1'500)}};
  EXPECT_EQ(expand_bill(cluster).once.front().amount.major(), 3'410'000);  // the node's price covers them

  node.price_covers_parts = false;
  Bill bill = expand_bill(cluster);
  EXPECT_EQ(amount(bill, "gpu.accelerator"), 11 * 8 * 30'000);
  EXPECT_EQ(amount(bill, "gpu.nic"), 11 * 8 * 1'500);

  node.price = std::nullopt;
  bill = expand_bill(cluster);
  EXPECT_EQ(bill.unpriced(), std::vector<std::string>{"gpu.node"});  // chassis, board and supplies
}

TEST(Bill, AnUnpricedPartIsListedAndNeverZeroInSilence) {
  Cluster cluster = reference::cluster();
  cluster.groups.front().node.price = std::nullopt;
  cluster.software.push_back({.id = "hypervisor", .unit = "host", .units = 11, .price = {}, .annual = {}, .once = {}});
  const Bill bill = expand_bill(cluster);
  const std::vector<std::string> expected = {"gpu.node", "hypervisor"};
  EXPECT_EQ(bill.unpriced(), expected);
}

// 80 GPUs at 4,500 USD a GPU-year; 48 cores at 135 USD a core-year; 2 pieces at 900 USD once.
TEST(Bill, TheUnitOfThePriceDecidesWhetherSoftwareIsYearly) {
  Cluster cluster = reference::cluster();
  cluster.software = {
      {.id = "ai", .unit = "gpu", .units = 80, .price = price("4500 USD/gpu-year"), .annual = {}, .once = {}},
      {.id = "vm", .unit = "core", .units = 48, .price = price("135 USD/core-year"), .annual = {}, .once = {}},
      {.id = "tool", .unit = "cluster", .units = 2, .price = price("900 USD/piece"), .annual = {}, .once = {}}};
  const Bill bill = expand_bill(cluster);
  EXPECT_EQ(amount(bill, "ai"), 360'000);
  EXPECT_EQ(amount(bill, "vm"), 6'480);
  EXPECT_EQ(bill.capex().major(), 3'687'600 + 1'800);
  EXPECT_EQ(bill.hardware().major(), 3'687'600);  // software is neither taxed nor resold
}

// A fan of 2 years over 3 is bought once more, a third of its price per year; fibre of 10 years keeps 70 %.
TEST(Bill, LifeDecidesReplacementAndRest) {
  Cluster cluster = reference::cluster();
  cluster.items = {{.what = "fans", .count = 10, .price = usd(300), .life_years = 2, .at = {}},
                   {.what = "fibre", .count = 1, .price = usd(1'000), .life_years = 10, .at = {}}};
  cluster.groups.clear();
  cluster.fabrics.clear();
  cluster.finance.residual_share = 0;
  const Bill bill = expand_bill(cluster);
  EXPECT_EQ(amount(bill, "fans.replacement"), 1'000);
  EXPECT_EQ(residual_value(bill, cluster.finance).major(), 700);
}

TEST(Bill, AmountsAreInTheReportsCurrency) {
  Cluster cluster = reference::cluster();
  cluster.finance.currency = "CNY";
  cluster.finance.exchange = {{.from = "USD", .to = "CNY", .rate = 7.2, .date = "2025-09-17"}};
  EXPECT_EQ(expand_bill(cluster).capex(), Money::from_major(3'687'600 * 7.2, "CNY"));
}

TEST(Bill, AMissingRateNamesThePairAndTheLine) {
  Cluster cluster = reference::cluster();
  cluster.finance.currency = "CNY";
  try {
    expand_bill(cluster);
    FAIL() << "no error";
  } catch (const InputError& error) {
    EXPECT_NE(error.message().find("USD and CNY"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("gpu.node"), std::string::npos) << error.message();
    EXPECT_EQ(error.file(), "ten.yaml");
  }
}

}  // namespace
}  // namespace fathom
