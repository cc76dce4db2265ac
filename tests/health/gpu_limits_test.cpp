// What the probe's own cases on GPUs are held against.
#include <gtest/gtest.h>

#include "health/health.h"
#include "health/limits_of_parts.h"
#include "health/references.h"
#include "support/invented_machine.h"
#include "support/planning.h"

namespace fathom::probe {
namespace {

Result figure_of(const char* name, const char* device, Unit unit, std::map<std::string, std::string> shape,
                 double figure) {
  Result r = without_figure(name, device, Status::kPassed, "");
  r.unit = unit;
  r.shape = std::move(shape);
  r.figure = single_figure(figure);
  return r;
}

// Health of the invented machine with one more result.
Health with(const Result& result) {
  MachineRecord record = invented_machine();
  record.results.push_back(result);
  return judge_health(record, shipped()).health;
}

// As cudaDeviceProp.name has them, with the memory that the driver leaves.
TEST(CatalogEntry, IsFoundByTheDriversNames) {
  struct Known {
    const char* name;
    double gb;
    const char* id;
  };
  for (const Known& known :
       {Known{"NVIDIA H200", 150.8, "nvidia-h200-sxm5-141gb"},
        {"NVIDIA H200 NVL", 150.8, "nvidia-h200-nvl-141gb"},
        {"NVIDIA H100 80GB HBM3", 85.0, "nvidia-h100-sxm5-80gb"},
        {"NVIDIA H100 PCIe", 85.0, "nvidia-h100-pcie-80gb"},
        {"NVIDIA H20", 102.0, "nvidia-h20-sxm5-96gb"},
        {"NVIDIA A100-SXM4-80GB", 85.0, "nvidia-a100-sxm4-80gb"},
        {"NVIDIA A100-SXM4-40GB", 42.4, "nvidia-a100-sxm4-40gb"},
        {"NVIDIA A100 80GB PCIe", 85.0, "nvidia-a100-pcie-80gb"},
        {"NVIDIA L40S", 47.8, "nvidia-l40s-48gb"},
        {"NVIDIA B200", 191.5, "nvidia-b200-sxm-180gb"},
        {"NVIDIA B300 SXM6 AC", 288.0, "nvidia-b300-sxm-288gb"},
        {"Tesla V100-SXM2-32GB", 34.1, "nvidia-v100-sxm2-32gb"},
        {"Tesla T4", 15.8, "nvidia-t4-16gb"},
        {"NVIDIA GeForce RTX 2080 Ti", 11.6, "nvidia-rtx-2080ti-11gb"},
        {"NVIDIA GeForce RTX 2080 Ti", 23.6, "nvidia-rtx-2080ti-22gb-mod"},
        {"NVIDIA GeForce RTX 3090", 25.3, "nvidia-rtx-3090-24gb"},
        {"NVIDIA GeForce RTX 4090", 25.3, "nvidia-rtx-4090-24gb"},
        {"NVIDIA GeForce RTX 4090", 51.0, "nvidia-rtx-4090-48gb-mod"},
        {"NVIDIA GeForce RTX 4090 D", 25.3, "nvidia-rtx-4090d-24gb"},
        {"NVIDIA GeForce RTX 5090", 33.7, "nvidia-rtx-5090-32gb"},
        {"NVIDIA RTX 6000 Ada Generation", 51.0, "nvidia-rtx-6000-ada-48gb"},
        {"NVIDIA RTX A6000", 51.0, "nvidia-rtx-a6000-48gb"},
        {"NVIDIA RTX PRO 6000 Blackwell Server Edition", 102.0, "nvidia-rtx-pro-6000-blackwell-96gb"}}) {
    Gpu gpu;
    gpu.name = known.name;
    gpu.memory = Bytes(known.gb * 1e9);
    const Accelerator* entry = catalog_entry(gpu, shipped());
    ASSERT_NE(entry, nullptr) << known.name;
    EXPECT_EQ(entry->id, known.id);
  }
}

// A 2080 Ti at 1.86 GHz: its 53.8 TFLOPS are those of 1.545.
TEST(GpuLimits, BoardsWithFansGoBeyondTheirBoost) {
  MachineRecord record = invented_machine();
  for (Gpu& gpu : record.gpus) {
    gpu.name = "NVIDIA GeForce RTX 2080 Ti";
    gpu.memory = Bytes(11.6e9);
  }
  const Result fast = figure_of("gpu.gemm", "gpu0", Unit::kFlopsPerSecond,
                                {{"dtype", "fp16"}, {"m", "4096"}, {"n", "4096"}, {"k", "4096"}}, 58e12);
  const std::optional<Peak> peak = peak_of(fast, record, shipped());
  ASSERT_TRUE(peak);
  EXPECT_FALSE(exceeds(fast, *peak));
  Result h200 = fast;
  h200.figure = single_figure(1.03e15);
  EXPECT_TRUE(exceeds(h200, *peak_of(h200, invented_machine(), shipped()))) << "989 TFLOPS, whatever the clock";
}

TEST(GpuLimits, WattsAreThoseOfTheLimit) {
  MachineRecord record = invented_machine();
  record.gpus[0].power_limit = Watts(700);
  const Result load = figure_of("gpu.power", "gpu0", Unit::kWatts, {{"load", "arithmetic"}}, 1400);
  EXPECT_TRUE(exceeds(load, *peak_of(load, record, shipped())));
}

// 28672 x 4096 values of two bytes at 4.8 TB/s are 48.9 us; in a cache they may be faster.
TEST(GpuLimits, AProductReadsItsWeights) {
  Result r = figure_of("gpu.linear", "gpu0", Unit::kTime,
                       {{"dtype", "bf16"}, {"m", "1"}, {"n", "28672"}, {"k", "4096"}}, 53.7e-6);
  r.protocol.cache = "beyond L2";
  EXPECT_EQ(with(r), Health::kHealthy);
  r.figure = single_figure(40e-6);
  EXPECT_EQ(with(r), Health::kUnknown);
  r.protocol.cache = "partly in L2";
  EXPECT_EQ(with(r), Health::kHealthy);
  r.protocol.cache = "beyond L2";
  r.shape["dtype"] = "int4-g128";  // a quarter of the bytes
  EXPECT_EQ(with(r), Health::kHealthy);
}

// 2 x 8192 x 28672 x 4096 FLOP at 989 TFLOPS are 1.95 ms.
TEST(GpuLimits, AProductMultipliesThem) {
  Result r = figure_of("gpu.linear", "gpu0", Unit::kTime,
                       {{"dtype", "fp8-block128"}, {"m", "8192"}, {"n", "28672"}, {"k", "4096"}}, 2.5e-3);
  EXPECT_EQ(with(r), Health::kHealthy);
  r.figure = single_figure(1.5e-3);
  EXPECT_EQ(with(r), Health::kUnknown);
}

// 1.17 of 1.4534 PFLOPS is 0.80 of the best that such a card showed.
TEST(GpuLimits, APowerCapExplainsASlowerProduct) {
  Result r = figure_of("gpu.gemm", "gpu0", Unit::kFlopsPerSecond,
                       {{"dtype", "fp8"}, {"m", "8192"}, {"n", "8192"}, {"k", "8192"}}, 1.17e15);
  r.protocol.throttle_reasons = 0;
  EXPECT_EQ(with(r), Health::kDegraded);
  r.protocol.throttle_reasons = 4;
  EXPECT_EQ(with(r), Health::kHealthy);
  r.figure = single_figure(1.0e15);
  EXPECT_EQ(with(r), Health::kDegraded);
}

// Two PCIe 5.0 x16 slots carry 126 GB/s; the least that is accepted of one alone is not asked of both at once.
TEST(GpuLimits, CopiesOfAllCardsAddUp) {
  Result r = figure_of("gpu.copy.h2d", "gpu0,gpu1", Unit::kBytesPerSecond,
                       {{"bytes", "268435456"}, {"directions", "1"}, {"together", "2"}}, 110e9);
  EXPECT_EQ(with(r), Health::kHealthy);
  r.figure = single_figure(40e9);
  EXPECT_EQ(with(r), Health::kHealthy);
  r.figure = single_figure(140e9);
  EXPECT_EQ(with(r), Health::kUnknown);
}

// Eight H200 that pass show 431 GB/s at 16 GiB; at 512 MiB 0.95 of that is enough.
TEST(GpuLimits, LargeSumsOfEightAreHeldAgainstTheThreshold) {
  MachineRecord record = invented_machine();
  const std::string eight = "gpu0,gpu1,gpu2,gpu3,gpu4,gpu5,gpu6,gpu7";
  for (int i = 4; i < 8; ++i) {
    record.gpus.push_back(record.gpus[0]);
    record.gpus.back().device = "gpu" + std::to_string(i);
  }
  const auto judged = [&](double bytes, double bus) {
    const Result r =
        figure_of("collective.all_reduce", eight.c_str(), Unit::kTime,
                  {{"bytes", std::to_string(static_cast<long>(bytes))}, {"ranks", "8"}}, bytes * 2 * 7 / 8 / bus);
    const auto reference = reference_of(r, record, shipped());
    if (!reference) return std::string("not judged");
    return std::string(r.figure->median > reference->degraded ? "degraded" : "healthy");
  };
  EXPECT_EQ(judged(0x1p34, 425e9), "degraded");
  EXPECT_EQ(judged(0x1p34, 435e9), "healthy");
  EXPECT_EQ(judged(0x1p29, 425e9), "healthy");
  EXPECT_EQ(judged(0x1p29, 400e9), "degraded");
  EXPECT_EQ(judged(0x1p26, 300e9), "not judged");
}

// No entry of an H200 has what it writes, and int8 and copies to the host have no threshold: shares of the limit stand for them, which
// other devices showed. 4.8 TB/s, 1979 TOPS, 63 GB/s, 450 GB/s.
TEST(GpuLimits, WhatIsMerelySlowIsHeldAgainstShares) {
  struct Case {
    const char *name, *device;
    Unit unit;
    std::map<std::string, std::string> shape;
    double well, slow;
  };
  const std::map<std::string, std::string> large = {{"bytes", "268435456"}, {"ranks", "2"}, {"launch", "graph"}};
  for (const Case& c : {
           Case{"gpu.memory.write", "gpu0", Unit::kBytesPerSecond, {{"bytes", "2147483648"}}, 4.69e12, 3e12},
           Case{"gpu.memory.copy", "gpu0", Unit::kBytesPerSecond, {{"bytes", "2147483648"}}, 4.27e12, 2.9e12},
           Case{"gpu.gemm",
                "gpu0",
                Unit::kFlopsPerSecond,
                {{"dtype", "int8"}, {"m", "8192"}, {"n", "8192"}, {"k", "8192"}},
                1.24e15,
                0.9e15},
           Case{"gpu.copy.d2h", "gpu0", Unit::kBytesPerSecond, {{"bytes", "268435456"}}, 55.3e9, 28e9},
           Case{"gpu.copy.both",
                "gpu0",
                Unit::kBytesPerSecond,
                {{"bytes", "268435456"}, {"directions", "2"}},
                99.8e9,
                55e9},
           Case{"gpu.peer.read", "gpu0>gpu1", Unit::kBytesPerSecond, {{"bytes", "268435456"}}, 372e9, 200e9},
           Case{"collective.all_gather", "gpu0,gpu1", Unit::kTime, large, 546e-6, 1092e-6},
           Case{"collective.send_recv", "gpu0,gpu1", Unit::kTime, large, 878e-6, 1756e-6},
           Case{"gpu.linear",
                "gpu0",
                Unit::kTime,
                {{"dtype", "bf16"}, {"m", "1"}, {"n", "28672"}, {"k", "4096"}},
                55e-6,
                100e-6},
       }) {
    Result r = figure_of(c.name, c.device, c.unit, c.shape, c.well);
    r.protocol.cache = "beyond L2";
    MachineRecord machine = invented_machine();
    // What an H200's memory does is known of itself, an H100's writes and copies are not.
    if (r.name.starts_with("gpu.memory.")) machine.gpus.front().name = "NVIDIA H100 80GB HBM3";
    const auto reference = reference_of(r, machine, shipped());
    ASSERT_TRUE(reference) << c.name;
    EXPECT_NE(reference->source.find("of the limit"), std::string::npos) << reference->source;
    EXPECT_EQ(with(r), Health::kHealthy) << c.name;
    r.figure = single_figure(c.slow);
    EXPECT_EQ(with(r), Health::kDegraded) << c.name;
  }
}

// Small ones, those of a few boards at once, and links that are no NVLink are held against nothing.
TEST(GpuLimits, SharesAreOfLargeFiguresOnKnownLinks) {
  MachineRecord record = invented_machine();
  const auto has_reference = [&](const Result& r) { return reference_of(r, record, shipped()).has_value(); };
  Result sum =
      figure_of("collective.all_reduce", "gpu0,gpu1", Unit::kTime, {{"bytes", "268435456"}, {"ranks", "2"}}, 9e-4);
  EXPECT_TRUE(has_reference(sum));
  sum.shape["bytes"] = "1048576";
  EXPECT_FALSE(has_reference(sum));
  sum.shape["bytes"] = "268435456";
  for (Link& link : record.links) link.kind = "pcie";
  EXPECT_FALSE(has_reference(sum));
  EXPECT_FALSE(has_reference(figure_of("gpu.copy.d2h", "gpu0,gpu1", Unit::kBytesPerSecond,
                                       {{"bytes", "268435456"}, {"together", "2"}}, 30e9)));
  for (Gpu& gpu : record.gpus) gpu.name = "NVIDIA L40S";
  EXPECT_FALSE(has_reference(figure_of("gpu.gemm", "gpu0", Unit::kFlopsPerSecond,
                                       {{"dtype", "int8"}, {"m", "8192"}, {"n", "8192"}, {"k", "8192"}}, 2e14)));
  EXPECT_TRUE(
      has_reference(figure_of("gpu.memory.write", "gpu0", Unit::kBytesPerSecond, {{"bytes", "2147483648"}}, 7e11)));
}

// Of the invented machine: reading, products, copies to the device and between pairs, sums of 1 GiB; launches have peers alone.
TEST(GpuLimits, ReportsSayWhatFiguresWereHeldAgainst) {
  const MachineRecord record = invented_machine();
  const HealthReport report = judge_health(record, shipped());
  ASSERT_EQ(report.held.size(), record.results.size());
  int with_reference = 0, alone = 0;
  for (std::size_t i = 0; i < report.held.size(); ++i) {
    with_reference += report.held[i].reference ? 1 : 0;
    alone += report.held[i].peers && !report.held[i].reference ? 1 : 0;
    if (record.results[i].name == "gpu.launch.graph") {
      EXPECT_TRUE(report.held[i].peers && !report.held[i].reference);
    }
    if (record.results[i].name == "gpu.memory.read") {
      EXPECT_NEAR(report.held[i].reference.value_or(0), 4.545 / 4.54, 0.01);
    }
    if (record.results[i].device == "host") {
      EXPECT_FALSE(report.held[i].reference || report.held[i].peers);
    }
  }
  EXPECT_EQ(report.held_by_reference, with_reference);
  EXPECT_EQ(report.held_by_peers_alone, alone);
  EXPECT_GE(with_reference, 4 + 4 + 4 + 12 + 1);
  EXPECT_GT(report.figures, with_reference + alone);
}

// One of twenty may scatter by chance.
TEST(GpuLimits, OneFigureInTwentyMayScatter) {
  MachineRecord record = invented_machine();
  for (int i = 0; i < 40; ++i) {
    record.results.push_back(figure_of("gpu.experts", "gpu0", Unit::kTime, {{"m", std::to_string(i)}}, 1e-3));
  }
  for (int unstable = 1; unstable <= 3; ++unstable) {
    record.results.rbegin()[unstable].status = Status::kUnstable;
    EXPECT_EQ(judge_health(record, shipped()).health, unstable <= 2 ? Health::kHealthy : Health::kSuspect) << unstable;
  }
}

TEST(GpuLimits, WattsAreNoSpeed) {
  MachineRecord record = invented_machine();
  for (const auto& [device, watts] : {std::pair("gpu0", 690.0), std::pair("gpu1", 600.0)}) {
    record.results.push_back(figure_of("gpu.power", device, Unit::kWatts, {{"load", "memory"}}, watts));
  }
  EXPECT_EQ(judge_health(record, shipped()).health, Health::kHealthy);
}

// The host's share in microseconds differs; a card that takes half as long again is slow all the same.
TEST(GpuLimits, ShortTimesMayDiffer) {
  for (const auto& [time, health] : {std::pair(2.28e-6, Health::kHealthy), std::pair(3.3e-6, Health::kDegraded)}) {
    MachineRecord record = invented_machine();
    for (const char* device : {"gpu0", "gpu1"}) {
      record.results.push_back(figure_of("gpu.copy.h2d", device, Unit::kTime, {{"bytes", "8"}}, 2.16e-6));
    }
    record.results.back().figure = single_figure(time);
    EXPECT_EQ(judge_health(record, shipped()).health, health) << time;
  }
}

}  // namespace
}  // namespace fathom::probe
