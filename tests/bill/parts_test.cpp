#include "bill/parts.h"

#include <gtest/gtest.h>

#include "support/planning.h"

namespace fathom::bill {
namespace {

TEST(BillParts, TheLastWordSaysWhatAThingIs) {
  const std::pair<const char*, PartKind> kNames[] = {
      {"服务器内存", PartKind::kMemory},           {"GPU服务器", PartKind::kHost},
      {"交换机光模块", PartKind::kOptic},          {"液冷机柜", PartKind::kRack},
      {"光纤交换机", PartKind::kSwitch},           {"GPU供电改造套件", PartKind::kAccessory},
      {"NVIDIA H100 GPU server", PartKind::kHost}, {"server memory", PartKind::kMemory},
      {"InfiniBand HCA", PartKind::kNic},          {"cable for the switch", PartKind::kCable},
      {"4U 塔式/机架式", PartKind::kUnknown},      {"不间断电源", PartKind::kUps},
      {"Power supply, 2 kW", PartKind::kPsu},      {"水冷系统", PartKind::kCooling},
      {"7×24技术团队", PartKind::kStaff}};
  for (const auto& [name, kind] : kNames) EXPECT_EQ(static_cast<int>(kind_of(name)), static_cast<int>(kind)) << name;
}

Part only(const std::string& row) {
  static std::vector<Bill> bills;
  bills.reserve(100);
  bills.push_back(read_bill("item,model,qty,unit price,notes\n" + row + "\n", "b.csv"));
  return parts_of(bills.back(), shipped()).at(0);
}

TEST(BillParts, NamesOfTheCatalogAreFoundInAnyScript) {
  EXPECT_EQ(only("NYUDA A100 GPU,,32,1,80GB显存").accelerators.size(), 2u);  // SXM4 or PCIe
  EXPECT_EQ(only("GPU,NVIDIA RTX 6000 Ada (48GB),2,1,").accelerators.at(0)->id, "nvidia-rtx-6000-ada-48gb");
  EXPECT_EQ(only("Nexus 93180YC-EX,,50,1,").kind, PartKind::kSwitch);
  EXPECT_FALSE(only("鲲鹏920处理器,,2,1,").cpus.empty());
  EXPECT_EQ(only("QSFP28光模块,100G LR4,2,1,").kind, PartKind::kOptic);
  EXPECT_TRUE(only("办公桌,4090,2,1,").accelerators.empty());
}

TEST(BillParts, MachinesBringTheirCards) {
  EXPECT_DOUBLE_EQ(only("GPU server,8x H100 SXM,4,1,").accelerators_each, 8);
  EXPECT_DOUBLE_EQ(only("GPU server,H100×8,4,1,").accelerators_each, 8);
  EXPECT_DOUBLE_EQ(only("AI服务器,昇腾910B 8卡,4,1,").accelerators_each, 8);
  EXPECT_EQ(only("NF5688M7,8*H100 SXM5,4,1,").kind, PartKind::kHost);
  EXPECT_EQ(only("H100 SXM5 80GB,,4,1,").kind, PartKind::kAccelerator);
  EXPECT_DOUBLE_EQ(only("DGX H100,,4,1,").accelerators_each, 8);
}

TEST(BillParts, PortsAreReadFromWords) {
  EXPECT_DOUBLE_EQ(ports_in("48×40G端口")->count, 48);
  EXPECT_DOUBLE_EQ(ports_in("48×40G端口")->rate->value, 5e9);
  EXPECT_DOUBLE_EQ(ports_in("10GbE 双端口网卡")->count, 2);
  EXPECT_DOUBLE_EQ(ports_in("24-port switch")->count, 24);
  EXPECT_FALSE(ports_in("200Gbps EDR"));
  EXPECT_DOUBLE_EQ(ports_in("64x400G NDR")->rate->value, 50e9);  // no figure begins inside of 400
  EXPECT_EQ(measures_in("A100 80GB").size(), 1u);                // nor inside of a name
}

}  // namespace
}  // namespace fathom::bill
