#include "availability/service.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "availability/k_of_n.h"

namespace fathom {
namespace {

template <class T>
Fact<T> stated(T value) {
  return {
      .value = value, .low = {}, .high = {}, .origin = {.source = {}, .date = {}, .confidence = Confidence::kStated}};
}

// Ten 8-GPU nodes, five replicas of two; DeepSeek-R1's 688.6 GB checkpoint over two nodes at 3.5 GB/s.
ServiceCase ten_nodes() {
  return {.replicas = 5,
          .nodes_per_replica = 2,
          .spare_nodes = 1,
          .node = node_reliability({.failures_per_1000_node_days = stated(6.5), .mttr = stated(Seconds(86400))}),
          .failover = failover({.detect = Seconds(300),
                                .weights_per_node = Bytes(688574839360.0),
                                .load = BytesPerSecond(3.5e9),
                                .start = Seconds(120)}),
          .target = 0.9995};
}

TEST(Service, LoadingDeepSeekR1At3500MegabytesPerSecondTakes197Seconds) {
  EXPECT_NEAR(ten_nodes().failover.load.value, 196.7, 0.05);
  EXPECT_NEAR(ten_nodes().failover.total().value, 616.7, 0.05);
}

// 6.5/1000 * 10 nodes * 365 days = 23.725 failures a year; 10 of 11 with one crew 0.995416.
TEST(Service, CapacityIsTheMarkovChainAndFailoverComesOnTop) {
  const AvailabilityReport report = service_availability(ten_nodes());
  EXPECT_NEAR(report.failures_per_year, 23.725, 1e-9);
  EXPECT_NEAR(report.capacity, 0.995416, 5e-7);
  EXPECT_NEAR(report.failover_loss, 23.725 / 5 * 616.736 / 3600 / 8760, 1e-9);
  EXPECT_NEAR(report.service.likely, report.capacity * (1 - report.failover_loss), 1e-12);
  EXPECT_FALSE(*report.meets_target);
  EXPECT_LT(report.budget_left->value, 0);
  EXPECT_EQ(report.spares_needed, 2);  // 10 of 12: 0.99964, less 0.00009 of failovers
}

// One replica over all ten nodes, 10 minutes each: 23.7 * 10 min = 3.95 h, 99.955 % with perfect spares.
TEST(Service, FailoverBoundsAvailabilityEvenWithPerfectSpares) {
  ServiceCase one = ten_nodes();
  one.replicas = 1;
  one.nodes_per_replica = 10;
  one.spare_nodes = 8;
  one.failover = failover({.detect = Seconds(300), .load = BytesPerSecond(1e9), .start = Seconds(300)});
  one.target = 0.9999;
  const AvailabilityReport report = service_availability(one);
  EXPECT_NEAR(report.service.likely, 0.99955, 5e-6);
  EXPECT_FALSE(report.spares_needed);  // no number of spares helps
  EXPECT_NE(report.limited_by.find("failover time"), std::string::npos);
  EXPECT_NEAR(report.failover_allowed->value, 0.876 * 3600 / 23.725, 0.1);
}

// 76 homes at 12 disruptions a year each are 912 interruptions; 4.38 h leave 17 s for each.
TEST(Service, SeventySixHomesLeaveSeventeenSecondsPerInterruption) {
  ServiceCase homes{.replicas = 1, .nodes_per_replica = 76, .spare_nodes = 2, .target = 0.9995};
  homes.node =
      node_reliability({.availability = stated(0.98), .failures_per_1000_node_days = stated(12 * 1000 / 365.0)});
  homes.failover = failover({.detect = Seconds(10), .reroute = Seconds(5)});
  const AvailabilityReport report = service_availability(homes);
  EXPECT_NEAR(report.failures_per_year, 912, 1e-9);
  EXPECT_NEAR(report.failover_allowed->value, 17.3, 0.05);
  EXPECT_NEAR(report.capacity, 0.79480, 5e-6);
  EXPECT_EQ(report.failover.value, 15);
}

TEST(Service, DomainsArePricedIn) {
  ServiceCase c{.replicas = 1, .nodes_per_replica = 76, .spare_nodes = 8, .nodes_per_failure_domain = 21};
  c.domain_availability = stated(0.999);
  c.node = node_reliability({.availability = stated(0.98)});
  EXPECT_NEAR(service_availability(c).capacity, 0.99596, 5e-6);
  c.nodes_per_failure_domain = 2;
  EXPECT_GT(service_availability(c).capacity, 0.9998);
}

TEST(Service, MoreSparesNeverLowerIt) {
  ServiceCase c = ten_nodes();
  double before = 0;
  for (c.spare_nodes = 0; c.spare_nodes < 12; ++c.spare_nodes) {
    const double now = service_availability(c).service.likely;
    EXPECT_GE(now, before - 1e-12) << c.spare_nodes;
    before = now;
  }
}

TEST(Service, ASurplusReplicaShortensTheInterruptionToItsDetection) {
  ServiceCase c = ten_nodes();
  const AvailabilityReport all = service_availability(c);
  c.replicas_needed = 4;
  const AvailabilityReport four = service_availability(c);
  EXPECT_EQ(four.failover.value, 300);
  EXPECT_GT(four.service.likely, all.service.likely);
}

TEST(Service, DefaultsComeWithARangeAndAreNamed) {
  ServiceCase c{.replicas = 5, .nodes_per_replica = 2, .spare_nodes = 1};
  c.node = node_reliability({});
  c.failover = failover({.weights_per_node = Bytes(344e9)});
  const AvailabilityReport report = service_availability(c);
  EXPECT_LT(report.service.min, report.service.likely);
  EXPECT_LT(report.service.likely, report.service.max);
  EXPECT_EQ(report.service.confidence, Confidence::kAssumed);
  EXPECT_EQ(report.assumptions.size(), 3u);
  EXPECT_FALSE(report.meets_target);
  EXPECT_NEAR(report.failover.value, 300 + 80 + 120, 0.01);
}

TEST(Service, MainsBoundEverything) {
  ServiceCase c = ten_nodes();
  c.spare_nodes = 6;
  c.mains_availability = stated(0.9991);
  EXPECT_LE(service_availability(c).service.likely, 0.9991);
  EXPECT_EQ(service_availability(c).limited_by, "mains supply");
}

TEST(Service, PoolsInSeriesMultiply) {
  const Estimate<double> both = in_series({{.min = .9, .likely = .99, .max = 1, .confidence = Confidence::kStated},
                                           {.min = .8, .likely = .98, .max = 1, .confidence = Confidence::kAssumed}});
  EXPECT_NEAR(both.min, 0.72, 1e-12);
  EXPECT_NEAR(both.likely, 0.9702, 1e-12);
  EXPECT_EQ(both.confidence, Confidence::kAssumed);
}

TEST(Service, NonsenseIsRefused) {
  EXPECT_THROW(service_availability({.replicas = 0}), std::invalid_argument);
  EXPECT_THROW(service_availability({.replicas = 2, .replicas_needed = 3}), std::invalid_argument);
  EXPECT_THROW(node_reliability({.availability = stated(0.0)}), std::invalid_argument);
}

}  // namespace
}  // namespace fathom
