// Which links a group of ranks crosses.
#include "network/topology.h"

#include <gtest/gtest.h>

#include "support/planning.h"

namespace fathom {
namespace {

TEST(Span, StaysInsideTheNodeAsLongAsTheRanksDo) {
  const TestCluster cluster(Machines{.nodes = 4});
  const Span inside = span(cluster.pool(), 8, 1), across = span(cluster.pool(), 16, 1);
  EXPECT_EQ(inside.inner->kind, TierKind::kScaleUp);
  EXPECT_EQ(inside.outer, inside.inner);
  EXPECT_EQ(across.inner->kind, TierKind::kScaleUp);
  EXPECT_EQ(across.outer->kind, TierKind::kRdma);
  EXPECT_EQ(across.per_inner, 8);
  EXPECT_EQ(span(cluster.pool(), 2, 8).inner->kind, TierKind::kRdma);  // neighbours a node apart
}

// 400 Gb/s for each of eight accelerators of a node.
TEST(MakePool, SharesTheNodesNicsAmongItsAccelerators) {
  const TestCluster cluster(Machines{.nodes = 4, .per_node = 8, .nic_gbps = 400});
  EXPECT_NEAR(cluster.pool().tiers.back().bandwidth.value, 50e9, 1);
}

TEST(MakePool, SaysSoWhenNothingJoinsTheNodes) {
  const TestCluster cluster(Machines{.nodes = 4, .nic_gbps = 0});
  EXPECT_EQ(cluster.pool().tiers.back().domain, 8);
  EXPECT_FALSE(cluster.pool().notes.empty());
}

// A pair of cards of a full mesh of eight shares one of seven links, four cards have three each.
TEST(Span, InAMeshUsesOnlyTheLinksBetweenItsMembers) {
  const TestCluster cluster(Machines{.accelerator = "huawei-ascend-910b2-64gb"});
  ASSERT_TRUE(cluster.pool().tiers.front().mesh);
  const double all = cluster.pool().tiers.front().bandwidth.value;
  EXPECT_NEAR(span(cluster.pool(), 2, 1).inner_bandwidth.value, all / 7, 1);
  EXPECT_NEAR(span(cluster.pool(), 4, 1).inner_bandwidth.value, all * 3 / 7, 1);
  EXPECT_NEAR(span(cluster.pool(), 8, 1).inner_bandwidth.value, all, 1);
}

// An L40S has a slot of generation 4, 31 GB/s each way; a host of generation 3 halves it. Copies attain 0.88 of it.
TEST(PcieRate, IsThatOfTheSlowerEndAndWhatPeersShare) {
  TestCluster cluster(Machines{.accelerator = "nvidia-l40s-48gb", .per_node = 2});
  Node node = cluster.pool().group->node;
  EXPECT_NEAR(pcie_rate(node).value, 31e9, 1);
  EXPECT_NEAR(attained_pcie_rate(node).value, 0.88 * 31e9, 1);
  EXPECT_EQ(cluster.pool().tiers.front().bandwidth, attained_pcie_rate(node));
  Cpu old = *node.cpu;
  old.pcie.generation = 3;
  node.cpu = &old;
  EXPECT_NEAR(pcie_rate(node).value, 15.75e9, 1);
}

// Nine trays of four GPUs are one NVLink domain of a rack that holds 72; boards of eight end at their node.
TEST(MakePool, ARackScaleLinkJoinsItsNodes) {
  const TestCluster rack(Machines{.accelerator = "nvidia-gb200-186gb", .nodes = 9, .per_node = 4, .nic_gbps = 0});
  ASSERT_EQ(rack.pool().tiers.size(), 1u);
  EXPECT_EQ(rack.pool().tiers.front().kind, TierKind::kScaleUp);
  EXPECT_EQ(rack.pool().tiers.front().domain, 36);
  EXPECT_TRUE(rack.pool().notes.empty());
  const TestCluster racks(Machines{.accelerator = "nvidia-gb200-186gb", .nodes = 36, .per_node = 4});
  EXPECT_EQ(racks.pool().tiers.front().domain, 72);
  EXPECT_EQ(racks.pool().tiers.back().domain, 144);
  const TestCluster boards(Machines{.nodes = 9, .per_node = 4});
  EXPECT_EQ(boards.pool().tiers.front().domain, 4);
}

}  // namespace
}  // namespace fathom
