// What the probe's own cases on GPUs are held against.
#include <gtest/gtest.h>

#include "health/health.h"
#include "health/limits_of_parts.h"
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
