// The table that a plan carries against the timer that it was made with, at points between those of the table.
#include "plan/step_times.h"

#include <gtest/gtest.h>

#include <cmath>

#include "simulate/random.h"
#include "support/planning.h"

namespace fathom {
namespace {

struct Case {
  const char *model, *part, *weights;
  Layout layout;
};

std::vector<Case> cases() {
  return {{"llama-3.1-8b", "nvidia-h100-sxm5-80gb", "bf16", {}},
          {"llama-3.1-70b", "nvidia-h100-sxm5-80gb", "fp8", {.tp = 4}},
          {"llama-3.1-70b", "nvidia-h100-sxm5-80gb", "bf16", {.tp = 2, .pp = 4}},
          {"deepseek-r1", "nvidia-h200-sxm5-141gb", "fp8", {.tp = 8}},
          {"deepseek-r1", "nvidia-h200-sxm5-141gb", "fp8", {.tp = 1, .attention_dp = 8, .ep = 8}},
          {"qwen3-30b-a3b", "nvidia-h100-sxm5-80gb", "bf16", {.tp = 2, .ep = 2}},
          {"gpt-oss-120b", "nvidia-h100-sxm5-80gb", "bf16", {.tp = 4}}};
}

double logarithmic(Random& random, double low, double high) {
  return std::round(low * std::pow(high / low, random.uniform()));
}

TEST(StepTimes, AreWithinThreePercentOfTheTimerBetweenTheirPoints) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(std::string(c.model) + " on " + c.part);
    TestCluster cluster({.accelerator = c.part});
    const Architecture a = shipped().model(c.model);
    const std::vector<Tensor> list = tensors(a);
    Layout layout = c.layout;
    layout.weights = scheme(c.weights);
    const std::vector<Stage> cut = stages(a, list, layout);
    const EngineProfile e = engine();
    const ReplicaTimer timer(a, list, layout, cut, device_rates(cluster.pool(), e), host_work(e));
    const double longest = 100'000, most = e.chunk_tokens * layout.attention_dp * layout.pp;
    const StepTimes times = step_times(a, list, layout, device_rates(cluster.pool(), e), host_work(e), e.chunk_tokens,
                                       longest, PoolPart::kServe);
    Random random(3);
    double worst[3] = {0, 0, 0};
    for (int i = 0; i < 600; ++i) {
      StepWork mixed{.sequences = std::min(logarithmic(random, 1, 1000), most - 1),
                     .context = logarithmic(random, 20, longest),
                     .prompt_tokens = logarithmic(random, 1, most),
                     .prompt_context = logarithmic(random, 1, longest) - 1};
      mixed.prompt_tokens = std::max(1.0, std::min(mixed.prompt_tokens, most - mixed.sequences));
      const StepWork works[3] = {{.sequences = mixed.sequences, .context = mixed.context},
                                 {.prompt_tokens = mixed.prompt_tokens, .prompt_context = mixed.prompt_context},
                                 mixed};
      for (int k = 0; k < 3; ++k) {
        const double exact = round_time(timer, layout, e.chunk_tokens, works[k]).value;
        worst[k] = std::max(worst[k], std::abs(times.seconds(works[k]) / exact - 1));
      }
    }
    EXPECT_LT(worst[0], 0.03);
    EXPECT_LT(worst[1], 0.03);
    EXPECT_LT(worst[2], 0.03);
  }
}

// What the plan predicts of a decode step and of a prompt is what the table says of them.
TEST(StepTimes, AgreeWithThePlansOwnTimes) {
  TestCluster cluster({.accelerator = "nvidia-h100-sxm5-80gb"});
  const Architecture a = shipped().model("llama-3.1-70b");
  const std::vector<Tensor> list = tensors(a);
  for (const Layout& degrees : {Layout{.tp = 4}, Layout{.tp = 2, .pp = 4}}) {
    Layout layout = degrees;
    layout.weights = scheme("fp8");
    const std::vector<Stage> cut = stages(a, list, layout);
    const EngineProfile e = engine();
    const ReplicaTimer timer(a, list, layout, cut, device_rates(cluster.pool(), e), host_work(e));
    for (const double n : {1.0, 5.0, 64.0}) {
      EXPECT_NEAR(round_time(timer, layout, e.chunk_tokens, {.sequences = n, .context = 2000}).value,
                  timer.decode_step(n, 2000).value, 1e-9);
    }
    EXPECT_NEAR(round_time(timer, layout, e.chunk_tokens, {.prompt_tokens = 1000}).value,
                timer.prefill(1000, 0, e.chunk_tokens).latency.value, 1e-9);
  }
}

}  // namespace
}  // namespace fathom
