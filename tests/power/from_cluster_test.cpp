#include "power/from_cluster.h"

#include <gtest/gtest.h>

#include "catalog/catalog.h"

namespace fathom {
namespace {

const Catalog& catalog() {
  static const Catalog shipped(std::string(FATHOM_SOURCE_DIR) + "/catalogs");
  return shipped;
}

Node eight_h100() {
  Node node;
  node.accelerator = &catalog().accelerator("nvidia-h100-sxm5-80gb");
  node.accelerators = 8;
  node.psu = Psu{.count = 6, .needed = 4, .rated = 3300_W, .grade = "titanium"};
  node.disks = {{.part = "nvme", .count = 8, .capacity = {}, .read = {}, .use = {}, .price = {}}};
  node.nics = {{.part = "somebody's card", .count = 8, .rate = 50_GBps, .fabric = {}, .price = {}}};
  return node;
}

TEST(NodeParts, ComeFromFileAndCatalog) {
  const NodeParts parts = node_parts(eight_h100(), Site{}, catalog());
  EXPECT_NEAR(parts.accelerator->floor.value, 349, 1e-9);  // the fit of H100 SXM
  EXPECT_EQ(parts.disks, 8);
  EXPECT_TRUE(parts.scale_up_switches);
  EXPECT_EQ(parts.psu->count, 6);  // all six share, although four would do
  EXPECT_NEAR(psu_efficiency(parts.psu->curve, 0.5), 0.96, 1e-12);
  EXPECT_FALSE(parts.nics.front().typical);  // unknown card: by its rate
}

TEST(NodeParts, HomesAndLiquidLoopsNeedFewerFans) {
  Site site;
  EXPECT_EQ(node_parts(eight_h100(), site, catalog()).cooling, Cooling::kAir);
  site.kind = SiteKind::kHome;
  EXPECT_EQ(node_parts(eight_h100(), site, catalog()).cooling, Cooling::kDesktop);
  site.liquid_cooling = true;
  EXPECT_EQ(node_parts(eight_h100(), site, catalog()).cooling, Cooling::kLiquid);
}

TEST(SiteConditions, DefaultPueFollowsTheKindOfSite) {
  Site site;
  EXPECT_EQ(site_conditions(site).pue.value, 1.5);
  site.liquid_cooling = true;
  EXPECT_EQ(site_conditions(site).pue.value, 1.2);
  site.kind = SiteKind::kHome;
  site.circuit_volts = 220;
  site.circuit_amps = 16;
  EXPECT_EQ(site_conditions(site).pue.value, 1.0);
  EXPECT_EQ(site_conditions(site).circuit->value, 3520);
}

TEST(NetworkLoads, SwitchesWithoutKnownWattsStayUnknown) {
  Cluster cluster;
  Fabric fabric;
  fabric.id = "ib";
  fabric.switches = {{.role = "leaf", .part = "no such switch", .count = 2, .price = {}}};
  cluster.fabrics = {fabric};
  const std::vector<NetworkLoad> loads = network_loads(cluster, catalog());
  ASSERT_EQ(loads.size(), 1u);
  EXPECT_EQ(loads.front().what, "ib.leaf: no such switch");
  EXPECT_FALSE(loads.front().each);
}

}  // namespace
}  // namespace fathom
