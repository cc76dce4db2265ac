// What is set on GPUs: one that is set otherwise than those beside it is found, a setting of all is a note at most.
#include <gtest/gtest.h>

#include "health/health.h"
#include "support/invented_machine.h"
#include "support/planning.h"

namespace fathom::probe {
namespace {

std::string listed(const HealthReport& report) {
  std::string text;
  for (const HealthFinding& f : report.findings)
    text += f.rule + " " + f.device + " " + f.what + ": " + f.measured + ", not " + f.expected + "\n";
  return text;
}

HealthReport judged(const MachineRecord& record) { return judge_health(record, shipped()); }

// As NVML tells them of a node that is well.
MachineRecord told() {
  MachineRecord record = invented_machine();
  for (Gpu& gpu : record.gpus) {
    gpu.power_limit_default = Watts(700);
    gpu.remap_failed = false;
    gpu.ecc = gpu.persistence = true;
    gpu.mig = false;
  }
  return record;
}

TEST(GpuSettings, OfANodeThatIsWellAreNoFindingAndNoNote) {
  const HealthReport report = judged(told());
  EXPECT_EQ(report.health, Health::kHealthy) << listed(report);
  EXPECT_TRUE(report.notes.empty());
}

TEST(GpuSettings, OneUnlikeTheOthersIsFound) {
  struct Case {
    std::optional<bool> Gpu::*mode;
    bool planted;
    const char *finding, *next;
  };
  for (const Case& c : {Case{&Gpu::ecc, false, "probe.settings-differ gpu2 ECC: off, not on\n", "-e 1"},
                        Case{&Gpu::persistence, false, "probe.settings-differ gpu2 persistence mode: off, not on\n",
                             "nvidia-smi -i 0000:39:00.0 -pm 1"},
                        Case{&Gpu::mig, true, "probe.settings-differ gpu2 MIG: on, not off\n", "-mig 0"}}) {
    MachineRecord record = told();
    record.gpus[2].*c.mode = c.planted;
    const HealthReport report = judged(record);
    EXPECT_EQ(report.health, Health::kSuspect);
    EXPECT_EQ(listed(report), c.finding);
    EXPECT_NE(report.findings.at(0).next.find(c.next), std::string::npos) << report.findings[0].next;
    for (Gpu& gpu : record.gpus) gpu.*c.mode = c.planted;
    const HealthReport all = judged(record);
    EXPECT_EQ(all.health, Health::kHealthy) << listed(all);
    ASSERT_EQ(all.notes.size(), 1u);
    EXPECT_TRUE(all.notes[0].starts_with("gpu0, gpu1, gpu2, gpu3: ")) << all.notes[0];
  }
}

// A card of another kind beside them is no peer.
TEST(GpuSettings, OfAnotherKindAreNotCompared) {
  MachineRecord record = told();
  record.gpus[3].name = "NVIDIA L40S";
  std::erase_if(record.results, [](const Result& r) { return r.device.find("gpu3") != std::string::npos; });
  record.gpus[3].ecc = false;
  EXPECT_EQ(listed(judged(record)).find("settings-differ"), std::string::npos);
}

TEST(PowerLimits, AreHeldAgainstTheBoardThenTheCatalogThenTheOthers) {
  MachineRecord record = told();
  record.gpus[1].power_limit = Watts(500);
  EXPECT_EQ(listed(judged(record)), "probe.power-limit gpu1 power limit: 500 W, not 700 W\n");
  EXPECT_EQ(judged(record).findings[0].source, "the board's default");
  EXPECT_NE(judged(record).findings[0].next.find("nvidia-smi -i 0000:29:00.0 -pl 700"), std::string::npos);
  record.gpus[1].power_limit_default.reset();
  EXPECT_NE(judged(record).findings.at(0).source.find("H200 SXM5"), std::string::npos);
  for (Gpu& gpu : record.gpus) {
    gpu.name = "Invented 9000";
    gpu.power_limit_default.reset();
  }
  EXPECT_EQ(judged(record).findings.at(0).source, "the GPUs like it in this node");
  record.gpus[1].power_limit = Watts(698);
  EXPECT_EQ(judged(record).health, Health::kHealthy);
}

// All of a node at 500 W: nothing stands out beside the others.
TEST(PowerLimits, ThatAreLowOnAllAreFoundOnAll) {
  MachineRecord record = told();
  for (Gpu& gpu : record.gpus) gpu.power_limit = Watts(500);
  EXPECT_EQ(judged(record).findings.size(), 4u);
  EXPECT_EQ(judged(record).health, Health::kSuspect);
}

// Cards for bridges answer for links that lead nowhere.
TEST(Bridges, ThatAreNotThereAreANote) {
  MachineRecord record = told();
  record.links.clear();
  std::erase_if(record.results, [](const Result& r) {
    return r.device.size() > 4 || r.name == "gpu.memory.read" || r.name == "gpu.gemm";
  });
  for (Gpu& gpu : record.gpus) {
    gpu.name = "NVIDIA A100-PCIE-40GB";
    gpu.memory = Bytes(42e9);
    gpu.pcie_generation = gpu.pcie_generation_max = 4;
    gpu.power_limit = gpu.power_limit_default = Watts(250);
    gpu.nvlinks = 0;
    gpu.nvlinks_expected = 12;
  }
  for (Result& r : record.results) {
    if (r.name == "gpu.copy.h2d") r.figure = single_figure(25e9);
  }
  HealthReport report = judged(record);
  EXPECT_EQ(report.health, Health::kHealthy) << listed(report);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_NE(report.notes[0].find("no bridge"), std::string::npos);
  for (const int joined : {0, 1, 2}) record.gpus[static_cast<std::size_t>(joined)].nvlinks = 12;
  report = judged(record);
  EXPECT_EQ(report.health, Health::kSuspect);
  EXPECT_EQ(listed(report), "probe.nvlink gpu3 NVLink: 0 links, not 12 links\n");
}

// With half the lanes it says that no more is possible, and older drivers do not say what is.
TEST(Slots, ThatAreNarrowerThanThoseOfTheOthersAreSuspect) {
  MachineRecord record = told();
  std::erase_if(record.results, [](const Result& r) { return r.name == "gpu.copy.h2d"; });
  EXPECT_EQ(judged(record).health, Health::kHealthy);
  record.gpus[3].pcie_width = record.gpus[3].pcie_width_max = 8;
  EXPECT_EQ(listed(judged(record)), "probe.pcie gpu3 slot, under load: PCIe 5.0 x8, not PCIe 5.0 x16\n");
  EXPECT_EQ(judged(record).health, Health::kSuspect);
  EXPECT_EQ(judged(record).findings.at(0).source, "3 of 3 GPUs like it in this node");
  record.gpus[3] = told().gpus[3];
  record.gpus[3].pcie_generation = 4;
  record.gpus[3].pcie_generation_max.reset();
  EXPECT_EQ(listed(judged(record)), "probe.pcie gpu3 slot, under load: PCIe 4.0 x16, not PCIe 5.0 x16\n");
  record.gpus[3].pcie_generation.reset();  // nothing was copied: a slot at rest says nothing
  EXPECT_EQ(judged(record).health, Health::kHealthy);
}

TEST(Slots, BelowWhatTheCardCanDoAreANote) {
  MachineRecord record = told();
  for (Gpu& gpu : record.gpus) gpu.pcie_generation = gpu.pcie_generation_max = 4;
  std::erase_if(record.results, [](const Result& r) { return r.name == "gpu.copy.h2d"; });
  const HealthReport report = judged(record);
  EXPECT_EQ(report.health, Health::kHealthy) << listed(report);
  ASSERT_EQ(report.notes.size(), 4u);
  EXPECT_NE(report.notes[0].find("PCIe 4.0 x16"), std::string::npos) << report.notes[0];
}

}  // namespace
}  // namespace fathom::probe
