// GPUs that are missing, told by what is required or by other nodes; and nodes that are another under a second name.
#include <gtest/gtest.h>

#include <algorithm>

#include "health/health.h"
#include "support/invented_machine.h"
#include "support/planning.h"

namespace fathom::probe {
namespace {

// Of the invented machine the first GPUs alone, as a node of its own.
MachineRecord node_with(int gpus, const std::string& name = "n0") {
  MachineRecord record = invented_machine();
  record.node = name;
  const auto is_out = [&](const std::string& devices) {
    bool out = false;
    for (int i = gpus; i < 4; ++i) out |= devices.find("gpu" + std::to_string(i)) != std::string::npos;
    return out;
  };
  std::erase_if(record.gpus, [&](const Gpu& gpu) { return is_out(gpu.device); });
  std::erase_if(record.links, [&](const Link& l) { return is_out(l.from) || is_out(l.to); });
  std::erase_if(record.results, [&](const Result& r) { return is_out(r.device); });
  for (Gpu& gpu : record.gpus) gpu.uuid += "-" + name;
  return record;
}

// As a run leaves it that found no GPU.
MachineRecord node_without(const std::string& why) {
  MachineRecord record = node_with(0);
  record.results.push_back(without_figure("gpu.gemm", "gpu", Status::kNotSupported, why));
  return record;
}

HealthReport judged(const MachineRecord& record, const std::vector<MachineRecord>& others,
                    const std::optional<RequiredGpus>& required = {}) {
  return judge_health(record, shipped(), others, required);
}

std::vector<HealthFinding> missing(const HealthReport& report) {
  std::vector<HealthFinding> found;
  for (const HealthFinding& f : report.findings) {
    if (f.rule == "probe.gpus-missing") found.push_back(f);
  }
  return found;
}

TEST(RequiredGpus, FewerAreAFailure) {
  const HealthReport report = judged(node_with(3), {}, RequiredGpus{4, "--require-gpus"});
  EXPECT_EQ(report.health, Health::kFailed);
  ASSERT_EQ(report.findings.size(), 1u);
  const HealthFinding& f = report.findings[0];
  EXPECT_EQ(f.rule, "probe.gpus-missing");
  EXPECT_EQ(f.measured, "3 x NVIDIA H200");
  EXPECT_EQ(f.expected, "4 GPUs");
  EXPECT_EQ(f.source, "--require-gpus");
  EXPECT_NE(f.next.find("79"), std::string::npos);
  EXPECT_EQ(judged(node_with(4), {}, RequiredGpus{4, "--require-gpus"}).health, Health::kHealthy);
}

TEST(RequiredGpus, MoreAreANote) {
  const HealthReport report = judged(node_with(4), {}, RequiredGpus{2, "hosts.yaml"});
  EXPECT_EQ(report.health, Health::kHealthy);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_EQ(report.notes[0], "the node has 4 GPUs, and hosts.yaml asks for 2");
}

// One GPU under two names is one.
TEST(RequiredGpus, AGpuThatIsShownTwiceCountsOnce) {
  MachineRecord record = node_with(4);
  record.gpus[2].uuid = record.gpus[0].uuid;
  EXPECT_EQ(missing(judged(record, {}, RequiredGpus{4, "--require-gpus"})).size(), 1u);
}

// No device of the driver is a failure; a program that cannot look at any knows nothing.
TEST(RequiredGpus, NoneIsAFailureWhereSomebodyLooked) {
  const RequiredGpus eight{8, "--require-gpus"};
  const HealthReport lost = judged(node_without("the driver shows no device"), {}, eight);
  EXPECT_EQ(lost.health, Health::kFailed);
  EXPECT_EQ(missing(lost).at(0).measured, "none: the driver shows no device");
  EXPECT_EQ(missing(judged(node_without(kBuiltWithoutCuda), {}, eight)).at(0).health, Health::kUnknown);
  EXPECT_EQ(missing(judged(node_with(0), {}, eight)).at(0).health, Health::kUnknown) << "--only host";
  EXPECT_EQ(missing(judged(node_without("the driver shows no device"), {}, RequiredGpus{0, "hosts.yaml"})).size(), 0u);
}

// The bus still lists what the driver lost, and what somebody hides: which of the two, nobody tells but who hides.
TEST(GpusOfTheBus, AreMissedWhereNobodySaysHowManyThereShouldBe) {
  MachineRecord record = node_with(3);
  record.settings.push_back({"pci_gpus", "4"});
  const HealthReport report = judged(record, {});
  EXPECT_EQ(report.health, Health::kUnknown);
  ASSERT_EQ(missing(report).size(), 1u);
  EXPECT_EQ(missing(report)[0].expected, "4 GPUs, or --require-gpus");
  EXPECT_EQ(missing(judged(record, {}, RequiredGpus{4, "--require-gpus"})).at(0).measured,
            "3 x NVIDIA H200; the PCI bus shows 4");
  EXPECT_TRUE(missing(judged(record, {}, RequiredGpus{3, "--require-gpus"})).empty());
  MachineRecord hidden = record;
  hidden.settings.push_back({"gpu_environment", "CUDA_VISIBLE_DEVICES=0,1,2 NCCL_ALGO=Ring"});
  EXPECT_TRUE(missing(judged(hidden, {})).empty());
  EXPECT_NE(judged(hidden, {}).notes.back().find("CUDA_VISIBLE_DEVICES leaves 3"), std::string::npos);
  record.settings.back().value = "3";
  EXPECT_TRUE(missing(judged(record, {})).empty());
}

TEST(GpusOfTheBus, WithoutADriverAreItsFaultFirst) {
  MachineRecord lost = node_without("there is no driver of NVIDIA");
  lost.settings.push_back({"pci_gpus", "8"});
  const HealthReport report = judged(lost, {});
  EXPECT_EQ(report.health, Health::kUnknown);
  EXPECT_NE(missing(report).at(0).next.find("modprobe nvidia"), std::string::npos);
  EXPECT_NE(missing(judged(node_with(3), {}, RequiredGpus{4, "--require-gpus"})).at(0).next.find("xid"),
            std::string::npos);
}

TEST(GpusOfOtherNodes, TwoThatAgreeTellThatOneIsMissing) {
  const std::vector<MachineRecord> others = {node_with(4, "n1"), node_with(4, "n2")};
  const HealthReport report = judged(node_with(3), others);
  EXPECT_EQ(report.health, Health::kDegraded);
  ASSERT_EQ(missing(report).size(), 1u);
  EXPECT_EQ(missing(report)[0].expected, "4 x NVIDIA H200");
  EXPECT_EQ(missing(report)[0].source, "2 of 2 nodes like it");
  EXPECT_TRUE(missing(judged(node_with(4), others)).empty());
  EXPECT_TRUE(missing(judged(node_with(4), {node_with(3, "n1"), node_with(3, "n2")})).empty()) << "more is no fault";
  const HealthReport stated = judged(node_with(3), others, RequiredGpus{3, "hosts.yaml"});
  EXPECT_TRUE(missing(stated).empty()) << "whoever says how many there should be is right";
}

TEST(GpusOfOtherNodes, MostOfThemMakeASuspectAndOneANote) {
  const std::vector<MachineRecord> most = {node_with(4, "n1"), node_with(4, "n2"), node_with(3, "n3")};
  EXPECT_EQ(missing(judged(node_with(3), most)).at(0).health, Health::kSuspect);
  const std::vector<MachineRecord> half = {node_with(4, "n1"), node_with(4, "n2"), node_with(3, "n3"),
                                           node_with(3, "n4")};
  const HealthReport divided = judged(node_with(3), half);
  EXPECT_TRUE(missing(divided).empty());
  EXPECT_EQ(divided.notes, std::vector<std::string>{"n1, n2 have 4 NVIDIA H200, this node 3"});
  const HealthReport one = judged(node_with(3), {node_with(4, "n1")});
  EXPECT_EQ(one.health, Health::kHealthy);
  EXPECT_EQ(one.notes, std::vector<std::string>{"n1 has 4 NVIDIA H200, this node 3"});
  MachineRecord with_bus = node_with(3);
  with_bus.settings.push_back({"pci_gpus", "4"});
  EXPECT_EQ(missing(judged(with_bus, {node_with(4, "n1")})).at(0).health, Health::kSuspect);
}

TEST(GpusOfOtherNodes, ANodeThatLostAllIsLikeThoseWithItsProcessor) {
  const std::vector<MachineRecord> others = {node_with(4, "n1"), node_with(4, "n2")};
  const HealthReport report = judged(node_without("the driver shows no device"), others);
  EXPECT_EQ(missing(report).at(0).health, Health::kDegraded);
  MachineRecord storage = node_without("the driver shows no device");
  storage.processor->name = "Another CPU";
  EXPECT_TRUE(missing(judged(storage, others)).empty());
  EXPECT_TRUE(missing(judged(node_without(kBuiltWithoutCuda), others)).empty()) << "nobody looked";
}

TEST(NodesUnderTwoNames, HaveOneBootId) {
  MachineRecord here = node_with(4), there = node_with(4, "n1");
  for (MachineRecord* record : {&here, &there}) record->settings.push_back({"boot_id", "0b1c"});
  EXPECT_EQ(judged(here, {there}).health, Health::kHealthy) << "each has GPUs of its own: parts of a host";
  for (Gpu& gpu : there.gpus) gpu.uuid.clear();  // nobody tells
  const HealthReport report = judged(here, {there});
  EXPECT_EQ(report.health, Health::kUnknown);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].rule, "probe.same-host");
  EXPECT_EQ(report.findings[0].measured, "0b1c, which is n1's");
  there.settings.back().value = "0b1d";
  EXPECT_EQ(judged(here, {there}).health, Health::kHealthy);
}

}  // namespace
}  // namespace fathom::probe
