// The executor on a GPU against the host's, on small models of every family, in every weight format.
#include "executor/cuda/device_runs.h"

namespace fathom {
namespace {

using namespace testing;  // device_runs.h

TEST(CudaExecutor, GivesTheHostsLogits) {
  for (const char* id : kFamilies) {
    const Architecture a = model(id);
    for (const char* scheme : {"bf16", "fp8", "int4"}) {
      const std::vector<Request> requests = requests_for(a);
      expect_agreement(a, on_device(a, layout(scheme), requests, options()),
                       on_host(a, layout(scheme), requests, options()), fmt::format("{} {}", id, scheme));
    }
  }
}

TEST(CudaExecutor, GivesTheHostsLogitsForPromptsOfManyTokens) {
  for (const char* id : kFamilies) {
    const Architecture a = model(id);
    for (const char* scheme : {"bf16", "int4"}) {
      const std::vector<Request> requests = requests_for(a);
      expect_agreement(a, on_device(a, layout(scheme), requests, options(300)),
                       on_host(a, layout(scheme), requests, options(300)), fmt::format("{} {} at once", id, scheme));
    }
  }
}

TEST(CudaExecutor, AChunkedPromptEqualsAWholeOne) {
  for (const char* id : kFamilies) {
    const Architecture a = model(id);
    const std::vector<Request> one = {requests_for(a).front()};
    const RunResult whole = on_device(a, layout("bf16"), one, options(200));
    for (int chunk : {1, 7, 64, 149}) {
      expect_agreement(a, on_device(a, layout("bf16"), one, options(chunk)), whole, fmt::format("{} by {}", id, chunk));
    }
  }
}

TEST(CudaExecutor, GraphsAndTimedStepsAndOtherRunsGiveTheSameBits) {
  for (const char* id : kFamilies) {
    const Architecture a = model(id);
    const std::vector<Request> requests = requests_for(a);
    RunOptions o = options();
    o.time_every = 0;
    const RunResult first = on_device(a, layout("bf16"), requests, o);
    for (int run = 0; run < 2; ++run) {
      EXPECT_EQ(on_device(a, layout("bf16"), requests, o).logits_hash, first.logits_hash) << id;
    }
    EXPECT_EQ(on_device(a, layout("bf16"), requests, o, false).logits_hash, first.logits_hash) << id << " eager";
    o.time_every = 2;
    EXPECT_EQ(on_device(a, layout("bf16"), requests, o).logits_hash, first.logits_hash) << id << " timed";
    EXPECT_EQ(on_device(a, layout("bf16"), requests, o, false).logits_hash, first.logits_hash) << id << " eager, timed";
  }
}

TEST(CudaExecutor, RowsOfPaddingChangeNothing) {
  for (const char* id : {"llama", "qwen3-moe", "deepseek-v2-lite"}) {
    const Architecture a = model(id);
    const std::vector<Request> requests = requests_for(a, 5);  // beside three rows of padding
    RunOptions o = options();
    o.max_sequences = 16;
    expect_agreement(a, on_device(a, layout("bf16"), requests, o), on_host(a, layout("bf16"), requests, o),
                     fmt::format("{} five at once", id));
  }
}

TEST(CudaExecutor, ManySequencesTakeTheProductsOfManyRows) {
  for (const char* id : {"qwen2", "qwen3-moe", "deepseek-v3"}) {
    const Architecture a = model(id);
    std::vector<Request> requests = requests_for(a, 70);
    for (Request& r : requests) r.arrival = 0;
    RunOptions o = options(200);
    o.max_sequences = 70;
    o.all_logits = false;
    expect_agreement(a, on_device(a, layout("fp8"), requests, o), on_host(a, layout("fp8"), requests, o),
                     fmt::format("{} seventy at once", id));
  }
}

TEST(CudaExecutor, IsWarmBeforeRequestsComeByTheClock) {
  for (const char* id : {"llama", "deepseek-v2-lite"}) {
    const Architecture a = model(id);
    std::vector<Request> requests = requests_for(a);
    const RunResult host = on_host(a, layout("bf16"), requests, options());
    for (Request& r : requests) r.arrival *= 0.005;
    RunOptions o = options();
    o.clock = std::make_shared<WallClock>();
    expect_agreement(a, on_device(a, layout("bf16"), requests, o), host, fmt::format("{} by the clock", id));
  }
}

TEST(CudaExecutor, FreelySampledTextIsTheHosts) {
  const Architecture a = model("llama");
  std::vector<Request> requests = requests_for(a);
  for (Request& r : requests) r.forced.clear();
  RunOptions o = options();
  const RunResult host = on_host(a, layout("bf16"), requests, o), device = on_device(a, layout("bf16"), requests, o);
  int same = 0, all = 0;
  for (const auto& [request, tokens] : host.answers) {
    for (std::size_t i = 0; i < tokens.size(); ++i, ++all) same += device.answers.at(request)[i] == tokens[i];
  }
  EXPECT_GE(same, all * 3 / 4);  // one token that differs changes all after it
}

TEST(CudaExecutor, TimesOperatorsInStepsOfTheirOwn) {
  for (const char* id : {"llama", "deepseek-v3"}) {
    const Architecture a = model(id);
    Request r = requests_for(a).front();
    r.cached = true;
    r.output_tokens = 12;
    r.forced.clear();
    RunOptions o = options();
    o.all_logits = o.keep_logits = false;
    const RunResult run = on_device(a, layout("bf16"), {r}, o);
    int timed = 0;
    for (const StepRecord& step : run.traces.front().steps) {
      double inside = 0;
      for (const RowTime& row : step.rows) inside += row.seconds;
      EXPECT_EQ(step.timed, inside > 0);
      EXPECT_LT(inside, step.seconds);
      timed += step.timed;
    }
    EXPECT_EQ(timed, 3) << id;
  }
}

TEST(CudaExecutor, MadeUpCachesGiveFiniteLogits) {
  for (const char* id : kFamilies) {
    const Architecture a = model(id);
    Request r = requests_for(a).front();
    r.cached = true;
    const RunResult run = on_device(a, layout("bf16"), {r}, options());
    for (float x : run.logits.at(0)) ASSERT_TRUE(std::isfinite(x)) << id;
  }
}

TEST(CudaExecutor, RefusesWhatItDoesNotRun) {
  const auto message = [](const Architecture& a, const Layout& l, const RunOptions& o) -> std::string {
    try {
      on_device(a, l, requests_for(a), o);
    } catch (const std::exception& e) {
      return e.what();
    }
    return {};
  };
  Layout drafts = layout("bf16");
  drafts.mtp = true;
  Architecture with_module = model("deepseek-v3");
  with_module.mtp_modules = 1;
  EXPECT_NE(message(with_module, drafts, options()).find("drafts (MTP)"), std::string::npos);
  EXPECT_NE(message(tiny_model("llama"), {}, options()).find("heads of 16 values"), std::string::npos);
  RunOptions fp32 = options();
  fp32.cache = CacheFormat::kFp32;
  EXPECT_NE(message(model("llama"), {}, fp32).find("caches in another format"), std::string::npos);
}

}  // namespace
}  // namespace fathom
