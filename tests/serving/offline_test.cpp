// What benchmarks do, in closed form: all of them agree on one request, and on what the host adds.
#include "serving/offline.h"

#include <gtest/gtest.h>

#include "support/planning.h"

namespace fathom {
namespace {

class Offline : public ::testing::Test {
 protected:
  static ReplicaTimer timer(const EngineProfile& engine) {
    static const TestCluster cluster(Machines{.per_node = 1});
    return ReplicaTimer(architecture(), list(), layout(), stages(architecture(), list(), layout()),
                        device_rates(cluster.pool(), engine), host_work(engine));
  }
  static const Architecture& architecture() {
    static const Architecture a = shipped().model("llama-3.1-8b");
    return a;
  }
  static const std::vector<Tensor>& list() {
    static const std::vector<Tensor> t = tensors(architecture());
    return t;
  }
  static const Layout& layout() {
    static const Layout one = [] {
      Layout l;
      l.weights = scheme("bf16");
      return l;
    }();
    return one;
  }
  static EngineProfile engine_with(Seconds request_overhead) {
    EngineProfile e = engine("vllm");
    e.request_overhead.value = request_overhead;
    return e;
  }

  const OfflineLoad load_ = {.requests = 1, .input = 1000, .output = 200, .context = 1100};
};

TEST_F(Offline, OneRequestIsASingleStreamHoweverItComes) {
  const EngineProfile e = engine("vllm");
  const ReplicaTimer t = timer(e);
  const OfflineRun single = single_stream(t, e, load_);
  const OfflineRun batch = static_batch(t, e, layout(), load_), crowd = burst(t, e, layout(), load_, 64);
  EXPECT_DOUBLE_EQ(batch.ttft.value, single.ttft.value);
  EXPECT_DOUBLE_EQ(batch.tpot.value, single.tpot.value);
  EXPECT_DOUBLE_EQ(batch.wall.value, single.wall.value);
  EXPECT_DOUBLE_EQ(batch.output_tok_per_s, single.output_tok_per_s);
  EXPECT_NEAR(crowd.ttft.value, single.ttft.value, 1e-9 * single.ttft.value);
  EXPECT_NEAR(crowd.tpot.value, single.tpot.value, 1e-9 * single.tpot.value);
}

TEST_F(Offline, TheHostsWorkOnARequestIsPaidOnce) {
  const EngineProfile quick = engine_with(Seconds(0)), slow = engine_with(Seconds(1));
  const ReplicaTimer t = timer(quick);
  const auto paid = [&](const char* what, const OfflineRun& with, const OfflineRun& without) {
    EXPECT_NEAR((with.ttft - without.ttft).value, 1, 1e-9) << what;
    EXPECT_NEAR((with.wall - without.wall).value, without.wall > Seconds(0) ? 1 : 0, 1e-9) << what;
    EXPECT_DOUBLE_EQ(with.tpot.value, without.tpot.value) << what;
    EXPECT_DOUBLE_EQ(with.prefill.value, without.prefill.value) << what;
  };
  OfflineLoad many = load_;
  many.requests = 32;
  paid("single stream", single_stream(t, slow, load_), single_stream(t, quick, load_));
  paid("static batch", static_batch(t, slow, layout(), many), static_batch(t, quick, layout(), many));
  paid("burst", burst(t, slow, layout(), many, 64), burst(t, quick, layout(), many, 64));
  paid("burst beyond the places", burst(t, slow, layout(), many, 8), burst(t, quick, layout(), many, 8));
  many.requests = 0;
  paid("endless queue", burst(t, slow, layout(), many, 64), burst(t, quick, layout(), many, 64));
}

TEST_F(Offline, AcceptedDraftsShareAStep) {
  const EngineProfile e = engine("vllm");
  const ReplicaTimer t = timer(e);
  OfflineLoad drafted = load_;
  drafted.tokens_per_step = 2;
  EXPECT_NEAR(single_stream(t, e, drafted).tpot / single_stream(t, e, load_).tpot, 0.5, 1e-12);
  EXPECT_NEAR(static_batch(t, e, layout(), drafted).tpot / static_batch(t, e, layout(), load_).tpot, 0.5, 1e-12);
  EXPECT_GT(burst(t, e, layout(), drafted, 64).output_tok_per_s, burst(t, e, layout(), load_, 64).output_tok_per_s);
}

}  // namespace
}  // namespace fathom
