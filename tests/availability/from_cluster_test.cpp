#include "availability/from_cluster.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace fathom {
namespace {

Fact<double> stated(double value) {
  return {
      .value = value, .low = {}, .high = {}, .origin = {.source = {}, .date = {}, .confidence = Confidence::kStated}};
}

Group group_of(int nodes) {
  Group group;
  group.id = "gpu";
  group.nodes = nodes;
  return group;
}

TEST(ServiceCase, NodesBeyondTheReplicasAreSpares) {
  const ServiceCase c =
      service_case(group_of(11), Site{}, {}, {.replicas = 5, .nodes_per_replica = 2, .nodes_used = 10});
  EXPECT_EQ(c.spare_nodes, 1);
  EXPECT_EQ(c.nodes_per_failure_domain, 1);
  EXPECT_FALSE(c.target);
  // Five replicas of 14 cards on nine nodes of 8: they share nodes at their edges, and no node is left over.
  const ServiceCase shared =
      service_case(group_of(9), Site{}, {}, {.replicas = 5, .nodes_per_replica = 2, .nodes_used = 9});
  EXPECT_EQ(shared.spare_nodes, 0);
}

TEST(ServiceCase, TheFilesWeightLoadWinsOverTheDisks) {
  AvailabilityInput input;
  PoolPlan plan{.weights_per_node = Bytes(344e9), .disk_read = 6_GBps};
  EXPECT_NEAR(service_case(group_of(1), Site{}, input, plan).failover.load.value, 344 / 6.0, 1e-9);
  input.weight_load = 2_GBps;
  EXPECT_NEAR(service_case(group_of(1), Site{}, input, plan).failover.load.value, 172, 1e-9);
}

// 0.9997 of the year there are mains, 1/(1 + 0.004) of it the node works.
TEST(ServiceCase, AHomesMainsBelongToItsNodeAndAHallsToTheSite) {
  Site site;
  site.mains_availability = stated(0.9997);
  EXPECT_NEAR(service_case(group_of(1), site, {}, {}).mains_availability->value, 0.9997, 1e-12);
  site.kind = SiteKind::kHome;
  const ServiceCase home = service_case(group_of(1), site, {}, {});
  EXPECT_FALSE(home.mains_availability);
  EXPECT_NEAR(home.node.availability.value, 0.9997 / 1.004, 1e-9);
  Group owner = group_of(1);
  owner.availability = stated(0.98);
  EXPECT_EQ(service_case(owner, site, {}, {}).node.availability.value, 0.98);
}

}  // namespace
}  // namespace fathom
