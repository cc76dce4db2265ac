// The same model cut every way must give the same logits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "serve/engine.h"
#include "support/tiny_models.h"
#include "weights/integer.h"
#include "weights/synthetic.h"

namespace fathom {
namespace {

using testing::nmse;
using testing::some_tokens;
using testing::tiny_model;
using testing::tiny_models;

// A prompt in chunks, then decoding, several requests at once: everything that sharding could disturb.
std::vector<Request> requests_for(const Architecture& a) {
  std::vector<Request> requests;
  for (int i = 0; i < 3; ++i) {
    Request r{.id = i, .prompt = some_tokens(11 + 9 * i, a.vocab_size, i + 1), .output_tokens = 4, .arrival = 1.0 * i};
    r.forced = some_tokens(4, a.vocab_size, 100 + i);
    requests.push_back(r);
  }
  return requests;
}

RunOptions exact_options() {
  return {.max_sequences = 2,
          .chunk_tokens = 16,
          .cache = CacheFormat::kFp32,
          .all_logits = true,
          .keep_logits = true,
          .check_agreement = true,
          .communicator = {.timeout = std::chrono::seconds(60)}};
}

std::vector<Layout> layouts_up_to(int ranks, const Architecture& a) {
  std::vector<Layout> all;
  const std::vector<Tensor> list = tensors(a);
  for (int tp : {1, 2, 4, 8}) {
    for (int dp : {1, 2, 4, 8}) {
      for (int pp = 1; pp <= 8; ++pp) {
        for (int ep : {1, 2, 4, 8}) {
          Layout l{.tp = tp, .attention_dp = dp, .pp = pp, .ep = ep};
          if (tp * dp * pp > ranks || l.stage_width() % ep != 0) continue;
          if (illegal(a, list, l).empty()) all.push_back(l);
        }
      }
    }
  }
  return all;
}

// Deep enough for eight stages.
std::vector<Architecture> deep_models() {
  std::vector<Architecture> all = tiny_models();
  for (Architecture& a : all) {
    a.num_layers = 8;
    if (a.sliding_layers > 0) a.sliding_layers = 8;
  }
  return all;
}

std::string name(const Layout& l) { return fmt::format("tp{} dp{} pp{} ep{}", l.tp, l.attention_dp, l.pp, l.ep); }

TEST(Sharding, GivesTheLogitsOfTheUnshardedModel) {
  const SyntheticWeights weights(7);
  for (const Architecture& a : deep_models()) {
    const RunResult whole = run_engine(EngineModel(a, Layout{}), weights, requests_for(a), exact_options());
    ASSERT_EQ(whole.logits.size(), 3u) << a.id;
    for (const Layout& l : layouts_up_to(8, a)) {
      const RunResult cut = run_engine(EngineModel(a, l), weights, requests_for(a), exact_options());
      for (const auto& [request, logits] : whole.logits) {
        EXPECT_LT(nmse(cut.logits.at(request), logits), 1e-10) << a.id << " " << name(l) << " request " << request;
      }
    }
  }
}

TEST(Sharding, ChangesNoBitOfAnIntegerModel) {
  const IntegerWeights weights(3);
  for (const Architecture& a : deep_models()) {
    RunOptions options = exact_options();
    options.integers = true;
    const RunResult whole = run_engine(EngineModel(a, Layout{}), weights, requests_for(a), options);
    for (const Layout& l : layouts_up_to(8, a)) {
      const RunResult cut = run_engine(EngineModel(a, l), weights, requests_for(a), options);
      EXPECT_EQ(cut.logits_hash, whole.logits_hash) << a.id << " " << name(l);
      EXPECT_EQ(cut.answers, whole.answers) << a.id << " " << name(l);
    }
  }
}

TEST(Sharding, DealsExpertsByAnyMap) {
  Architecture a = tiny_model("deepseek-v3");
  const IntegerWeights weights(3);
  RunOptions options = exact_options();
  options.integers = true;
  const RunResult whole = run_engine(EngineModel(a, Layout{}), weights, requests_for(a), options);
  for (const Layout& l : {Layout{.tp = 4, .ep = 4}, Layout{.tp = 4, .ep = 2}, Layout{.attention_dp = 4, .ep = 4}}) {
    EngineModel model(a, l);
    model.experts = interleaved(a.moe->routed_experts, l.ep);
    EXPECT_EQ(run_engine(model, weights, requests_for(a), options).logits_hash, whole.logits_hash) << name(l);
  }
}

TEST(Sharding, GivesTheDraftsOfTheUnshardedModel) {
  Architecture a = tiny_model("deepseek-v3");
  const SyntheticWeights weights(7);
  Request prompt;
  prompt.prompt = some_tokens(40, a.vocab_size);
  const RunResult whole = run_engine(EngineModel(a, {.mtp = true}), weights, {prompt}, exact_options());
  for (Layout l : layouts_up_to(8, a)) {
    l.mtp = true;
    if (l.attention_dp > 1) continue;  // one request: the other groups have no rows to draft from
    const RunResult cut = run_engine(EngineModel(a, l), weights, {prompt}, exact_options());
    EXPECT_LT(nmse(cut.draft_logits.at(0), whole.draft_logits.at(0)), 1e-10) << name(l);
  }
}

}  // namespace
}  // namespace fathom
