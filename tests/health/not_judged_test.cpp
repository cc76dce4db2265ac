// Figures that nothing is known of are no pass; and what a report says that figures were held against.
#include <gtest/gtest.h>

#include <algorithm>

#include "health/health.h"
#include "print/probe_report.h"
#include "support/planning.h"

namespace fathom::probe {
namespace {

MachineRecord recorded(const std::string& name) {
  return read_record(std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/data/machines" / (name + ".json"));
}

// One H200 as a node of its own, whatever its GPU is called.
MachineRecord node(const std::string& name, const std::string& gpu = "Invented 9000") {
  MachineRecord record = recorded("h200x1");
  record.node = name;
  record.gpus[0].name = gpu;
  record.gpus[0].uuid += name;
  return record;
}

std::vector<HealthFinding> not_judged(const HealthReport& report) {
  std::vector<HealthFinding> found;
  for (const HealthFinding& f : report.findings) {
    if (f.rule == "probe.not-judged") found.push_back(f);
  }
  return found;
}

TEST(NotJudged, AGpuThatTheCatalogDoesNotKnowIsUnknown) {
  const HealthReport report = judge_health(node("n0"), shipped());
  EXPECT_EQ(report.health, Health::kUnknown);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].rule, "probe.not-judged");
  EXPECT_EQ(report.findings[0].device, "gpu0");
  EXPECT_EQ(report.findings[0].source, "the catalog does not know the device");
  EXPECT_EQ(report.held_by_reference, 0);
}

// One other like it may be as slow; of two that agree with it both would have to be.
TEST(NotJudged, TwoOthersLikeItAreEnough) {
  EXPECT_EQ(judge_health(node("n0"), shipped(), {node("n1")}).health, Health::kUnknown);
  const HealthReport report = judge_health(node("n0"), shipped(), {node("n1"), node("n2")});
  EXPECT_EQ(report.health, Health::kHealthy);
  EXPECT_GT(report.held_by_peers_alone, 200);
  EXPECT_EQ(judge_health(node("n0"), shipped(), {node("n1", "Another"), node("n2", "Another")}).health,
            Health::kUnknown);
}

TEST(NotJudged, WithinANodeItTakesThree) {
  MachineRecord two = recorded("h200x2");
  for (Gpu& gpu : two.gpus) gpu.name = "Invented 9000";
  const std::vector<HealthFinding> found = not_judged(judge_health(two, shipped()));
  ASSERT_EQ(found.size(), 1u) << "the same is to be said of both";
  EXPECT_EQ(found[0].device, "gpu0,gpu1");
  EXPECT_NE(found[0].measured.find("and those of one device like it"), std::string::npos) << found[0].measured;
}

// The catalog knows the card, and nothing of how long launches take.
TEST(NotJudged, FiguresWithoutAReferenceAreNone) {
  MachineRecord record = node("n0", "NVIDIA H200");
  std::erase_if(record.results, [](const Result& r) { return !r.name.starts_with("gpu.launch"); });
  ASSERT_FALSE(record.results.empty());
  record.gpus[0].clock = record.gpus[0].clock_max;  // no product ran into the power cap
  const HealthReport report = judge_health(record, shipped());
  EXPECT_EQ(report.health, Health::kUnknown);
  EXPECT_EQ(not_judged(report).at(0).source, "the catalog knows the device, and nothing for these figures");
}

// An old card of a home: of its memory and its slot the catalogs have what such devices reach.
TEST(NotJudged, ASingleCardOfAHomeIsJudged) {
  MachineRecord record = node("home", "NVIDIA GeForce RTX 2080 Ti");
  std::erase_if(record.results,
                [](const Result& r) { return r.name != "gpu.memory.read" && r.name != "gpu.copy.h2d"; });
  std::erase_if(record.results, [](const Result& r) { return r.unit != Unit::kBytesPerSecond; });
  Gpu gpu{};
  gpu.device = "gpu0";
  gpu.name = record.gpus[0].name;
  gpu.memory = Bytes(11554717696.0);
  gpu.pcie_generation = gpu.pcie_generation_max = 3;
  gpu.pcie_width = gpu.pcie_width_max = 16;
  gpu.nvlinks = 0, gpu.nvlinks_expected = 2;  // without a bridge
  gpu.power_limit = gpu.power_limit_default = Watts(260);
  record.gpus[0] = gpu;
  for (Result& r : record.results) r.figure = single_figure(r.name == "gpu.copy.h2d" ? 12.2e9 : 520e9);
  const HealthReport report = judge_health(record, shipped());
  EXPECT_EQ(report.health, Health::kHealthy);
  EXPECT_TRUE(report.findings.empty());
  EXPECT_GE(report.held_by_reference, 2);
  for (Result& r : record.results) r.figure = single_figure(r.figure->median * 0.7);
  EXPECT_EQ(judge_health(record, shipped()).health, Health::kDegraded);
}

// Every host would have the finding: the verdict says it instead.
TEST(NotJudged, AHostAloneSaysThatNothingIsKnownOfItsSpeed) {
  MachineRecord record = node("cpu");
  record.gpus.clear();
  record.results.clear();
  Result memory = without_figure("host.memory.read", "host", Status::kPassed, "");
  memory.figure = single_figure(4e11);
  record.results = {memory, without_figure("gpu.gemm", "gpu", Status::kNotSupported, "no driver")};
  HealthReport report = judge_health(record, shipped());
  EXPECT_EQ(report.health, Health::kHealthy);
  EXPECT_TRUE(report.speed_unjudged);
  EXPECT_EQ(report.held_by_limits_alone, 1) << "100 TB/s";
  const std::string text =
      probe_text({.record = record, .health = report, .checklist = {}, .version = "x"}, false, false);
  EXPECT_NE(text.find("HEALTHY (the host alone; no reference for its speed)"), std::string::npos) << text;
  MachineRecord other = record;
  other.node = "cpu2";
  report = judge_health(record, shipped(), {other});
  EXPECT_FALSE(report.speed_unjudged);
}

TEST(NotJudged, EveryFigureIsHeldAgainstOneThingOrNothing) {
  for (const char* name : {"h200x1", "h200x2", "busy-epyc-2-threads"}) {
    const HealthReport report = judge_health(recorded(name), shipped());
    EXPECT_EQ(report.figures, report.held_by_reference + report.held_by_peers_alone + report.held_by_limits_alone +
                                  report.held_by_nothing)
        << name;
    EXPECT_GT(report.figures, 0) << name;
  }
}

}  // namespace
}  // namespace fathom::probe
