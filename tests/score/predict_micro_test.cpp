// Kernels, collectives, links and power as rows of a table of measurements: definitions, limits, and what cannot be.
#include "score/predict_micro.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>

#include "network/collectives.h"
#include "support/planning.h"
#include "timing/kernel_rates.h"

namespace fathom {
namespace {

constexpr double kMiB = 1024 * 1024;

Measurement micro(const std::string& metric, const std::string& accelerator,
                  const std::map<std::string, std::string>& shape) {
  Measurement row;
  row.id = "x-001";
  row.accelerator = accelerator;
  row.accelerators = row.nodes = 1;
  row.scale_up = row.scale_out = "none";
  row.engine = "nccl";
  row.role = MeasuredRole::kMicro;
  row.metric = find_metric(metric);
  row.value = 1;
  row.shape = shape;
  return row;
}

Setup setup_of(const Measurement& row) {
  SetupBuilder builder(shipped());
  auto built = builder.build(row);
  if (const auto* why = std::get_if<std::string>(&built)) throw std::runtime_error(*why);
  return std::get<Setup>(built);
}

std::optional<double> predicted(const Measurement& row) { return micro_value(setup_of(row), engine()); }

Measurement all_reduce(const std::string& accelerator, double ranks, const std::string& link, double bytes,
                       const std::string& metric = "allreduce_s") {
  Measurement row = micro(metric, accelerator, {{"op", "all_reduce"}});
  row.accelerators = ranks;
  row.scale_up = link;
  row.message_bytes = bytes;
  return row;
}

Measurement gemm(const std::string& accelerator, const std::string& format, double m, double n, double k) {
  Measurement row = micro("gemm_s", accelerator,
                          {{"op", "gemm"},
                           {"m", std::to_string(static_cast<int>(m))},
                           {"n", std::to_string(static_cast<int>(n))},
                           {"k", std::to_string(static_cast<int>(k))}});
  row.weight_format = format;
  row.engine = "torch";
  return row;
}

TEST(MicroRows, AreThoseOfTheirRoleAndThoseOfPower) {
  EXPECT_TRUE(is_micro(setup_of(gemm("nvidia-h100-sxm5-80gb", "bf16", 64, 64, 64))));
  Measurement served = all_reduce("nvidia-h100-sxm5-80gb", 1, "none", 1, "power_w_per_gpu");
  served.role = MeasuredRole::kAggregated;
  EXPECT_TRUE(is_micro(setup_of(served)));
  served.metric = find_metric("ttft_s_mean");
  EXPECT_FALSE(is_micro(setup_of(served)));
}

// 2 (n-1)/n S / t with n = 8: 1.75 S / t.
TEST(BusBandwidth, IsWhatARingWouldSendOverOneLink) {
  const double bytes = 256 * kMiB;
  const double time = *predicted(all_reduce("nvidia-h200-sxm5-141gb", 8, "nvlink4", bytes));
  const double rate = *predicted(all_reduce("nvidia-h200-sxm5-141gb", 8, "nvlink4", bytes, "busbw_bytes_per_s"));
  EXPECT_NEAR(rate, 1.75 * bytes / time, 1e-6 * rate);
}

TEST(Collectives, TakeLongerForMoreBytesAndNeverExceedTheLink) {
  for (const char* op : {"all_reduce", "all_gather", "reduce_scatter", "all_to_all"}) {
    for (const char* link : {"nvlink4", "pcie4", "pcie5", "nvlink-bridge"}) {
      double before = 0;
      for (double bytes = 1024; bytes < 1e11; bytes *= 4) {
        Measurement row = all_reduce("nvidia-h100-sxm5-80gb", 4, link, bytes);
        row.shape["op"] = op;
        const double time = *predicted(row);
        EXPECT_GT(time, before) << op << " over " << link;
        EXPECT_GT(time, 0.75 * bytes / 450e9);
        before = time;
      }
    }
  }
}

// NCCL sums in the switch where that is quicker: on Hopper from five ranks on (363 to 414 GB/s measured, stas00/ml-engineering).
TEST(AllReduce, TheSwitchHelpsFromFiveRanksOn) {
  const auto rate = [](double ranks, const char* algorithm) {
    Measurement row = all_reduce("nvidia-h200-sxm5-141gb", ranks, "nvlink4", 8192 * kMiB, "busbw_bytes_per_s");
    if (algorithm != nullptr) row.shape["algo"] = algorithm;
    return *predicted(row);
  };
  EXPECT_EQ(rate(4, nullptr), rate(4, "ring"));
  EXPECT_GT(rate(5, nullptr), 1.05 * rate(5, "nvls_off"));
  EXPECT_GT(rate(8, nullptr), 1.25 * rate(8, "nvls_off"));
}

// A mesh gives a pair one link of seven: 64 of 448 GB/s on MI300X.
TEST(AllReduce, TwoCardsOfAMeshShareOneLink) {
  const double two = *predicted(all_reduce("amd-mi300x-192gb", 2, "xgmi", 4096 * kMiB, "busbw_bytes_per_s"));
  const double eight = *predicted(all_reduce("amd-mi300x-192gb", 8, "xgmi", 4096 * kMiB, "busbw_bytes_per_s"));
  EXPECT_LT(two, 64e9);
  EXPECT_NEAR(eight / two, 7, 0.1);
}

TEST(AllReduce, AFrameworksCallIsHiddenByALongKernel) {
  const auto slowdown = [](double bytes) {
    Measurement row = all_reduce("nvidia-h200-sxm5-141gb", 8, "nvlink4", bytes);
    const double bare = *predicted(row);
    row.engine = "torch";
    return *predicted(row) / bare;
  };
  EXPECT_GT(slowdown(32 * 1024), 1.5);
  EXPECT_LT(slowdown(1024 * kMiB), 1.01);
}

TEST(Products, NeverPassTheDataSheet) {
  for (const char* id : {"nvidia-a100-sxm4-80gb", "nvidia-h100-sxm5-80gb", "nvidia-b200-sxm-180gb", "nvidia-l40s-48gb",
                         "amd-mi300x-192gb", "intel-gaudi3-128gb", "huawei-ascend-910b3-64gb"}) {
    const Accelerator& a = shipped().accelerator(id);
    for (double m : {1.0, 16.0, 100.0, 128.0, 129.0, 4096.0, 16384.0}) {
      const double time = *predicted(gemm(id, "bf16", m, 8192, 8192));
      EXPECT_GT(time, 2 * m * 8192 * 8192 / peak(a, Dtype::kBf16)->value.value) << id << " m " << m;
      EXPECT_GT(time, 8192.0 * 8192 * 2 / a.memory_bandwidth->value.value) << id << " m " << m;
    }
  }
}

TEST(Products, OfOneRowAreWeightsRead) {
  const double sixteen = *predicted(gemm("nvidia-h100-sxm5-80gb", "bf16", 1, 16384, 16384));
  const double eight = *predicted(gemm("nvidia-h100-sxm5-80gb", "fp8", 1, 16384, 16384));
  EXPECT_NEAR(sixteen / eight, 2, 0.1);
}

// 132 units: 128 tiles of 128 x 256 are one round, 136 are two.
TEST(Products, ATileTooManyCostsARound) {
  const Accelerator& h100 = shipped().accelerator("nvidia-h100-sxm5-80gb");
  const auto rate = [&](double n) {
    const MatrixProduct p{.m = 2048, .n = n, .k = 16384};
    return flops(p) / *matrix_product_time(h100, p, Format::kBf16, MatrixLibrary::kVendor);
  };
  EXPECT_GT(rate(2048), 1.08 * rate(2048 + 128));
}

TEST(Products, AServingEnginePaysForQuantisingItsActivations) {
  Measurement row = gemm("nvidia-h100-sxm5-80gb", "fp8", 8192, 8192, 8192);
  const double vendor = *predicted(row);
  row.engine = "vllm";
  EXPECT_GT(*predicted(row), 1.2 * vendor);
}

// An A100 multiplies no fp8: weights are widened, which saves bytes but no arithmetic.
TEST(Products, FormatsWithoutUnitsAreWidened) {
  EXPECT_LT(*predicted(gemm("nvidia-a100-sxm4-80gb", "fp8", 1, 8192, 8192)),
            0.7 * *predicted(gemm("nvidia-a100-sxm4-80gb", "bf16", 1, 8192, 8192)));
  EXPECT_GT(*predicted(gemm("nvidia-a100-sxm4-80gb", "fp8", 8192, 8192, 8192)),
            *predicted(gemm("nvidia-a100-sxm4-80gb", "bf16", 8192, 8192, 8192)));
}

TEST(Products, WithoutAShapeAreRefused) {
  const Measurement row = micro("gemm_s", "nvidia-h100-sxm5-80gb", {{"op", "gemm"}});
  EXPECT_FALSE(predicted(row));
  EXPECT_FALSE(micro_refusal(setup_of(row)).empty());
}

Measurement attention(const std::string& op, const std::string& kv, double sequences, double context) {
  Measurement row =
      micro("attention_decode_s", "nvidia-h200-sxm5-141gb",
            {{"op", op}, {"q_heads", "128"}, {"kv_latent", "576"}, {"kv_heads", "8"}, {"head_dim", "128"}});
  row.kv_format = kv;
  row.load = sequences;
  row.context_len = context;
  return row;
}

TEST(Attention, GrowsWithContextAndWithSequences) {
  for (const char* op : {"mla_decode", "gqa_decode"}) {
    for (const char* kv : {"bf16", "fp8"}) {
      EXPECT_LT(*predicted(attention(op, kv, 8, 1024)), *predicted(attention(op, kv, 8, 8192)));
      EXPECT_LT(*predicted(attention(op, kv, 8, 8192)), *predicted(attention(op, kv, 64, 8192)));
    }
  }
}

// 64 sequences of 8,192 tokens, 8 heads of 128, keys and values of two bytes: 2.147 GB at 4.8 TB/s are 447 us.
TEST(Attention, OverHeadsReadsTheCacheOnce) {
  const double time = *predicted(attention("gqa_decode", "bf16", 64, 8192));
  EXPECT_GT(time, 447e-6);
  EXPECT_LT(time, 1.2 * 447e-6);
}

TEST(Attention, ALatentCacheInFp8IsWidenedFirst) {
  EXPECT_GT(*predicted(attention("mla_decode", "fp8", 64, 4096)),
            2 * *predicted(attention("mla_decode", "bf16", 64, 4096)));
}

Measurement exchange(const std::string& metric, const std::string& mode, double nodes) {
  Measurement row = micro(metric, "nvidia-h800-sxm5-80gb",
                          {{"op", "moe_dispatch"},
                           {"mode", mode},
                           {"tokens_per_rank", "128"},
                           {"hidden", "7168"},
                           {"topk", "8"},
                           {"dtype", "fp8"}});
  row.accelerators = 8 * nodes;
  row.nodes = nodes;
  row.scale_up = "nvlink4";
  if (nodes > 1) row.scale_out = "ib-400";
  return row;
}

// 35 us + (n - 8)/n of 128 x 8 x 7,168 bytes at 46 GB/s: 35 + 79.8 us on 16 ranks of two nodes.
TEST(ExpertExchange, OfManyNodesApproachesTheWholePayloadOnTheNic) {
  EXPECT_NEAR(*predicted(exchange("dispatch_s", "low_latency", 2)), 114.8e-6, 1e-6);
  EXPECT_LT(*predicted(exchange("dispatch_s", "low_latency", 8)),
            *predicted(exchange("dispatch_s", "low_latency", 32)));
  EXPECT_LT(*predicted(exchange("dispatch_s", "low_latency", 32)), 35e-6 + 7.34e6 / 46e9);
}

TEST(ExpertExchange, AnOnlyPeerIsABottleneck) {
  EXPECT_LT(*predicted(exchange("dispatch_bytes_per_s", "normal", 2)),
            *predicted(exchange("dispatch_bytes_per_s", "normal", 4)));
  EXPECT_GT(*predicted(exchange("dispatch_bytes_per_s", "normal", 1)), 100e9);
}

TEST(Links, CountBothDirectionsOfADuplexCopy) {
  Measurement row = micro("link_bytes_per_s", "nvidia-h200-sxm5-141gb", {{"op", "p2p_uni"}});
  row.accelerators = 2;
  row.scale_up = "nvlink4";
  const double one = *predicted(row);
  row.shape["op"] = "p2p_duplex";
  EXPECT_NEAR(*predicted(row), 2 * one, 1);
  EXPECT_LT(one, 450e9);
}

TEST(Links, AHostCopyHasTheRateOfTheSlot) {
  Measurement row = micro("link_bytes_per_s", "nvidia-h200-sxm5-141gb", {{"op", "h2d"}});
  row.scale_up = "pcie5";
  EXPECT_NEAR(*predicted(row), 63e9 * 0.88, 1e9);
  row.scale_up = "pcie4";
  EXPECT_NEAR(*predicted(row), 31e9 * 0.88, 1e9);
}

TEST(MemoryRate, LiesBelowTheDataSheetAndReadingIsQuickest) {
  const auto rate = [](const char* op) {
    return *predicted(micro("membw_bytes_per_s", "nvidia-a40-48gb", {{"op", op}}));
  };
  for (const char* op : {"scale", "triad", "copy"}) EXPECT_LT(rate(op), rate("read"));
  EXPECT_LT(rate("read"), 696e9);
}

TEST(MicroPower, StaysWithinTdpAndMatrixWorkTakesMost) {
  const auto watts = [](const char* op) {
    return *predicted(micro("power_w_per_gpu", "nvidia-a100-sxm4-40gb", {{"op", op}}));
  };
  EXPECT_LE(watts("gemm"), 400);
  EXPECT_GT(watts("gemm"), watts("fp32_fma"));
  EXPECT_GT(watts("fp32_fma"), watts("p2p_duplex"));
  EXPECT_GT(watts("copy"), watts("p2p_duplex"));
}

TEST(MicroPower, WithoutATdpIsRefused) {
  const Measurement row = micro("power_w_per_gpu", "metax-c550-64gb", {{"op", "copy"}});
  EXPECT_FALSE(predicted(row));
  EXPECT_FALSE(micro_refusal(setup_of(row)).empty());
}

// J per token is watts of all accelerators over tokens per second: more sequences share one reading of the weights.
TEST(ServingEnergy, FallsPerTokenAsTheBatchGrows) {
  const auto joules = [](double sequences) {
    Measurement row = micro("energy_j_per_token", "nvidia-h100-sxm5-80gb", {});
    row.role = MeasuredRole::kAggregated;
    row.engine = "vllm";
    row.model = "llama-3.1-8b";
    row.weight_format = row.kv_format = "bf16";
    row.tp = row.pp = row.attention_dp = row.replicas = 1;
    row.output_len = 400;
    row.load_kind = LoadKind::kClosed;
    row.load = sequences;
    return *predicted(row);
  };
  EXPECT_GT(joules(8), 2 * joules(32));
  EXPECT_GT(joules(32), joules(128));
}

}  // namespace
}  // namespace fathom
