#include "network/fat_tree.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace fathom {
namespace {

struct Case {
  int hosts, radix, leaves, spines;
};

// leaf = ceil(H/(r/2)), spine = ceil(leaf*(r/2)/r): by hand, 80 hosts on 64 ports: ceil(80/32) = 3, ceil(96/64) = 2.
// 2,048 hosts on 64 ports is the two-tier maximum that NVIDIA quotes for Quantum-2.
TEST(FatTree, CountsMatchHandCalculations) {
  for (const Case& c :
       {Case{80, 64, 3, 2}, Case{512, 64, 16, 8}, Case{2048, 64, 64, 32}, Case{128, 40, 7, 4}, Case{32, 40, 1, 0}}) {
    const auto tree = fat_tree({.hosts = c.hosts, .radix = c.radix});
    ASSERT_TRUE(tree);
    EXPECT_EQ(tree->leaves, c.leaves) << c.hosts;
    EXPECT_EQ(tree->spines, c.spines) << c.hosts;
    EXPECT_EQ(tree->host_links, c.hosts);
  }
}

// 160 hosts: 5 leaves, ceil(160/64) = 3 spines, but 32 uplinks do not divide by 3: the fourth spine makes 8 links each.
TEST(FatTree, SpinesRoundUpUntilEveryLeafReachesThemEvenly) {
  EXPECT_EQ(fat_tree({.hosts = 160, .radix = 64})->spines, 4);
  for (int hosts = 65; hosts <= 2048; hosts += 13) {
    const auto tree = fat_tree({.hosts = hosts, .radix = 64});
    EXPECT_EQ(tree->up_per_leaf % tree->spines, 0) << hosts;
    EXPECT_LE(tree->leaves * tree->up_per_leaf, tree->spines * 64) << hosts;
    EXPECT_GE(tree->leaves * tree->down_per_leaf, hosts) << hosts;
  }
}

TEST(FatTree, BoundsAreRSquaredHalfAndRCubedQuarter) {
  EXPECT_EQ(max_hosts(2, 64), 64 * 64 / 2);
  EXPECT_EQ(max_hosts(3, 64), 64LL * 64 * 64 / 4);
  EXPECT_EQ(fat_tree({.hosts = 2049, .radix = 64})->tiers, 3);
  EXPECT_TRUE(fat_tree({.hosts = 65536, .radix = 64}));
  EXPECT_FALSE(fat_tree({.hosts = 65537, .radix = 64}));
}

// A full three-tier tree of radix r has r^2/2 leaves, as many aggregation switches and r^2/4 cores: 5r^2/4 in all.
TEST(FatTree, AFullThreeTierTreeHasFiveQuartersOfRSquaredSwitches) {
  EXPECT_EQ(fat_tree({.hosts = 65536, .radix = 64})->switches(), 5 * 64 * 64 / 4);
}

TEST(FatTree, OversubscriptionIsNeverWorseThanAskedFor) {
  const auto exact = fat_tree({.hosts = 480, .radix = 64, .oversubscription = 3});
  EXPECT_EQ(exact->down_per_leaf, 48);  // 64*3/4
  EXPECT_EQ(exact->up_per_leaf, 16);
  EXPECT_EQ(exact->leaves, 10);
  for (double o : {1.0, 1.5, 2.0, 2.5, 3.0, 7.0}) {
    EXPECT_LE(fat_tree({.hosts = 200, .radix = 48, .oversubscription = o})->oversubscription(), o + 1e-9);
  }
}

// Ten nodes of eight ports: four rails share a 64-port switch, 40 ports used, no link between the two switches.
TEST(RailTree, TenNodesOfEightRailsTakeTwoSwitches) {
  const auto tree = rail_tree({.nodes = 10, .rails = 8, .radix = 64});
  EXPECT_EQ(tree->switches(), 2);
  EXPECT_EQ(tree->rails_per_switch, 4);
  EXPECT_EQ(tree->down_per_leaf, 40);
  EXPECT_EQ(tree->fabric_links, 0);
  EXPECT_EQ(optics(*tree), 160);
  EXPECT_EQ(optics(*tree, true), 0);
}

// 32 nodes fill half a 64-port leaf: 8 leaves with 32 uplinks each make 256 links into 4 spines.
TEST(RailTree, JoinedRailsAddSpines) {
  const auto tree = rail_tree({.nodes = 32, .rails = 8, .radix = 64, .joined = true});
  EXPECT_EQ(tree->leaves, 8);
  EXPECT_EQ(tree->spines, 4);
  EXPECT_EQ(tree->fabric_links, 256);
}

TEST(FatTree, NonsenseIsRefused) {
  EXPECT_THROW(fat_tree({.hosts = 0, .radix = 64}), std::invalid_argument);
  EXPECT_THROW(fat_tree({.hosts = 8, .radix = 1}), std::invalid_argument);
  EXPECT_THROW(fat_tree({.hosts = 8, .radix = 64, .oversubscription = 0}), std::invalid_argument);
}

}  // namespace
}  // namespace fathom
