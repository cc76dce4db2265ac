#include "cost/unit_cost.h"

#include <gtest/gtest.h>

#include "cost/reference_cluster.h"

namespace fathom {
namespace {

using reference::price;

constexpr double kAnnual = 1'532'117.56;

Money usd(double amount) { return Money::from_major(amount, "USD"); }

Alternative renting(const std::string& id, const std::string& text) {
  Alternative alternative;
  alternative.id = id;
  alternative.per_gpu_hour = price(text);
  return alternative;
}

Alternative api(const std::string& input, const std::string& output) {
  Alternative alternative;
  alternative.id = "api";
  alternative.input = price(input);
  alternative.output = price(output);
  return alternative;
}

// 55.04 / (3600 * 22,300) * 1e6. Without the 3600 it would read 2,468: a published table has that error.
TEST(UnitCost, DollarsPerMillionTokensCountSecondsNotHours) {
  EXPECT_NEAR(per_mtok(55.04, 22'300), 0.685600, 5e-7);
  EXPECT_NEAR(per_mtok(2.2712, 14'991.62), 0.042083, 5e-7);
}

TEST(UnitCost, GpuHoursAvailableAndUsed) {
  const UnitCosts costs = unit_costs(kAnnual, reference::delivery(28'400));
  EXPECT_NEAR(*costs.gpu_hour_available, 2.186, 5e-4);
  EXPECT_NEAR(*costs.gpu_hour_used, 4.372, 5e-4);
  EXPECT_NEAR(*unit_costs(1'000'000, {.accelerators = 80}).gpu_hour_available, 1.426941, 5e-7);
}

// Ten nodes at half load: 2,840 tok/s each (measured Qwen3-235B FP8 at batch 128), 14,800 (DeepSeek's decode node),
// 22,300 (SGLang, large-scale expert parallelism).
TEST(UnitCost, MillionTokensFollowThroughput) {
  EXPECT_NEAR(*unit_costs(kAnnual, reference::delivery(28'400)).mtok_output, 3.42, 5e-3);
  EXPECT_NEAR(*unit_costs(kAnnual, reference::delivery(148'000)).mtok_output, 0.66, 5e-3);
  EXPECT_NEAR(*unit_costs(kAnnual, reference::delivery(223'000)).mtok_output, 0.44, 5e-3);
}

TEST(UnitCost, InputTokensShareTheCostWhenTheyAreCounted) {
  const UnitCosts costs = unit_costs(kAnnual, reference::delivery(28'400));
  EXPECT_NEAR(*costs.mtok_all, *costs.mtok_output / 2, 1e-9);
  EXPECT_NEAR(*costs.request, *costs.mtok_output / 1000, 1e-12);
}

TEST(UnitCost, WithoutThroughputThereIsNoCostPerToken) {
  EXPECT_FALSE(unit_costs(kAnnual, {.accelerators = 80}).mtok_output);
}

// u* = 1,532,118 / (80 * 8760 * price): 17.8, 31.8, 42.1 and 74.1 %.
TEST(BreakEven, RentingIsMetAtAUtilisation) {
  Cluster cluster = reference::cluster();
  cluster.alternatives = {renting("azure", "12.29 USD/gpu-hour"), renting("aws", "6.88 USD/gpu-hour"),
                          renting("block", "5.191 USD/gpu-hour"), renting("nebius", "2.95 USD/gpu-hour")};
  const std::vector<BreakEven> rows = break_even(cluster, usd(kAnnual), reference::delivery(28'400));
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_NEAR(*rows[0].utilisation, 0.178, 5e-4);
  EXPECT_NEAR(*rows[1].utilisation, 0.318, 5e-4);
  EXPECT_NEAR(*rows[2].utilisation, 0.421, 5e-4);
  EXPECT_NEAR(*rows[3].utilisation, 0.741, 5e-4);
  EXPECT_GT(*rows[1].saving, 0);  // half of the year is above 31.8 %
  EXPECT_LT(*rows[3].saving, 0);  // and below 74.1 %
  EXPECT_EQ(rows[3].origin.date, "2024-08");
}

// 1,000 tokens in at 4 CNY/Mtok and 1,000 out at 16 are 0.020 CNY; 7.2 M CNY a year buys 360 M requests, 1,142 output
// tok/s per node of ten. At 1.43 G requests the same design would need 4,529.
TEST(BreakEven, AnApiIsMetAtANumberOfRequests) {
  Cluster cluster = reference::cluster();
  cluster.finance.currency = "CNY";
  cluster.workload.input_tokens.mean = cluster.workload.output_tokens.mean = 1000;
  cluster.alternatives = {api("4 CNY/Mtok", "16 CNY/Mtok")};
  Delivery delivery = reference::delivery(11'420);
  const BreakEven row = break_even(cluster, Money::from_major(7.2e6, "CNY"), delivery).front();
  EXPECT_NEAR(*row.price_per_request, 0.020, 1e-12);
  EXPECT_NEAR(*row.requests_per_year, 360e6, 1);
  EXPECT_NEAR(*row.output_mtok_per_year, 360e3, 1e-3);
  EXPECT_TRUE(*row.feasible);  // 360e9 tokens / 31.536e6 s = 11,416 tok/s
  delivery.output_tok_per_s->likely = 11'410;
  EXPECT_FALSE(*break_even(cluster, Money::from_major(7.2e6, "CNY"), delivery).front().feasible);
}

TEST(BreakEven, CachedInputIsCheaper) {
  const ApiPrices r1{.input = 0.55, .cached_input = 0.14, .output = 2.19};
  EXPECT_NEAR(price_per_request(r1, 1000, 1000, 0), 0.00274, 1e-12);
  EXPECT_NEAR(price_per_request(r1, 1000, 1000, 0.5), (500 * 0.55 + 500 * 0.14 + 1000 * 2.19) / 1e6, 1e-15);
}

TEST(BreakEven, AMissingInputPriceIsSaidNotGuessed) {
  Cluster cluster = reference::cluster();
  cluster.workload.input_tokens.mean = cluster.workload.output_tokens.mean = 1000;
  cluster.alternatives = {api("4 USD/Mtok", "16 USD/Mtok")};
  cluster.alternatives.front().input = std::nullopt;
  const BreakEven row = break_even(cluster, usd(kAnnual), reference::delivery(28'400)).front();
  EXPECT_FALSE(row.requests_per_year);
  EXPECT_FALSE(row.note.empty());
}

TEST(BreakEven, PricesOfOtherCurrenciesAreConverted) {
  Cluster cluster = reference::cluster();
  cluster.finance.exchange = {{.from = "USD", .to = "CNY", .rate = 7.2, .date = "2025-09-17"}};
  cluster.alternatives = {renting("cn", "21.24 CNY/gpu-hour")};
  const BreakEven row = break_even(cluster, usd(kAnnual), reference::delivery(28'400)).front();
  EXPECT_NEAR(row.gpu_hour->major(), 2.95, 1e-6);
}

}  // namespace
}  // namespace fathom
