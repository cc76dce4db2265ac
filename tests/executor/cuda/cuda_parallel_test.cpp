// Several ranks, each on its GPU, against one rank on the host. Where there are fewer GPUs than ranks a test is left out.
#include <cuda_runtime_api.h>

#include <chrono>

#include "comm/cuda_nccl.h"
#include "executor/cuda/device_runs.h"

namespace fathom {
namespace {

using namespace testing;  // device_runs.h

int devices() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

Layout parallel(Layout l, const std::string& scheme = "bf16") {
  l.weights = *find_weight_scheme(scheme);
  return l;
}

std::string name_of(const Layout& l) { return short_name(l); }

// Every layout of these that the machine has GPUs for; none: the test is waived.
template <class Body>
void on_layouts(const std::vector<Layout>& layouts, const Body& body) {
  int run = 0;
  for (const Layout& l : layouts) {
    if (l.devices_per_replica() > devices()) continue;
    body(l);
    ++run;
  }
  if (run == 0) GTEST_SKIP() << "fewer GPUs than ranks";
}

RunOptions checked(int chunk = 48) {
  RunOptions o = options(chunk);
  o.check_agreement = true;
  return o;
}

void expect_the_hosts_logits(const Architecture& a, const Layout& l, const RunOptions& o) {
  const std::vector<Request> requests = requests_for(a, 4);
  expect_agreement(a, on_device(a, l, requests, o), on_host(a, layout(l.weights.name), requests, options()),
                   fmt::format("{} {}", a.family, name_of(l)));
}

TEST(CudaParallel, TensorParallelRanksGiveTheHostsLogits) {
  on_layouts({{.tp = 2}, {.tp = 4}}, [](const Layout& l) {
    for (const char* id : kFamilies) expect_the_hosts_logits(model(id), parallel(l), checked());
  });
}

TEST(CudaParallel, TensorParallelRanksSplitBlocksOfScales) {
  on_layouts({{.tp = 2}}, [](const Layout& l) {
    for (const char* id : {"llama", "qwen2"}) {
      Architecture a = model(id);
      a.num_heads = 8, a.num_kv_heads = 4;  // halves of whole blocks of 128
      for (const char* scheme : {"fp8", "int4"}) expect_the_hosts_logits(a, parallel(l, scheme), checked());
    }
  });
}

// Sums of more rows than go in one flight.
TEST(CudaParallel, LongPromptsGiveTheHostsLogits) {
  on_layouts({{.tp = 2}, {.tp = 4}}, [](const Layout& l) {
    Architecture a = model("llama");
    a.hidden_size = 2048;  // 128 rows in 512 KiB
    Request r{.id = 0, .prompt = some_tokens(700, a.vocab_size, 7), .output_tokens = 3};
    r.forced = some_tokens(3, a.vocab_size, 8);
    RunOptions o = checked(512);
    o.max_sequences = 1;
    expect_agreement(a, on_device(a, parallel(l), {r}, o), on_host(a, layout("bf16"), {r}, o), name_of(l));
  });
}

TEST(CudaParallel, ExpertsDealtOutGiveTheHostsLogits) {
  on_layouts({{.tp = 2, .ep = 2}, {.tp = 4, .ep = 4}, {.tp = 4, .ep = 2}}, [](const Layout& l) {
    for (const char* id : {"qwen3-moe", "deepseek-v2-lite", "deepseek-v3"}) {
      expect_the_hosts_logits(model(id), parallel(l), checked());
    }
  });
}

// Groups of their own sequences, one of which has fewer and is done before the others.
TEST(CudaParallel, AttentionGroupsGiveTheHostsLogits) {
  on_layouts({{.attention_dp = 2, .ep = 2}, {.tp = 2, .attention_dp = 2, .ep = 4}, {.attention_dp = 4, .ep = 4}},
             [](const Layout& l) {
               for (const char* id : {"qwen3-moe", "deepseek-v2-lite", "deepseek-v3"}) {
                 const Architecture a = model(id);
                 for (int chunk : {48, 300}) {
                   const std::vector<Request> requests = requests_for(a, 5);
                   expect_agreement(a, on_device(a, parallel(l), requests, checked(chunk)),
                                    on_host(a, layout("bf16"), requests, options()),
                                    fmt::format("{} {} chunks of {}", id, name_of(l), chunk));
                 }
               }
             });
}

TEST(CudaParallel, InterleavedExpertsGiveTheHostsLogits) {
  on_layouts({{.tp = 2, .ep = 2}, {.tp = 4, .ep = 4}}, [](const Layout& l) {
    const Architecture a = model("deepseek-v3");
    EngineModel interleaved_model(a, parallel(l));
    interleaved_model.experts = interleaved(a.moe->routed_experts, l.ep);
    RunOptions o = checked();
    o.make_executor = make_cuda_executor;
    const std::vector<Request> requests = requests_for(a);
    expect_agreement(a, run_engine(interleaved_model, kWeights, requests, o),
                     on_host(a, layout("bf16"), requests, options()), name_of(l) + " interleaved");
  });
}

TEST(CudaParallel, PipelinesGiveTheHostsLogits) {
  on_layouts({{.pp = 2}, {.tp = 2, .pp = 2}, {.pp = 4}}, [](const Layout& l) {
    for (const char* id : {"llama", "deepseek-v3"}) {
      Architecture a = model(id);
      a.num_layers = std::max(a.num_layers, l.pp);
      expect_the_hosts_logits(a, parallel(l), checked());
    }
  });
}

TEST(CudaParallel, NcclInsteadOfOurKernelsGivesTheHostsLogits) {
  std::string why_not;
  if (!nccl_available(&why_not)) GTEST_SKIP() << why_not;
  on_layouts({{.tp = 2}, {.tp = 4, .ep = 4}, {.pp = 2}, {.tp = 2, .pp = 2}}, [](const Layout& l) {
    for (const char* id : {"llama", "deepseek-v3"}) {
      const Architecture a = model(id);
      if (!a.moe && l.ep > 1) continue;
      const std::vector<Request> requests = requests_for(a, 4);
      expect_agreement(a, on_device(a, parallel(l), requests, checked(), true, DeviceLinks::kNccl),
                       on_host(a, layout("bf16"), requests, options()), fmt::format("{} {} NCCL", id, name_of(l)));
    }
  });
}

// Sums of more than 8 MiB: by NCCL where it is.
TEST(CudaParallel, VeryLongPromptsGiveOurKernelsLogits) {
  if (std::string why_not; !nccl_available(&why_not)) GTEST_SKIP() << why_not;
  on_layouts({{.tp = 2}}, [](const Layout& l) {
    Architecture a = model("llama");
    a.hidden_size = 4096;
    Request r{.id = 0, .prompt = some_tokens(1100, a.vocab_size, 7), .output_tokens = 1};
    RunOptions o = checked(1100);
    o.max_sequences = 1;
    expect_agreement(a, on_device(a, parallel(l), {r}, o), on_device(a, parallel(l), {r}, o, true, DeviceLinks::kPeers),
                     name_of(l));
  });
}

TEST(CudaParallel, GraphsAndOtherRunsGiveTheSameBits) {
  on_layouts({{.tp = 2}, {.tp = 4, .ep = 4}, {.tp = 2, .pp = 2}, {.attention_dp = 2, .ep = 2}}, [](const Layout& l) {
    const Architecture a = model("deepseek-v3");
    const std::vector<Request> requests = requests_for(a);
    const RunResult first = on_device(a, parallel(l), requests, checked());
    for (int run = 0; run < 2; ++run) {
      EXPECT_EQ(on_device(a, parallel(l), requests, checked()).logits_hash, first.logits_hash) << name_of(l);
    }
    EXPECT_EQ(on_device(a, parallel(l), requests, checked(), false).logits_hash, first.logits_hash) << "eager";
  });
}

std::string failure_of(const Layout& l, const Fault& fault) {
  const Architecture a = model("llama");
  RunOptions o = options();
  o.communicator.timeout = std::chrono::milliseconds(1500);
  o.fault = fault;
  try {
    on_device(a, l, requests_for(a), o);
  } catch (const RankFailure& e) {
    return e.what();
  }
  return {};
}

TEST(CudaParallel, ARankThatHangsIsNamed) {
  on_layouts({{.tp = 2}, {.pp = 2}}, [](const Layout& l) {
    const auto begin = std::chrono::steady_clock::now();
    const std::string message =
        failure_of(parallel(l), {.rank = 1, .operator_name = "a step of the device", .kind = Fault::Kind::kHang});
    EXPECT_EQ(message.find("rank 1 did not come to "), 0u) << message;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  });
}

TEST(CudaParallel, ARankThatFailsEndsTheOthersAtOnce) {
  on_layouts({{.tp = 2}, {.pp = 2}}, [](const Layout& l) {
    const std::string message =
        failure_of(parallel(l), {.rank = 1, .operator_name = "a step of the device", .kind = Fault::Kind::kThrow});
    EXPECT_NE(message.find("rank 1 failed in a step of the device: a fault on purpose"), std::string::npos) << message;
  });
}

}  // namespace
}  // namespace fathom
