// Machines with one and two H200 as `fathom probe` recorded them: nothing is found where all is well, and what is planted is.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "health/health.h"
#include "health/limits_of_parts.h"
#include "support/planning.h"

namespace fathom::probe {
namespace {

MachineRecord recorded(const std::string& name) {
  return read_record(std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/data/machines" / (name + ".json"));
}

std::string listed(const HealthReport& report) {
  std::string text;
  for (const HealthFinding& f : report.findings) {
    text += f.rule + " " + f.device + " " + f.what + ": " + f.measured + " | " + f.expected + "\n";
  }
  return text;
}

TEST(RecordedGpus, AreHealthy) {
  for (const char* name : {"h200x1", "h200x2"}) {
    const HealthReport report = judge_health(recorded(name), shipped());
    EXPECT_EQ(report.health, Health::kHealthy) << name;
    EXPECT_EQ(listed(report), "") << name;
  }
}

TEST(RecordedGpus, HaveFiguresOfEveryCaseAndAllOfThemAreRight) {
  const MachineRecord record = recorded("h200x2");
  for (const std::string name : {"gpu.power",
                                 "gpu.memory.read",
                                 "gpu.memory.write",
                                 "gpu.memory.copy",
                                 "gpu.gemm",
                                 "gpu.linear",
                                 "gpu.experts",
                                 "gpu.attention.decode",
                                 "gpu.attention.prefill",
                                 "gpu.attention.mla_decode",
                                 "gpu.attention.mla_prefill",
                                 "gpu.launch.eager",
                                 "gpu.launch.graph",
                                 "gpu.copy.h2d",
                                 "gpu.copy.d2h",
                                 "gpu.copy.both",
                                 "gpu.peer.copy",
                                 "gpu.peer.read",
                                 "collective.all_reduce",
                                 "collective.all_gather",
                                 "collective.reduce_scatter",
                                 "collective.all_to_all",
                                 "collective.send_recv"}) {
    EXPECT_TRUE(std::any_of(record.results.begin(), record.results.end(), [&](const Result& r) {
      return r.name == name && r.figure;
    })) << name;
  }
  for (const Result& r : record.results) {
    EXPECT_TRUE(has_data(r.status)) << r.name << ": " << r.why;
    EXPECT_TRUE(!r.correctness || r.correctness->correct) << r.name;
  }
}

// A case, a device and a shape are one figure: printers name it so.
TEST(RecordedGpus, NameNoFigureTwice) {
  std::set<std::string> seen;
  for (const Result& r : recorded("h200x2").results) {
    EXPECT_TRUE(seen.insert(r.name + " " + r.device + " " + r.shape_text()).second) << r.name << ", " << r.shape_text();
  }
}

// One alone is as fast as each of the two, but for the chip: the other node's peers find nothing.
TEST(RecordedGpus, AreAlike) {
  const HealthReport report = judge_health(recorded("h200x1"), shipped(), {recorded("h200x2")});
  EXPECT_EQ(listed(report), "");
  EXPECT_TRUE(std::none_of(report.notes.begin(), report.notes.end(),
                           [](const std::string& note) { return note.starts_with("no figure of"); }));
}

// A virtual machine has the links between its own GPUs, and with one none; one that has fewer than the other lost some.
TEST(RecordedGpus, LinksThatAProviderKeepsAreNotMissed) {
  const auto with_links = [](const char* name, int first, int others) {
    MachineRecord record = recorded(name);
    for (Gpu& gpu : record.gpus) gpu.nvlinks = others;
    record.gpus[0].nvlinks = first;
    return listed(judge_health(record, shipped()));
  };
  EXPECT_EQ(with_links("h200x1", 0, 0), "");
  EXPECT_EQ(with_links("h200x2", 12, 12), "");
  EXPECT_NE(with_links("h200x2", 12, 18).find("probe.nvlink"), std::string::npos);
  EXPECT_NE(with_links("h200x2", 0, 0).find("probe.nvlink"), std::string::npos);
}

// Products of models and the load that power is measured under run into the cap as squares do.
TEST(RecordedGpus, ACapOfAnyArithmeticExcusesTheClock) {
  MachineRecord record = recorded("h200x1");
  std::erase_if(record.results, [](const Result& r) { return r.name != "gpu.power" && r.name != "gpu.linear"; });
  for (const HealthFinding& f : judge_health(record, shipped()).findings) EXPECT_NE(f.rule, "probe.throttled");
}

// Kernels that were mended since are no peers, and cuBLASLt's products still are.
TEST(RecordedGpus, OtherKernelsAreNamedAndNotCompared) {
  MachineRecord slow = recorded("h200x1");
  for (Result& r : slow.results) {
    if (r.name != "gpu.linear" || !r.figure) continue;
    r.figure = single_figure(r.figure->median * 1.3);
    r.protocol.engine = "fathom kernels 01234567";
  }
  const HealthReport report = judge_health(slow, shipped(), {recorded("h200x2")});
  for (const HealthFinding& f : report.findings) EXPECT_NE(f.rule, "probe.slower-than-fleet") << f.what;
  const auto told = std::find_if(report.notes.begin(), report.notes.end(), [](const std::string& note) {
    return note.starts_with("h200x2 was measured by other versions, and is not compared: ");
  });
  ASSERT_TRUE(told != report.notes.end());
  EXPECT_NE(told->find("gpu.linear (fathom kernels"), std::string::npos) << *told;
  EXPECT_EQ(told->find("gpu.gemm"), std::string::npos) << *told;
}

// 1,500 figures of each of two H200 that were well.
MachineRecord standard() {
  return read_record(std::filesystem::path(FATHOM_SOURCE_DIR) /
                     "docs/measurements/2026-11-23-probe-standard-h200x2/probe.json");
}

HealthReport judged_by_peers(const MachineRecord& record) {
  HealthReport report = judge_health(record, shipped());
  std::erase_if(report.findings, [](const HealthFinding& f) { return f.rule != "probe.slower-than-peers"; });
  return report;
}

// That the findings stand for: of many figures of a case there is one.
int figures_of(const HealthReport& report) {
  EXPECT_LE(report.findings.size(), 3u) << listed(report);
  int figures = 0;
  for (const HealthFinding& f : report.findings) figures += f.figures;
  return figures;
}

// Products on gpu1 that `is_slow` takes, `factor` as fast, which is not by far; how many.
int plant(MachineRecord& record, const std::function<bool(const Result&)>& is_slow, double factor = 0.77) {
  int planted = 0;
  for (Result& r : record.results) {
    if (r.name != "gpu.linear" || r.device != "gpu1" || !is_slow(r)) continue;
    r.figure = single_figure(r.figure->median / factor);
    ++planted;
  }
  return planted;
}

bool shows(const Result& r, const char* key, const std::string& value) {
  const auto found = r.shape.find(key);
  return found != r.shape.end() && found->second == value;
}

TEST(RecordedShapes, OneOfHundredsThatIsSlowerIsNoFinding) {
  MachineRecord record = standard();
  EXPECT_EQ(listed(judged_by_peers(record)), "");
  bool first = true;
  EXPECT_EQ(plant(
                record, [&](const Result&) { return std::exchange(first, false); }, 0.82),
            1);
  EXPECT_EQ(listed(judged_by_peers(record)), "");
}

// One of the two H200 as a node.
MachineRecord half(const std::string& device) {
  MachineRecord record = standard();
  record.node = device;
  record.links.clear();
  std::erase_if(record.gpus, [&](const Gpu& gpu) { return gpu.device != device; });
  std::erase_if(record.results, [&](const Result& r) { return r.device != device; });
  return record;
}

std::vector<HealthFinding> found_by_fleet(const MachineRecord& record, const std::vector<MachineRecord>& others) {
  std::vector<HealthFinding> findings = judge_health(record, shipped(), others).findings;
  std::erase_if(findings, [](const HealthFinding& f) { return f.rule != "probe.slower-than-fleet"; });
  return findings;
}

// Between nodes as within one: of 1,500 shapes of each seven and thirteen were beyond the line, by chance.
TEST(RecordedShapes, OneOfHundredsThatIsSlowerThanInOtherNodesIsNoFinding) {
  MachineRecord first = half("gpu0"), second = half("gpu1");
  EXPECT_EQ(found_by_fleet(first, {second}).size(), 0u);
  EXPECT_EQ(found_by_fleet(second, {first}).size(), 0u);
  const int planted = plant(second, [](const Result& r) { return shows(r, "n", "28672"); });
  ASSERT_GT(planted, 10);
  int figures = 0;
  for (const HealthFinding& f : found_by_fleet(second, {first})) figures += f.figures;
  EXPECT_GT(figures, 0.8 * planted);
}

// Few among all products, and all of their kind.
TEST(RecordedShapes, AKindOfProductThatIsSlowerIsFound) {
  const auto gated = [](const char* dtype) {
    return [=](const Result& r) { return shows(r, "gated", "yes") && shows(r, "dtype", dtype); };
  };
  const auto of_tokens = [](const char* dtype, const char* m) {
    return [=](const Result& r) { return shows(r, "m", m) && shows(r, "dtype", dtype); };
  };
  for (const auto& kind : {std::function(gated("bf16")), std::function(gated("fp8-block128")),
                           std::function(of_tokens("int4-g128", "1")), std::function(of_tokens("bf16", "64"))}) {
    MachineRecord record = standard();
    const int planted = plant(record, kind);
    ASSERT_GE(planted, 10);
    ASSERT_LT(planted, 100);  // of 1,267
    const HealthReport report = judged_by_peers(record);
    EXPECT_GT(figures_of(report), 0.8 * planted) << listed(report);
    for (const HealthFinding& f : report.findings) EXPECT_EQ(f.device, "gpu1") << listed(report);
  }
}

TEST(RecordedShapes, AWholeFormatThatIsSlowerIsFound) {
  for (const char* dtype : {"bf16", "fp8-block128", "int4-g128"}) {
    MachineRecord record = standard();
    const int planted = plant(record, [&](const Result& r) { return shows(r, "dtype", dtype); });
    EXPECT_GT(planted, 300);
    EXPECT_GT(figures_of(judged_by_peers(record)), 0.8 * planted) << dtype;
  }
}

// Gate and up of one model, in every format and of every number of tokens: 3 % of all shapes.
TEST(RecordedShapes, AMatrixThatIsSlowerIsFound) {
  MachineRecord record = standard();
  const int planted = plant(record, [](const Result& r) { return shows(r, "n", "28672"); });
  ASSERT_LT(planted, 100);
  EXPECT_GT(figures_of(judged_by_peers(record)), 0.8 * planted);
}

// What is impossible on one card says nothing of the other.
TEST(RecordedShapes, AVoidCaseIsNoPeer) {
  MachineRecord record = recorded("h200x2");
  for (Result& r : record.results) {
    if (r.name == "gpu.attention.decode" && r.device == "gpu1") r.figure = single_figure(r.figure->median * 30);
  }
  const HealthReport report = judge_health(record, shipped());
  EXPECT_EQ(report.health, Health::kUnknown) << listed(report);
  for (const HealthFinding& f : report.findings) EXPECT_EQ(f.rule + " " + f.device, "probe.implausible gpu1");
}

TEST(RecordedShapes, FiguresOfZerosAreNoData) {
  MachineRecord record = recorded("h200x2");
  int planted = 0;
  for (Result& r : record.results) {
    if (r.device != "gpu1" || r.protocol.pattern.empty() || r.protocol.pattern == "zeros") continue;
    r.protocol.pattern = "zeros";
    ++planted;
  }
  const HealthReport report = judge_health(record, shipped());
  EXPECT_EQ(report.health, Health::kUnknown);
  int found = 0;
  for (const HealthFinding& f : report.findings) {
    if (f.rule != "probe.no-data") continue;
    EXPECT_EQ(f.device, "gpu1");
    found += f.figures;
  }
  EXPECT_EQ(found, planted);
}

// Without a peer it is the catalog that tells a slow card: what this kind showed, not what some kind did.
TEST(RecordedGpus, OneAloneThatIsAnEighthSlowerInMemoryIsFound) {
  for (const std::string name : {"gpu.memory.read", "gpu.memory.write", "gpu.memory.copy"}) {
    MachineRecord record = recorded("h200x1");
    for (Result& r : record.results) {
      if (r.name == name && r.figure) r.figure = single_figure(r.figure->median * 0.875);
    }
    const HealthReport report = judge_health(record, shipped());
    EXPECT_EQ(report.health, Health::kDegraded) << name << ": " << listed(report);
  }
}

TEST(RecordedGpus, AreCountedAgainstOtherNodes) {
  const HealthReport report = judge_health(recorded("h200x1"), shipped(), {recorded("h200x2")});
  EXPECT_TRUE(std::any_of(report.notes.begin(), report.notes.end(),
                          [](const std::string& note) { return note == "h200x2 has 2 NVIDIA H200, this node 1"; }));
}

struct Planted {
  const char* name;
  const char* rule;
  Health health;
  const char* device;
  std::function<void(MachineRecord&)> plant;
};
std::ostream& operator<<(std::ostream& out, const Planted& planted) { return out << planted.name; }

// Every figure of a case on a device, `factor` as fast.
std::function<void(MachineRecord&)> slowed(const char* name, const char* device, double factor) {
  return [=](MachineRecord& record) {
    for (Result& r : record.results) {
      if (!r.name.starts_with(name) || r.device != device || !r.figure) continue;
      const double median = r.figure->median;
      r.figure = single_figure(more_is_better(r.unit) ? median * factor : median / factor);
    }
  };
}

std::function<void(MachineRecord&)> with_figure(const char* name, const char* device,
                                                const std::function<void(Result&)>& change) {
  return [=](MachineRecord& record) {
    const auto found = std::find_if(record.results.begin(), record.results.end(),
                                    [&](const Result& r) { return r.name == name && r.device == device; });
    ASSERT_NE(found, record.results.end());
    change(*found);
  };
}

class PlantedInARecord : public testing::TestWithParam<Planted> {};

TEST_P(PlantedInARecord, IsFoundOnItsDeviceAlone) {
  MachineRecord record = recorded("h200x2");
  GetParam().plant(record);
  const HealthReport report = judge_health(record, shipped());
  EXPECT_EQ(report.health, GetParam().health) << listed(report);
  EXPECT_TRUE(std::any_of(report.findings.begin(), report.findings.end(), [](const HealthFinding& f) {
    return f.rule == GetParam().rule;
  })) << listed(report);
  for (const HealthFinding& f : report.findings) EXPECT_EQ(f.device, GetParam().device) << listed(report);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, PlantedInARecord,
    testing::Values(
        Planted{"SlowArithmetic", "probe.slower-than-peers", Health::kDegraded, "gpu1",
                slowed("gpu.gemm", "gpu1", 0.7)},
        Planted{"SlowMemory", "probe.slower-than-peers", Health::kDegraded, "gpu0",
                slowed("gpu.memory.read", "gpu0", 0.85)},
        Planted{"SlowLinkToTheHost", "probe.below-reference", Health::kDegraded, "gpu1",
                slowed("gpu.copy.h2d", "gpu1", 0.5)},
        Planted{"SlowLinkBetweenThem", "probe.slower-than-peers", Health::kDegraded, "gpu0>gpu1",
                slowed("gpu.peer", "gpu0>gpu1", 0.5)},
        Planted{"HalfASlot", "probe.pcie", Health::kDegraded, "gpu1",
                [](MachineRecord& record) { record.gpus[1].pcie_width = 8; }},
        Planted{"HalfTheLinks", "probe.nvlink", Health::kDegraded, "gpu0",
                [](MachineRecord& record) { record.gpus[0].nvlinks = 9; }},
        Planted{"NoPeerAccess", "probe.peer-access", Health::kDegraded, "gpu0>gpu1",
                [](MachineRecord& record) { record.links[0].peer_access = false; }},
        Planted{"Throttled", "probe.throttled", Health::kDegraded, "gpu1",
                [](MachineRecord& record) { record.gpus[1].throttle_reasons = 0x44; }},
        Planted{"ClockLockedLow", "probe.throttled", Health::kDegraded, "gpu1",
                [](MachineRecord& record) { record.gpus[1].clock = Hertz(345e6); }},
        Planted{"Zeros", "probe.no-data", Health::kUnknown, "gpu1",
                with_figure("gpu.memory.read", "gpu1", [](Result& r) { r.figure = single_figure(0); })},
        Planted{"FasterThanTheBus", "probe.implausible", Health::kUnknown, "gpu0",
                with_figure("gpu.memory.read", "gpu0", [](Result& r) { r.figure = single_figure(5.2e12); })},
        Planted{"FasterThanTheCache", "probe.implausible", Health::kUnknown, "gpu1",
                [](MachineRecord& record) {
                  for (Result& r : record.results) {
                    const bool cached = r.name == "gpu.memory.read" && r.shape.at("bytes") == "16777216";
                    if (cached && r.device == "gpu1") r.figure = single_figure(4e13);
                  }
                }},
        Planted{"ExpertsInNoTime", "probe.implausible", Health::kUnknown, "gpu1",
                with_figure("gpu.experts", "gpu1", [](Result& r) { r.figure = single_figure(r.figure->median / 10); })},
        Planted{"FasterThanTheLinks", "probe.implausible", Health::kUnknown, "gpu0>gpu1",
                with_figure("gpu.peer.read", "gpu0>gpu1", [](Result& r) { r.figure = single_figure(6e11); })},
        Planted{"WrongSums", "probe.incorrect", Health::kFailed, "gpu0,gpu1",
                with_figure("collective.all_reduce", "gpu0,gpu1", [](Result& r) { r.correctness->correct = false; })},
        Planted{"WrongProducts", "probe.incorrect", Health::kFailed, "gpu1",
                with_figure("gpu.gemm", "gpu1", [](Result& r) { r.correctness->correct = false; })}),
    [](const testing::TestParamInfo<Planted>& planted) { return planted.param.name; });

}  // namespace
}  // namespace fathom::probe
