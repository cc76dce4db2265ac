// From a record to the planner's samples: shapes and times, the slowest device, and what is no use to a plan.
#include "rates/rates.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "input/error.h"
#include "profile/profile.h"
#include "support/invented_machine.h"
#include "support/planning.h"

namespace fathom::probe {
namespace {

Result result(std::string name, std::string device, std::map<std::string, std::string> shape, Unit unit,
              double figure) {
  Result r = without_figure(std::move(name), std::move(device), Status::kPassed, "");
  r.shape = std::move(shape);
  r.unit = unit;
  r.figure = single_figure(figure);
  return r;
}

Result product(const std::string& name, const std::string& device, const std::string& m, double flops_per_s) {
  return result(name, device, {{"m", m}, {"n", "4096"}, {"k", "8192"}, {"dtype", "bf16"}}, Unit::kFlopsPerSecond,
                flops_per_s);
}

MachineRecord with(std::vector<Result> results) {
  MachineRecord record = invented_machine();
  record.results = std::move(results);
  return record;
}

bool says(const RecordRates& rates, const std::string& text) {
  return std::any_of(rates.unused.begin(), rates.unused.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

TEST(RatesOfARecord, AProductIsCountedAsThePlannerCountsIt) {
  const RecordRates rates = rates_of(with({product("gpu.gemm", "gpu0", "16", 1e14)}), shipped());
  ASSERT_EQ(rates.measurements.products.size(), 1u);
  const ProductPoint& point = rates.measurements.products[0].point;
  EXPECT_EQ(point.shape.flops.value, 2.0 * 16 * 4096 * 8192);
  EXPECT_EQ(point.shape.bytes.value, 2.0 * 4096 * 8192 + 2.0 * 16 * (4096 + 8192));  // weights; activations of bf16
  EXPECT_NEAR(point.time.value, point.shape.flops.value / 1e14, 1e-15);
  EXPECT_EQ(rates.measurements.accelerator, "nvidia-h200-sxm5-141gb");
  EXPECT_EQ(rates.unused, std::vector<std::string>{"linear bf16: fewer than four shapes"});
}

TEST(RatesOfARecord, TheSlowestDeviceCounts) {
  const RecordRates rates =
      rates_of(with({product("gpu.gemm", "gpu0", "1", 2e12), product("gpu.gemm", "gpu1", "1", 1e12)}), shipped());
  ASSERT_EQ(rates.measurements.products.size(), 1u);
  EXPECT_NEAR(rates.measurements.products[0].point.time.value, 2.0 * 4096 * 8192 / 1e12, 1e-15);
}

// gpu1 is slow whatever its kernel is called; of two kernels of gpu0 an engine takes the faster.
TEST(RatesOfARecord, TheSlowestDeviceCountsWhateverItsKernel) {
  std::vector<Result> results = {product("gpu.linear", "gpu0", "1", 2e12), product("gpu.linear", "gpu0", "1", 3e12),
                                 product("gpu.linear", "gpu1", "1", 1e12)};
  results[1].protocol.kernel = "another";
  results[2].protocol.kernel = "a third";
  const auto time = [&] {
    const RecordRates rates = rates_of(with(results), shipped());
    EXPECT_EQ(rates.measurements.products.size(), 1u);
    return rates.measurements.products.at(0).point.time.value;
  };
  EXPECT_NEAR(time(), 2.0 * 4096 * 8192 / 1e12, 1e-15);
  results.pop_back();
  EXPECT_NEAR(time(), 2.0 * 4096 * 8192 / 3e12, 1e-15);
}

// Kernels of bf16 join gate and up of one token, those of fp8 of 128: what holds for both is one token.
TEST(RatesOfARecord, ActivationsAndNormsThatProductsDoTakeNoTimeOfTheirOwn) {
  const auto gated = [](const char* format, const char* m, bool joined) {
    Result r = product("gpu.linear", "gpu0", m, 1e12);
    r.shape["dtype"] = format;
    if (joined) r.shape["gated"] = "yes";
    return r;
  };
  const auto parts = [](const std::vector<Result>& results) {
    return rates_of(with(results), shipped()).measurements.parts;
  };
  EXPECT_TRUE(parts({gated("bf16", "1", false)}).empty());
  const std::vector<ProfilePart> found = parts({gated("bf16", "1", true), gated("bf16", "2", false),
                                                gated("fp8-block128", "1", true), gated("fp8-block128", "128", true)});
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].name, "ffn.activation");
  EXPECT_EQ(found[1].tokens, 1);
  EXPECT_EQ(found[2].name, "attention.norm");  // of one row, on Hopper
  EXPECT_EQ(found[3].name, "ffn.norm");
  EXPECT_EQ(found[3].tokens, 1);
  const std::vector<ProfilePart> of_experts = parts({result("gpu.experts", "gpu0",
                                                            {{"dtype", "bf16"},
                                                             {"m", "64"},
                                                             {"experts", "64"},
                                                             {"of", "64"},
                                                             {"chosen", "6"},
                                                             {"hidden", "2048"},
                                                             {"inner", "1408"}},
                                                            Unit::kTime, 3e-4)});
  ASSERT_EQ(of_experts.size(), 1u);
  EXPECT_GT(of_experts[0].tokens, 1e9);
}

TEST(RatesOfARecord, KernelsOfAnEngineComeBeforeALibraryAlone) {
  const RecordRates rates =
      rates_of(with({product("gpu.gemm", "gpu0", "1", 2e12), product("gpu.linear", "gpu0", "1", 1e12)}), shipped());
  ASSERT_EQ(rates.measurements.products.size(), 1u);
  EXPECT_NEAR(rates.measurements.products[0].point.time.value, 2.0 * 4096 * 8192 / 1e12, 1e-15);
}

// nccl-tests call the size of a gather what every rank has at the end; the planner counts what one rank sends.
TEST(RatesOfARecord, CollectivesAreCountedByWhatARankSends) {
  const std::map<std::string, std::string> shape = {{"bytes", "1048576"}, {"ranks", "4"}};
  const RecordRates rates = rates_of(with({result("collective.all_reduce", "gpu0,gpu1", shape, Unit::kTime, 20e-6),
                                           result("collective.all_gather", "gpu0,gpu1", shape, Unit::kTime, 15e-6)}),
                                     shipped());
  ASSERT_EQ(rates.measurements.curves.size(), 2u);
  for (const CollectiveSample& sample : rates.measurements.curves) {
    const double share = sample.kind == OperatorKind::kAllReduce ? 1.5 : 0.75;
    EXPECT_EQ(sample.wire_bytes.value, share * 1048576);
    EXPECT_EQ(sample.ranks, 4);
  }
}

// A kernel for small messages beside a library for all: each size takes the faster of those that were measured there.
TEST(RatesOfARecord, WaysOfACollectiveAreCurvesOfTheirOwn) {
  std::vector<Result> results;
  const auto add = [&](const std::string& engine, const std::string& bytes, double time) {
    results.push_back(
        result("collective.all_reduce", "gpu0,gpu1", {{"bytes", bytes}, {"ranks", "2"}}, Unit::kTime, time));
    results.back().protocol.engine = engine;
  };
  add("NCCL", "2048", 8e-6), add("NCCL", "32768", 9e-6), add("NCCL", "524288", 14e-6), add("NCCL", "8388608", 50e-6);
  add("kernels", "1024", 2e-6), add("kernels", "16384", 3e-6), add("kernels", "65536", 4e-6);
  const Profile profile = fit_profile(rates_of(with(results), shipped()).measurements);
  ASSERT_EQ(profile.curves.size(), 2u);
  const auto time = [&](double bytes) { return profile.on_curves(OperatorKind::kAllReduce, 2, Bytes(bytes))->time; };
  EXPECT_EQ(time(16384), 3_us);    // measured by the kernels
  EXPECT_LT(time(32768), 4_us);    // between two of theirs, although NCCL measured just this
  EXPECT_EQ(time(524288), 14_us);  // theirs end before
  EXPECT_EQ(time(1024), 2_us);
}

// The rate of decoding counts the cache that is read.
TEST(RatesOfARecord, AttentionIsCountedAsThePlannerCountsIt) {
  const std::map<std::string, std::string> heads = {
      {"heads", "32"}, {"kv_heads", "8"}, {"head_dim", "128"}, {"dtype", "bf16"}};
  std::vector<Result> results;
  for (const char* batch : {"1", "8", "32", "64"}) {
    auto shape = heads;
    shape["batch"] = batch, shape["context"] = "4096";
    results.push_back(result("gpu.attention.decode", "gpu0", shape, Unit::kBytesPerSecond, 4e12));
  }
  const RecordRates rates = rates_of(with(results), shipped());
  ASSERT_EQ(rates.measurements.operators.size(), 4u);
  for (const ProfileSample& sample : rates.measurements.operators) {
    const double cache = sample.tokens * 4096 * 2 * 2 * 8 * 128;
    EXPECT_EQ(sample.kind, OperatorKind::kAttention);
    EXPECT_NEAR(sample.time.value, cache / 4e12, 1e-12);
    EXPECT_NEAR(sample.bytes.value, cache + sample.tokens * 2 * 2 * 32 * 128, 1);  // queries and results as well
    EXPECT_NEAR(sample.flops.value, sample.tokens * 4096 * 32 * 4 * 128, 1);
  }
  results.pop_back();
  EXPECT_TRUE(says(rates_of(with(results), shipped()), "attention bf16: fewer than four shapes"));
}

// One time for gate, up and down: two products of the plan, which share it by the bytes that they move.
TEST(RatesOfARecord, ExpertsAreTwoProducts) {
  std::vector<Result> results;
  for (const char* m : {"1", "8", "64", "512"}) {
    results.push_back(result("gpu.experts", "gpu0",
                             {{"dtype", "fp8-block128"},
                              {"m", m},
                              {"experts", "64"},
                              {"of", "64"},
                              {"chosen", "6"},
                              {"hidden", "2048"},
                              {"inner", "1408"}},
                             Unit::kTime, 300e-6));
  }
  const RecordRates rates = rates_of(with(results), shipped());
  ASSERT_EQ(rates.measurements.operators.size(), 8u);
  double sum = 0;
  for (const ProfileSample& sample : rates.measurements.operators) {
    EXPECT_EQ(sample.kind, OperatorKind::kGroupedLinear);
    EXPECT_EQ(sample.weights, Format::kFp8Block128);
    sum += sample.time.value;
  }
  EXPECT_NEAR(sum, 4 * 300e-6, 1e-9);
}

TEST(RatesOfARecord, WhatAPlanHasNoUseForIsNamed) {
  Result broken = product("gpu.gemm", "gpu0", "1", 1e12);
  broken.shape.erase("n");
  Result odd = product("gpu.linear", "gpu0", "1", 1e12);
  odd.shape["dtype"] = "tf32";
  const RecordRates rates = rates_of(
      with({broken, odd, result("gpu.launch.graph", "gpu0", {{"nodes", "1000"}}, Unit::kTime, 1.3e-6)}), shipped());
  EXPECT_TRUE(rates.measurements.products.empty());
  EXPECT_TRUE(says(rates, "gpu.gemm: it does not tell n"));
  EXPECT_TRUE(says(rates, "gpu.linear: no weights are stored so"));
  EXPECT_EQ(rates.unused.back(), "gpu.launch.graph: no operator of a plan");
}

// Zeros draw less power: 838 instead of 681 TFLOPS on one H200.
TEST(RatesOfARecord, ZerosAsDataAreNoRates) {
  Result zeros = product("gpu.gemm", "gpu0", "1", 2e12);
  zeros.protocol.pattern = "zeros";
  EXPECT_TRUE(rates_of(with({zeros}), shipped()).measurements.products.empty());
}

TEST(RatesOfARecord, FiguresThatCannotBeAreLeftOut) {
  Result wrong = product("gpu.gemm", "gpu1", "1", 1e12);
  wrong.correctness = Correctness{"every element", 1, false};
  const RecordRates rates = rates_of(with({product("gpu.gemm", "gpu0", "1", 1e18), wrong}), shipped());
  EXPECT_TRUE(rates.measurements.products.empty());
}

TEST(RatesOfARecord, RatesBelongToOneAcceleratorOfTheCatalog) {
  MachineRecord record = with({});
  record.gpus[1].name = "NVIDIA A100-SXM4-80GB";
  EXPECT_THROW(rates_of(record, shipped()), InputError);
  record.gpus = {record.gpus[0]};
  record.gpus[0].name = "Invented 9000";
  EXPECT_THROW(rates_of(record, shipped()), InputError);
  record.gpus.clear();
  EXPECT_THROW(rates_of(record, shipped()), InputError);
}

// The whole way: a record of three sizes gives the plan's all-reduce.
TEST(RatesOfARecord, BecomeCurvesOfAProfile) {
  const Profile profile = fit_profile(rates_of(invented_machine(), shipped()).measurements);
  const auto figure = profile.on_curves(OperatorKind::kAllReduce, 4, Bytes(1.5 * 1048576));
  ASSERT_TRUE(figure);
  EXPECT_EQ(figure->time, 21_us);
  EXPECT_FALSE(profile.on_curves(OperatorKind::kAllReduce, 2, Bytes(1)));
}

// Two H200, at quick depth: five matrices at every power of two. Four bits are not held to a 90th percentile: their kernels change at 2, 16, 32,
// 64 and 129 rows, and of five matrices the others tell one too little about those (21 %; at standard depth below).
TEST(RatesOfARecord, RealGpusGiveSurfacesAndCurves) {
  const std::filesystem::path file = std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/data/machines/h200x2.json";
  const Profile profile = fit_profile(rates_of(read_record(file), shipped()).measurements);
  for (const Format format : {Format::kBf16, Format::kFp8Block128, Format::kInt4G128}) {
    const ProductSurface* surface = profile.surface(format);
    ASSERT_NE(surface, nullptr) << to_string(format);
    EXPECT_LT(surface->left_out.median_error, 0.10) << to_string(format);
    EXPECT_LT(surface->left_out.p90_error, format == Format::kInt4G128 ? 0.25 : 0.18) << to_string(format);
    EXPECT_NE(profile.find(OperatorKind::kGroupedLinear, format), nullptr) << to_string(format);
  }
  for (const OperatorKind kind :
       {OperatorKind::kAllReduce, OperatorKind::kAllGather, OperatorKind::kAllToAll, OperatorKind::kSendRecv})
    EXPECT_TRUE(profile.on_curves(kind, 2, Bytes(1e6))) << to_string(kind);
  const double small = profile.on_curves(OperatorKind::kAllReduce, 2, Bytes(16384))->time.value;
  EXPECT_LT(small, 5e-6);  // by the engine's own kernel; NCCL takes more
}

// Two H200 at standard depth: the catalog's matrices at every power of two. Experts, which are rows and no surface, are not held to it.
TEST(RatesOfARecord, AStandardRecordPredictsWhatItHasNotSeen) {
  const std::filesystem::path file =
      std::filesystem::path(FATHOM_SOURCE_DIR) / "docs/measurements/2026-11-23-probe-standard-h200x2/probe.json";
  const Profile profile = fit_profile(rates_of(read_record(file), shipped()).measurements);
  for (const Format format : {Format::kBf16, Format::kFp8Block128, Format::kInt4G128}) {
    const ProductSurface* surface = profile.surface(format);
    ASSERT_NE(surface, nullptr) << to_string(format);
    EXPECT_LT(surface->left_out.median_error, 0.06) << to_string(format);
    EXPECT_LT(surface->left_out.p90_error, 0.18) << to_string(format);
  }
  int curves = 0;
  for (const MeasuredCurve& curve : profile.curves) {
    ++curves;
    EXPECT_LT(curve.left_out.median_error, 0.04) << curve.way;
    EXPECT_LT(curve.left_out.p90_error, 0.15) << curve.way;
  }
  EXPECT_GE(curves, 5);
}

const std::filesystem::path kMachines = std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/data/machines";

// Two H200: 120.157 and 116.632 W at rest, 699.453 and 698.72 reading, 699.556 and 689.519 multiplying.
TEST(RatesOfARecord, WattsAreTheMedianOverTheCards) {
  const RecordRates rates = rates_of(read_record(kMachines / "h200x2.json"), shipped());
  const std::optional<ProfileWatts>& watts = rates.measurements.watts;
  ASSERT_TRUE(watts);
  EXPECT_NEAR(watts->idle.value, (129.522 + 126.129) / 2, 1e-9);
  EXPECT_NEAR(watts->reading.value, (693.628 + 692.96) / 2, 1e-9);
  EXPECT_NEAR(watts->multiplying.value, (683.055 + 681.595) / 2, 1e-9);
  EXPECT_EQ(watts->limit, Watts(700));
  EXPECT_NEAR(watts->memory.value, 4.5e12, 0.1e12);
  EXPECT_NEAR(watts->compute.value, 655e12, 20e12);
  EXPECT_FALSE(says(rates, "gpu.power"));
}

std::vector<Result> a_card_of_watts() {
  std::vector<Result> results;
  for (const auto& [load, watts] : {std::pair("idle, with a context", 100.0), {"memory", 600}, {"arithmetic", 650}})
    results.push_back(result("gpu.power", "gpu0", {{"load", load}}, Unit::kWatts, watts));
  results.push_back(result("gpu.memory.read", "gpu0", {{"bytes", "2147483648"}}, Unit::kBytesPerSecond, 4.4e12));
  results.push_back(product("gpu.gemm", "gpu0", "8192", 6e14));
  return results;
}

TEST(RatesOfARecord, WattsNeedAllThreeLoadsAndHowBusyTheyKeptTheCard) {
  ASSERT_TRUE(rates_of(with(a_card_of_watts()), shipped()).measurements.watts);
  for (std::size_t left_out = 0; left_out < 5; ++left_out) {
    std::vector<Result> results = a_card_of_watts();
    results.erase(results.begin() + static_cast<std::ptrdiff_t>(left_out));
    const RecordRates rates = rates_of(with(results), shipped());
    EXPECT_FALSE(rates.measurements.watts) << left_out;
    EXPECT_TRUE(says(rates, "gpu.power: a plan needs its three loads")) << left_out;
  }
  std::vector<Result> hot = a_card_of_watts();
  hot[0].figure = single_figure(660);
  const RecordRates rates = rates_of(with(hot), shipped());
  EXPECT_FALSE(rates.measurements.watts);
  EXPECT_TRUE(says(rates, "no more than a card at rest"));
}

TEST(RatesOfARecord, WeightsAreReadFromStorageAtTheSlowestLongRead) {
  const auto read = [](const std::string& cache, double figure) {
    Result r = result("host.storage.read", "host", {{"block_bytes", "1048576"}}, Unit::kBytesPerSecond, figure);
    r.protocol.cache = cache;
    return r;
  };
  const auto storage = [](std::vector<Result> results) {
    return rates_of(with(std::move(results)), shipped()).measurements.storage;
  };
  EXPECT_EQ(storage({read("O_DIRECT", 6e9), read("O_DIRECT, read from the device", 5e9)}), BytesPerSecond(5e9));
  EXPECT_FALSE(storage({read("page cache", 6e9), read("O_DIRECT, answered by a cache", 6e9), read("O_DIRECT", 6e15)}));
}

// Of a machine without GPUs: the products of its processor with all threads and the instructions that the engine chooses.
TEST(RatesOfARecord, AProcessorIsPlannedWithByItsProducts) {
  const Profile profile =
      fit_profile(rates_of(read_record(kMachines / "busy-epyc-2-threads.json"), shipped()).measurements);
  EXPECT_EQ(profile.accelerator, "host-cpu");
  EXPECT_EQ(profile.engine, "fathom-host");
  ASSERT_EQ(profile.rows.size(), 3u);
  const ProfileRow* row = profile.find(OperatorKind::kLinear, Format::kBf16);
  ASSERT_NE(row, nullptr);
  EXPECT_NEAR(row->memory.value, 16888662170.0, 1);  // AVX-512, two threads: not AVX2, which was faster there
  EXPECT_NEAR(row->compute.value, 103988631364.5, 1);
  const ProfileTime one = profile_time(*row, Bytes(16888662170.0), Flops(16888662170.0), 1);
  EXPECT_NEAR(one.total.value, 1, 1e-6);
}

TEST(RatesOfARecord, AProcessorWithoutProductsIsRefused) {
  MachineRecord record = read_record(kMachines / "busy-epyc-2-threads.json");
  std::erase_if(record.results, [](const Result& r) { return r.name == "host.gemv"; });
  EXPECT_THROW(rates_of(record, shipped()), InputError);
}

}  // namespace
}  // namespace fathom::probe
