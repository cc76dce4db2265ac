// One fault at a time in a machine that has none: the rule that finds it, on the device that has it.
#include <gtest/gtest.h>

#include <algorithm>

#include "health/health.h"
#include "health/limits_of_parts.h"
#include "support/invented_machine.h"
#include "support/planning.h"

namespace fathom::probe {
namespace {

std::string listed(const HealthReport& report) {
  std::string text;
  for (const HealthFinding& f : report.findings)
    text += f.rule + " " + f.device + " " + f.measured + " | " + f.expected + "\n";
  return text;
}

HealthReport judged(const std::string& text) { return judge_health(parse_record(text, "machine.json"), shipped()); }

TEST(Health, ACleanMachineHasNoFinding) {
  const HealthReport report = judge_health(invented_machine(), shipped());
  EXPECT_EQ(report.health, Health::kHealthy);
  EXPECT_EQ(listed(report), "");
  EXPECT_TRUE(report.notes.empty());
}

// Recorded while others used the machine: one finding says so, and nothing else is wrong with it.
TEST(Health, ABusyMachineIsASuspectForItsScatterAlone) {
  const MachineRecord record = read_record(kInventedMachine.parent_path() / "busy-epyc-2-threads.json");
  const HealthReport report = judge_health(record, shipped());
  EXPECT_EQ(report.health, Health::kSuspect);
  ASSERT_EQ(report.findings.size(), 1u) << listed(report);
  EXPECT_EQ(report.findings.front().rule, "probe.unstable");
  EXPECT_NE(report.notes.back().find("busy"), std::string::npos);
  for (const Result& result : record.results)
    EXPECT_TRUE(!result.correctness || result.correctness->correct) << result.name;
}

struct Fault {
  const char* name;
  const char* rule;
  Health health;
  const char* device;
  const char* anchor;  // the place: what is replaced comes behind it
  const char* before;
  const char* after;
};
std::ostream& operator<<(std::ostream& out, const Fault& fault) { return out << fault.name; }

class FaultOfAMachine : public testing::TestWithParam<Fault> {};

TEST_P(FaultOfAMachine, IsFoundOnItsDevice) {
  const Fault& fault = GetParam();
  const HealthReport report = judged(edited_machine(fault.anchor, fault.before, fault.after));
  const auto found = std::find_if(report.findings.begin(), report.findings.end(), [&](const HealthFinding& f) {
    return f.rule == fault.rule && f.device == fault.device;
  });
  ASSERT_NE(found, report.findings.end()) << listed(report);
  EXPECT_EQ(found->health, fault.health);
  EXPECT_EQ(report.health, fault.health) << listed(report);
  for (const std::string& text : {found->what, found->measured, found->expected, found->source, found->next}) {
    EXPECT_FALSE(text.empty());
  }
  for (const HealthFinding& f : report.findings) EXPECT_EQ(f.device, fault.device) << listed(report);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, FaultOfAMachine,
    testing::Values(
        Fault{"SlowGpu", "probe.slower-than-peers", Health::kDegraded, "gpu2", R"("gpu.gemm", "device": "gpu2")",
              R"("median": 7.69e+14)", R"("median": 6.2e+14)"},
        Fault{"SlightlySlowGpu", "probe.slower-than-peers", Health::kSuspect, "gpu2", R"("gpu.gemm", "device": "gpu2")",
              R"("median": 7.69e+14)", R"("median": 6.7e+14)"},  // under the power cap: 0.90, not 0.95
        Fault{"SlowToStart", "probe.slower-than-peers", Health::kDegraded, "gpu1",
              R"("gpu.launch.graph", "device": "gpu1")", R"("median": 1.32e-06)", R"("median": 2e-06)"},
        Fault{"SlowLink", "probe.slower-than-peers", Health::kDegraded, "gpu1>gpu3",
              R"("gpu.peer.copy", "device": "gpu1>gpu3")", R"("median": 3.937e+11)", R"("median": 1.96e+11)"},
        Fault{"HalfASlot", "probe.pcie", Health::kDegraded, "gpu3", R"({"device": "gpu3")", R"("pcie_width": 16)",
              R"("pcie_width": 8)"},
        Fault{"OldSlot", "probe.pcie", Health::kDegraded, "gpu3", R"({"device": "gpu3")", R"("pcie_generation": 5)",
              R"("pcie_generation": 3)"},
        Fault{"LowPowerLimit", "probe.power-limit", Health::kSuspect, "gpu2", R"({"device": "gpu2")",
              R"("power_limit_w": 700)", R"("power_limit_w": 450)"},
        Fault{"PowerLimitBelowItsDefault", "probe.power-limit", Health::kSuspect, "gpu2", R"({"device": "gpu2")",
              R"("power_limit_w": 700)", R"("power_limit_w": 710, "power_limit_default_w": 750)"},
        Fault{"NoLinks", "probe.nvlink", Health::kFailed, "gpu0", R"({"device": "gpu0")", R"("nvlinks": 18)",
              R"("nvlinks": 0)"},
        Fault{"LinksThatDoNotAnswer", "probe.nvlink", Health::kDegraded, "gpu0", R"({"device": "gpu0")",
              R"("nvlinks": 18, "nvlinks_expected": 18)", R"("nvlinks": 12, "nvlinks_expected": 12)"},
        Fault{"NoSpareRows", "probe.memory-errors", Health::kFailed, "gpu1", R"({"device": "gpu1")",
              R"("remap_pending": false)", R"("remap_pending": false, "remap_failed": true)"},
        Fault{"HalfTheLinks", "probe.nvlink", Health::kDegraded, "gpu0", R"({"device": "gpu0")", R"("nvlinks": 18)",
              R"("nvlinks": 9)"},
        Fault{"NoPeerAccess", "probe.peer-access", Health::kDegraded, "gpu0>gpu1", R"({"from": "gpu0", "to": "gpu1")",
              R"("peer_access": true)", R"("peer_access": false)"},
        Fault{"ClockHeldDown", "probe.throttled", Health::kDegraded, "gpu1", R"({"device": "gpu1")",
              R"("throttle_reasons": 4)", R"("throttle_reasons": 68)"},
        Fault{"HalfTheMemory", "probe.memory-size", Health::kDegraded, "gpu1", R"({"device": "gpu1")",
              R"("memory_bytes": 150754820096)", R"("memory_bytes": 75377410048)"},
        Fault{"TooHot", "probe.too-hot", Health::kDegraded, "gpu1", R"({"device": "gpu1")", R"("temperature_c": 51)",
              R"("temperature_c": 110)"},
        Fault{"HotterThanItsOwnLimit", "probe.too-hot", Health::kDegraded, "gpu1", R"({"device": "gpu1")",
              R"("temperature_c": 51)", R"("temperature_c": 87, "temperature_slowdown_c": 87)"},
        Fault{"OneGpuTwice", "probe.same-device", Health::kUnknown, "gpu2", R"({"device": "gpu2")", "GPU-00000002",
              "GPU-00000000"},
        Fault{"ErrorsInMemory", "probe.memory-errors", Health::kFailed, "gpu1", R"({"device": "gpu1")",
              R"("ecc_uncorrected": 0)", R"("ecc_uncorrected": 3)"},
        Fault{"RowsToRemap", "probe.memory-errors", Health::kFailed, "gpu1", R"({"device": "gpu1")",
              R"("remap_pending": false)", R"("remap_pending": true)"},
        Fault{"ZerosAsData", "probe.no-data", Health::kUnknown, "gpu1", R"("gpu.memory.read", "device": "gpu1")",
              R"("median": 4.56e+12)", R"("median": 0)"},
        Fault{"AnImpossibleFigure", "probe.implausible", Health::kUnknown, "gpu1",
              R"("gpu.memory.read", "device": "gpu1")", R"("median": 4.56e+12)", R"("median": 5.1e+12)"},
        Fault{"AnImpossibleTime", "probe.implausible", Health::kUnknown, "gpu0,gpu1,gpu2,gpu3",
              R"("bytes": 1073741824, "ranks": 4)", R"("median": 0.0044)", R"("median": 0.00044)"},
        Fault{"MemoryOfTheHostTooFast", "probe.implausible", Health::kUnknown, "host", R"("host.memory.read")",
              R"("median": 4.61e+11)", R"("median": 9.61e+11)"},
        Fault{"WrongData", "probe.incorrect", Health::kFailed, "gpu0", R"("gpu.gemm", "device": "gpu0")",
              R"("correct": true)", R"("correct": false)"},
        Fault{"Scatter", "probe.unstable", Health::kSuspect, "gpu0", R"("gpu.copy.h2d", "device": "gpu0")",
              R"("q1": 5.49792e+10)", R"("q1": 5.0e+10)"},
        Fault{"Drift", "probe.unstable", Health::kSuspect, "gpu0", R"("gpu.gemm", "device": "gpu0")",
              R"("drift": 0.001)", R"("drift": -0.08)"},
        Fault{"NotFinished", "probe.unfinished", Health::kUnknown, "host", R"("host.storage.random_read")",
              R"("status": "passed")", R"("status": "unknown", "why": "fio ended with 1")"},
        Fault{"AClockThatFollowsItself", "probe.clock", Health::kSuspect, "host", R"("clock": {)", "C0A80001",
              "7F7F0101"},
        Fault{"MemoryAsStorage", "probe.storage", Health::kUnknown, "host", R"("storage": {)", "xfs", "tmpfs"}),
    [](const testing::TestParamInfo<Fault>& fault) { return fault.param.name; });

// A clock below its highest is explained by the software power cap (0x4), and by nothing when that is not set.
TEST(Health, APowerCapExplainsALowClock) {
  const std::string slow = edited_machine(R"({"device": "gpu1")", R"("clock_hz": 1.965e9)", R"("clock_hz": 1.455e9)");
  EXPECT_EQ(judged(slow).health, Health::kHealthy);
  MachineRecord record = parse_record(slow, "machine.json");
  for (Gpu& gpu : record.gpus) gpu.throttle_reasons = 0;
  for (Result& result : record.results) result.protocol.throttle_reasons.reset();
  const HealthReport report = judge_health(record, shipped());
  ASSERT_EQ(report.findings.size(), 1u) << listed(report);
  EXPECT_EQ(report.findings.front().rule, "probe.throttled");
  EXPECT_EQ(report.findings.front().device, "gpu1");
}

// 600 of 1980 MHz is no work of a power cap, and a cap that copies alone ran into excuses nothing.
TEST(Health, APowerCapDoesNotExplainEveryClock) {
  MachineRecord record = invented_machine();
  record.gpus[1].clock = Hertz(600e6);
  record.gpus[1].throttle_reasons = 6;
  HealthReport report = judge_health(record, shipped());
  ASSERT_EQ(report.findings.size(), 1u) << listed(report);
  EXPECT_EQ(report.findings.front().rule, "probe.throttled");
  record.gpus[1].clock = Hertz(1455e6);
  EXPECT_EQ(judge_health(record, shipped()).health, Health::kHealthy);
  for (Result& r : record.results) {
    if (r.name == "gpu.gemm") r.protocol.throttle_reasons = 0;
    if (r.name == "gpu.copy.h2d") r.protocol.throttle_reasons = 4;
  }
  report = judge_health(record, shipped());
  ASSERT_EQ(report.findings.size(), 1u) << listed(report);
  EXPECT_EQ(report.findings.front().device, "gpu1");
}

TEST(Health, ASlowdownThatAGroupSawIsThatOfItsDevices) {
  MachineRecord record = invented_machine();
  for (Result& r : record.results) {
    if (r.name == "collective.all_reduce" || r.device == "gpu0>gpu1") r.protocol.throttle_reasons = 0x40;
  }
  EXPECT_EQ(judge_health(record, shipped()).findings.size(), 4u);
}

TEST(Health, AllGpusSlowTogetherAreFoundByTheCatalog) {
  MachineRecord record = invented_machine();
  for (Result& result : record.results) {
    if (result.name == "gpu.memory.read") result.figure = single_figure(2.9e12);
  }
  const HealthReport report = judge_health(record, shipped());
  ASSERT_EQ(report.findings.size(), 4u) << listed(report);
  for (const HealthFinding& f : report.findings) {
    EXPECT_EQ(f.rule, "probe.below-reference");
    EXPECT_EQ(f.health, Health::kDegraded);
    EXPECT_NE(f.source.find("fathom probe on one and two H200"), std::string::npos) << f.source;
  }
}

MachineRecord another_node() {
  MachineRecord node = invented_machine();
  node.node = "node2";
  for (Gpu& gpu : node.gpus) gpu.uuid += "-2";
  return node;
}

// All GPUs and the memory of one node at 0.92: nothing is wrong among its own devices.
TEST(Health, ASlowNodeIsFoundByOtherNodes) {
  const std::vector<MachineRecord> others = {another_node(), another_node()};
  EXPECT_EQ(judge_health(invented_machine(), shipped(), others).health, Health::kHealthy);
  MachineRecord slow = invented_machine();
  for (Result& r : slow.results) {
    if (r.name == "host.memory.read" || r.name == "gpu.gemm") r.figure = single_figure(r.figure->median * 0.92);
  }
  EXPECT_EQ(judge_health(slow, shipped()).health, Health::kHealthy);
  const HealthReport report = judge_health(slow, shipped(), others);
  EXPECT_EQ(report.health, Health::kSuspect);
  ASSERT_EQ(report.findings.size(), 5u) << listed(report);
  for (const HealthFinding& f : report.findings) EXPECT_EQ(f.rule, "probe.slower-than-fleet");
  std::vector<MachineRecord> of_another_kind = others;
  for (MachineRecord& node : of_another_kind) {
    node.processor->name = "Another CPU";
    for (Gpu& gpu : node.gpus) gpu.name = "NVIDIA H100 80GB HBM3";
  }
  EXPECT_EQ(judge_health(slow, shipped(), of_another_kind).health, Health::kHealthy);
}

// Every GPU of it is in the other's record.
TEST(Health, ARecordThatIsAnotherNodesIsUnknown) {
  MachineRecord other = another_node();
  EXPECT_EQ(judge_health(invented_machine(), shipped(), {other}).health, Health::kHealthy);
  other.gpus[1].uuid = invented_machine().gpus[3].uuid;
  const HealthReport report = judge_health(invented_machine(), shipped(), {other});
  ASSERT_EQ(report.findings.size(), 1u) << listed(report);
  EXPECT_EQ(report.findings[0].rule, "probe.same-device");
  EXPECT_EQ(report.findings[0].device, "gpu3");
  EXPECT_NE(report.findings[0].measured.find("gpu1's of node2"), std::string::npos) << report.findings[0].measured;
}

// Another cache, launch or statistic is another figure: neither like devices nor other nodes are held against it.
TEST(Health, FiguresOfAnotherProtocolAreNotCompared) {
  for (std::string Protocol::*part : {&Protocol::cache, &Protocol::launch, &Protocol::statistic}) {
    MachineRecord record = invented_machine();
    for (Result& r : record.results) {
      if (r.name == "gpu.copy.h2d" && r.device == "gpu2") {
        r.figure = single_figure(r.figure->median * 0.93);
        r.protocol.*part = "another";
      }
    }
    EXPECT_EQ(judge_health(record, shipped()).health, Health::kHealthy);
  }
}

TEST(Health, AMedianOutsideOfItsSamplesIsNamed) {
  MachineRecord record = invented_machine();
  record.results.front().figure->max = record.results.front().figure->median * 0.9;
  const HealthReport report = judge_health(record, shipped());
  ASSERT_FALSE(report.notes.empty());
  EXPECT_NE(report.notes.back().find("the median of 1 figure lies outside"), std::string::npos);
}

TEST(Health, NodesThatCannotBeComparedAreNamed) {
  MachineRecord other = another_node(), slow = invented_machine();
  other.node = "node9";
  other.processor->name = "Another CPU";
  for (Gpu& gpu : other.gpus) gpu.name = "NVIDIA H100 80GB HBM3";
  for (Result& r : slow.results) {
    if (r.name == "host.memory.read") r.figure = single_figure(r.figure->median * 0.92);
  }
  const HealthReport report = judge_health(slow, shipped(), {another_node(), other});
  ASSERT_EQ(report.findings.size(), 1u) << listed(report);
  EXPECT_EQ(report.findings.front().source, "1 other node") << "and not of two";
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_NE(report.notes[0].find("no figure of node9"), std::string::npos);
}

// What a cache gives is no figure of the memory.
TEST(Health, SmallBuffersMayBeFasterThanTheMemory) {
  MachineRecord record = invented_machine();
  for (Result& result : record.results) {
    if (result.name != "gpu.memory.read") continue;
    result.shape["bytes"] = "16777216";
    result.figure = single_figure(1e13);
  }
  EXPECT_EQ(judge_health(record, shipped()).health, Health::kHealthy);
  for (Result& result : record.results) {
    if (result.name == "gpu.memory.read") result.shape.erase("bytes");
  }
  EXPECT_EQ(judge_health(record, shipped()).health, Health::kUnknown);
}

// 2 sockets x 56 cores x 64 FLOP x 2.0 GHz = 14.3 TFLOPS at the base clock, 27.2 at 3.8 GHz.
TEST(Health, AProcessorMayRunAboveItsBaseClock) {
  MachineRecord record = invented_machine();
  Result gemm = without_figure("host.gemm", "host", Status::kPassed, "");
  gemm.unit = Unit::kFlopsPerSecond;
  gemm.figure = single_figure(16e12);
  record.results.push_back(gemm);
  EXPECT_EQ(judge_health(record, shipped()).health, Health::kHealthy);
  record.results.back().figure = single_figure(32e12);
  EXPECT_EQ(judge_health(record, shipped()).health, Health::kUnknown);
}

// A fifth slower, and its better samples are not: that may be the measurement. Where they are, it is the device.
TEST(Health, WhatScattersIsASuspectAtMostUnlessAllOfItIsSlow) {
  for (const auto& [upper_quartile, health] :
       {std::pair(4.55e12, Health::kSuspect), std::pair(3.8e12, Health::kDegraded)}) {
    MachineRecord record = invented_machine();
    for (Result& r : record.results) {
      if (r.name != "gpu.memory.read" || r.device != "gpu2") continue;
      r.figure = single_figure(3.64e12);
      r.figure->q1 = 3.3e12;
      r.figure->q3 = upper_quartile;
      r.status = Status::kUnstable;
    }
    const HealthReport report = judge_health(record, shipped());
    EXPECT_EQ(report.health, health) << listed(report);
    EXPECT_EQ(report.findings.size(), 2u) << listed(report);  // by the catalog and by its peers
  }
}

// With two of a kind the slower one is to blame, not the faster.
TEST(Health, OfTwoTheSlowerIsFound) {
  MachineRecord record = invented_machine();
  std::erase_if(record.gpus, [](const Gpu& gpu) { return gpu.device > "gpu1"; });
  std::erase_if(record.results, [](const Result& r) { return r.name != "gpu.memory.read" || r.device > "gpu1"; });
  record.results[0].figure = single_figure(4.75e12);
  record.results[1].figure = single_figure(4.4e12);  // no less than an H200 has to show
  const HealthReport report = judge_health(record, shipped());
  ASSERT_EQ(report.findings.size(), 1u) << listed(report);
  EXPECT_EQ(report.findings.front().device, "gpu1");
  EXPECT_EQ(report.findings.front().health, Health::kSuspect);
}

// gpu2 is in the inventory, and nothing that is left tells anything of it.
TEST(Health, AGpuWithoutFiguresIsUnknown) {
  MachineRecord record = invented_machine();
  std::erase_if(record.results, [](const Result& r) { return r.device.find("gpu2") != std::string::npos; });
  HealthReport report = judge_health(record, shipped());
  EXPECT_EQ(report.health, Health::kUnknown);
  ASSERT_EQ(report.findings.size(), 1u) << listed(report);
  EXPECT_EQ(report.findings.front().rule, "probe.not-measured");
  EXPECT_EQ(report.findings.front().device, "gpu2");
  std::erase_if(record.results, [](const Result& r) { return r.device != "host"; });
  report = judge_health(record, shipped());
  EXPECT_EQ(report.health, Health::kUnknown);
  EXPECT_EQ(report.findings.size(), 4u) << listed(report);
}

// A run that could measure no GPU must not call any of them healthy.
TEST(Health, WithoutCasesForGpusTheHostAloneIsJudged) {
  MachineRecord record = invented_machine();
  EXPECT_FALSE(judge_health(record, shipped()).host_alone);
  record.gpus.clear();
  std::erase_if(record.results, [](const Result& r) { return r.device != "host"; });
  record.results.push_back(without_figure("gpu.gemm", "gpu", Status::kNotSupported, "no driver"));
  const HealthReport report = judge_health(record, shipped());
  EXPECT_TRUE(report.host_alone);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_NE(report.notes[0].find("the host alone"), std::string::npos);
}

// No catalog knows storage and network; a wrong unit is seen all the same.
TEST(Health, AbsurdStorageAndNetworksAreVoid) {
  for (const char* name : {"host.storage.random_read", "host.network"}) {
    MachineRecord record = invented_machine();
    for (Result& r : record.results) {
      if (r.name == name) r.figure = single_figure(9.12e17);
    }
    const HealthReport report = judge_health(record, shipped());
    EXPECT_EQ(report.health, Health::kUnknown) << name;
    EXPECT_EQ(report.findings.front().rule, "probe.implausible") << name;
  }
}

TEST(Health, NothingMeasuredIsUnknown) {
  MachineRecord record = invented_machine();
  record.results.clear();
  EXPECT_EQ(judge_health(record, shipped()).health, Health::kUnknown);
}

TEST(Health, ADeviceThatTheCatalogDoesNotKnowIsHeldAgainstItsOwnBus) {
  MachineRecord record = invented_machine();
  for (Gpu& gpu : record.gpus) gpu.name = "Invented 9000";
  EXPECT_EQ(judge_health(record, shipped()).health, Health::kHealthy);
  for (Gpu& gpu : record.gpus) gpu.memory_peak = BytesPerSecond(3e12);
  EXPECT_EQ(judge_health(record, shipped()).health, Health::kUnknown);
}

TEST(Health, SettingsThatCostSpeedAreNotes) {
  MachineRecord record = invented_machine();
  record.settings = {{"memlock_bytes", "8388608"}, {"governor", "powersave"}, {"load_average", "190.0"}};
  const HealthReport report = judge_health(record, shipped());
  EXPECT_EQ(report.health, Health::kHealthy);
  EXPECT_EQ(report.notes.size(), 3u);
}

TEST(LimitsOfParts, ProcessorsAreKnownByTheirPlainNames) {
  const auto id = [](const std::string& name) {
    Processor processor;
    processor.name = name;
    const Cpu* cpu = catalog_entry(processor, shipped());
    return cpu == nullptr ? std::string() : cpu->id;
  };
  EXPECT_EQ(id("Intel(R) Xeon(R) Platinum 8480+"), "intel-xeon-platinum-8480plus");
  EXPECT_EQ(id("Intel(R) Xeon(R) Platinum 8480+ CPU @ 2.00GHz"), "intel-xeon-platinum-8480plus");
  EXPECT_EQ(id("AMD EPYC 9654 96-Core Processor"), "amd-epyc-9654");
  EXPECT_EQ(id("AMD EPYC"), "");
}

// nccl-tests: 8 ranks, 1 GB in 4 ms is 250 GB/s, times 2 * 7 / 8 for an all-reduce.
TEST(LimitsOfParts, BusBandwidthIsThatOfNcclTests) {
  Result r = without_figure("collective.all_reduce", "gpu0,gpu1", Status::kPassed, "");
  r.shape = {{"bytes", "1000000000"}, {"ranks", "8"}};
  r.unit = Unit::kTime;
  r.figure = single_figure(4e-3);
  EXPECT_DOUBLE_EQ(bus_bandwidth(r)->value, 437.5e9);
  r.name = "collective.all_gather";
  EXPECT_DOUBLE_EQ(bus_bandwidth(r)->value, 218.75e9);
  r.shape.erase("ranks");
  EXPECT_FALSE(bus_bandwidth(r));
}

}  // namespace
}  // namespace fathom::probe
