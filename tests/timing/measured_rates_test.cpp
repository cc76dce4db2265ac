// A profile in place of the catalogs: rows replace rates, where there are rows and on the device they stand for.
#include <gtest/gtest.h>

#include <memory>

#include "support/planning.h"
#include "timing/replica_time.h"

namespace fathom {
namespace {

std::shared_ptr<Profile> measured() {
  auto p = std::make_shared<Profile>();
  p->accelerator = "nvidia-h200-sxm5-141gb";
  p->engine = "reference";
  p->rows = {{.kind = OperatorKind::kLinear,
              .weights = Format::kBf16,
              .memory = BytesPerSecond(1e12),
              .compute = FlopsPerSecond(1e14),
              .floor = 10_us,
              .fit = {.samples = 9, .fast = 0.8, .slow = 1.5}}};
  p->collectives = {
      {.kind = OperatorKind::kAllReduce, .ranks = 2, .latency = 7_us, .bandwidth = BytesPerSecond(1e9), .fit = {}}};
  p->step_overhead = {.min = 1_ms, .likely = 2_ms, .max = 3_ms};
  p->step_samples = 5;
  return p;
}

// 1 GB of weights and one token: 1 ms of reading at 1 TB/s, and the floor.
Operator product(Format weights = Format::kBf16) {
  return {.name = "ffn.down",
          .kind = OperatorKind::kLinear,
          .weights = weights,
          .tokens = 1,
          .weight_elements = 0.5e9,
          .weight_bytes = 1_GB};
}

// 4096 x 4096 weights.
Operator shaped(double tokens) {
  Operator op = product();
  op.tokens = tokens;
  op.width_in = op.width_out = 4096;
  op.weight_elements = 4096 * 4096;
  op.weight_bytes = Bytes(2.0 * 4096 * 4096);
  return op;
}

TEST(MeasuredRates, ARowReplacesTheCatalogForItsKindAndFormatOnly) {
  const TestCluster cluster{Machines{}};
  const EngineProfile catalog = engine(), with = with_profile(engine(), measured(), true);
  const DeviceRates before = device_rates(cluster.pool(), catalog), after = device_rates(cluster.pool(), with);
  const OperatorTime t = operator_time(product(), after, Layout{});
  EXPECT_NEAR(t.time.value, 1.01e-3, 1e-12);
  EXPECT_EQ(t.bound, Bound::kMemory);
  EXPECT_EQ(origin_of(product(), after, Layout{}), FigureOrigin::kInterpolated);
  EXPECT_EQ(origin_of(product(), before, Layout{}), FigureOrigin::kCatalog);
  const Operator other = product(Format::kInt8);
  EXPECT_EQ(operator_time(other, after, Layout{}).time, operator_time(other, before, Layout{}).time);
}

TEST(MeasuredRates, AnotherAcceleratorKeepsItsCatalogRates) {
  const TestCluster cluster{Machines{.accelerator = "nvidia-h100-sxm5-80gb"}};
  const DeviceRates before = device_rates(cluster.pool(), engine());
  const EngineProfile with = with_profile(engine(), measured(), false);
  const DeviceRates after = device_rates(cluster.pool(), with);
  EXPECT_EQ(operator_time(product(), after, Layout{}).time, operator_time(product(), before, Layout{}).time);
  EXPECT_EQ(with.step_overhead.value, engine().step_overhead.value);
}

TEST(MeasuredRates, TheBandIsTheSpreadOfTheSamples) {
  const TestCluster cluster{Machines{}};
  const EngineProfile with = with_profile(engine(), measured(), true);
  const auto time = [&](Corner corner) {
    const EngineProfile moved = at_corner(with, corner);
    return operator_time(product(), device_rates(cluster.pool(), moved), Layout{}).time.value;
  };
  EXPECT_NEAR(time(Corner::kFast), 0.8 * 1.01e-3, 1e-12);
  EXPECT_NEAR(time(Corner::kSlow), 1.5 * 1.01e-3, 1e-12);
  EXPECT_EQ(at_corner(with, Corner::kSlow).step_overhead.value, 3_ms);
  EXPECT_EQ(with.step_overhead.origin.confidence, Confidence::kMeasured);
}

TEST(MeasuredRates, CollectivesComeFromTheProfileForTheirNumberOfRanksWithinANode) {
  const TestCluster cluster{Machines{.nodes = 2, .per_node = 2}};
  const EngineProfile with = with_profile(engine(), measured(), true);
  const DeviceRates rates = device_rates(cluster.pool(), with);
  Operator op{.name = "ffn.all_reduce", .kind = OperatorKind::kAllReduce, .payload = Bytes(1e6)};
  op.axis = Axis::kTp;
  op.ranks = 2;  // 2 (n-1)/n of the payload is sent: 1 MB at 1 GB/s, and 7 us
  EXPECT_NEAR(operator_time(op, rates, Layout{.tp = 2}).time.value, 1.007e-3, 1e-12);
  op.ranks = 4;
  EXPECT_EQ(origin_of(op, rates, Layout{.tp = 4}), FigureOrigin::kCatalog);
}

// Of single kernels: a surface before a row, a curve before a fitted line, and the band of each point.
TEST(MeasuredRates, SurfacesAndCurvesComeBeforeRows) {
  const TestCluster cluster{Machines{.nodes = 1, .per_node = 2}};
  auto profile = measured();
  std::vector<ProductPoint> points;
  for (const double m : {1.0, 16.0, 64.0, 256.0}) {
    Operator op = shaped(m);
    points.push_back({product_shape(op), 30_us + 1_us * m});
  }
  profile->surfaces = {fit_surface(Format::kBf16, points)};
  profile->curves = {
      fit_curve(OperatorKind::kAllReduce, 2, {{Bytes(1e3), 5_us}, {Bytes(1e6), 20_us}, {Bytes(1e9), 5_ms}})};
  const EngineProfile with = with_profile(engine(), profile, true);
  const DeviceRates rates = device_rates(cluster.pool(), with);
  EXPECT_NEAR(operator_time(shaped(16), rates, Layout{}).time.value, 46e-6, 1e-12);
  EXPECT_EQ(origin_of(shaped(16), rates, Layout{}), FigureOrigin::kMeasured);
  EXPECT_EQ(origin_of(shaped(32), rates, Layout{}), FigureOrigin::kInterpolated);
  EXPECT_EQ(origin_of(shaped(512), rates, Layout{}), FigureOrigin::kExtrapolated);
  const DeviceRates slow = device_rates(cluster.pool(), at_corner(with, Corner::kSlow));
  EXPECT_NEAR(operator_time(shaped(16), slow, Layout{}).time.value, 1.05 * 46e-6, 1e-12);
  EXPECT_NEAR(operator_time(shaped(32), slow, Layout{}).time / operator_time(shaped(32), rates, Layout{}).time,
              profile->surfaces[0].left_out.slow, 1e-9);
  Operator sum{.name = "ffn.all_reduce", .kind = OperatorKind::kAllReduce, .payload = Bytes(1e6)};
  sum.ranks = 2;
  EXPECT_EQ(operator_time(sum, rates, Layout{.tp = 2}).time, 20_us);
  EXPECT_EQ(origin_of(sum, rates, Layout{.tp = 2}), FigureOrigin::kMeasured);
}

TEST(MeasuredRates, FourBitsWithZeroPointsAreReadByTheSameKernels) {
  const TestCluster cluster{Machines{}};
  auto profile = measured();
  std::vector<ProductPoint> points;
  for (const double m : {1.0, 16.0, 64.0, 256.0}) points.push_back({product_shape(shaped(m)), 30_us + 1_us * m});
  profile->surfaces = {fit_surface(Format::kInt4G128, points)};
  const EngineProfile with = with_profile(engine(), profile, true);
  const DeviceRates rates = device_rates(cluster.pool(), with);
  Operator op = shaped(16);
  op.weights = Format::kInt4G128;
  EXPECT_EQ(origin_of(op, rates, Layout{}), FigureOrigin::kMeasured);
  op.weights = Format::kInt4G128Asym;
  EXPECT_EQ(origin_of(op, rates, Layout{}), FigureOrigin::kInterpolated);
  op.weights = Format::kInt4G32;
  EXPECT_EQ(origin_of(op, rates, Layout{}), FigureOrigin::kCatalog);
}

// What an expert-parallel group waits for is its busiest rank, measured or not.
TEST(MeasuredRates, TheBusiestRankSetsThePaceOfExperts) {
  const TestCluster cluster{Machines{}};
  auto profile = measured();
  profile->rows[0].kind = OperatorKind::kGroupedLinear;
  const EngineProfile with = with_profile(engine(), profile, true);
  Operator op = product();
  op.kind = OperatorKind::kGroupedLinear;
  op.imbalance = 1.5;
  op.held_bytes = 10_GB;
  const DeviceRates rates = device_rates(cluster.pool(), with);
  EXPECT_NEAR(operator_time(op, rates, Layout{}).time.value, 1.51e-3, 1e-9);
  op.held_bytes = Bytes(1.2e9);
  EXPECT_NEAR(operator_time(op, rates, Layout{}).time.value, 1.21e-3, 1e-9);
}

}  // namespace
}  // namespace fathom
