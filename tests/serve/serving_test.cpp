// How requests are batched, cut and drafted must not change what they get.
#include <gtest/gtest.h>

#include "cache/kv_cache.h"
#include "serve/engine.h"
#include "support/tiny_models.h"
#include "weights/synthetic.h"

namespace fathom {
namespace {

using testing::nmse;
using testing::some_tokens;
using testing::tiny_model;
using testing::tiny_models;

const SyntheticWeights kWeights(5);

RunOptions options(int chunk = 256) {
  RunOptions o;
  o.chunk_tokens = chunk;
  o.cache = CacheFormat::kFp32;
  o.keep_logits = true;
  return o;
}

Request request(const Architecture& a, int prompt, int output, int id = 0) {
  Request r;
  r.id = id;
  r.prompt = some_tokens(prompt, a.vocab_size, id + 1);
  r.output_tokens = output;
  return r;
}

std::vector<float> last_row(const RunResult& run, int vocabulary) {
  const std::vector<float>& all = run.logits.at(0);
  return {all.end() - vocabulary, all.end()};
}

TEST(Serving, APromptAndOneDecodedTokenEqualALongerPrompt) {
  for (const Architecture& a : tiny_models()) {
    for (int n : {1, 15, 63, 64, 65, 130}) {
      Request decoded = request(a, n + 1, 2);
      decoded.forced = {decoded.prompt.back()};
      decoded.prompt.pop_back();
      const RunResult step = run_engine(EngineModel(a, Layout{}), kWeights, {decoded}, options());
      const RunResult whole = run_engine(EngineModel(a, Layout{}), kWeights, {request(a, n + 1, 1)}, options());
      // With latent attention this is also: absorbed decoding equals naive prompt.
      EXPECT_LT(nmse(last_row(step, a.vocab_size), last_row(whole, a.vocab_size)), 1e-11) << a.id << " " << n;
    }
  }
}

TEST(Serving, AChunkedPromptEqualsAWholeOne) {
  for (const Architecture& a : tiny_models()) {
    const RunResult whole = run_engine(EngineModel(a, Layout{}), kWeights, {request(a, 150, 1)}, options());
    for (int chunk : {1, 7, 64, 149}) {
      const RunResult cut = run_engine(EngineModel(a, Layout{}), kWeights, {request(a, 150, 1)}, options(chunk));
      EXPECT_LT(nmse(cut.logits.at(0), whole.logits.at(0)), 1e-11) << a.id << " " << chunk;
    }
  }
}

TEST(Serving, ThreeRunsGiveTheSameHash) {
  const Architecture a = tiny_model("deepseek-v3");
  const Layout layout{.tp = 2, .attention_dp = 2, .pp = 2, .ep = 4};
  const std::vector<Request> requests = {request(a, 40, 6, 0), request(a, 9, 6, 1), request(a, 70, 6, 2)};
  RunOptions o = options(32);
  o.max_sequences = 2;
  const RunResult first = run_engine(EngineModel(a, layout), kWeights, requests, o);
  for (int run = 0; run < 2; ++run) {
    EXPECT_EQ(run_engine(EngineModel(a, layout), kWeights, requests, o).logits_hash, first.logits_hash);
  }
  EXPECT_NE(run_engine(EngineModel(a, layout), SyntheticWeights(6), requests, o).logits_hash, first.logits_hash);
}

TEST(Serving, ARequestsAnswerDoesNotDependOnItsNeighbours) {
  for (const Architecture& a : {tiny_model("qwen2"), tiny_model("deepseek-v3")}) {
    std::vector<Request> all;
    for (int i = 0; i < 7; ++i) all.push_back(request(a, 5 + 11 * i, 3 + i, i));
    RunOptions together = options(24);
    together.max_sequences = 3;
    const RunResult batched = run_engine(EngineModel(a, Layout{}), kWeights, all, together);
    ASSERT_EQ(batched.answers.size(), all.size());
    for (const Request& r : all) {
      const RunResult alone = run_engine(EngineModel(a, Layout{}), kWeights, {r}, options());
      EXPECT_EQ(batched.answers.at(r.id), alone.answers.at(r.id)) << a.id << " request " << r.id;
      EXPECT_EQ(batched.answers.at(r.id).size(), static_cast<std::size_t>(r.output_tokens));
    }
  }
}

TEST(Serving, SeededSamplingRepeatsAndDependsOnTheSeed) {
  const Architecture a = tiny_model("qwen3");
  RunOptions o = options();
  o.sampling = {.temperature = 1, .seed = 11};
  const std::vector<Request> requests = {request(a, 10, 12, 0), request(a, 30, 12, 1)};
  const auto answers = run_engine(EngineModel(a, Layout{}), kWeights, requests, o).answers;
  o.max_sequences = 2;
  EXPECT_EQ(run_engine(EngineModel(a, Layout{}), kWeights, requests, o).answers, answers);
  EXPECT_EQ(run_engine(EngineModel(a, {.tp = 4}), kWeights, requests, o).answers, answers);
  o.sampling.seed = 12;
  EXPECT_NE(run_engine(EngineModel(a, Layout{}), kWeights, requests, o).answers, answers);
}

TEST(Serving, DraftingNeverChangesTheText) {
  const Architecture a = tiny_model("deepseek-v3");
  std::vector<Request> requests;
  for (int i = 0; i < 4; ++i) requests.push_back(request(a, 8 + 13 * i, 9, i));
  for (double temperature : {0.0, 1.0}) {
    RunOptions o = options(16);
    o.max_sequences = 3;
    o.sampling = {.temperature = temperature, .seed = 4};
    const auto plain = run_engine(EngineModel(a, Layout{}), kWeights, requests, o).answers;
    for (const Layout& l : {Layout{.mtp = true}, Layout{.tp = 2, .pp = 2, .ep = 2, .mtp = true},
                            Layout{.attention_dp = 4, .ep = 4, .mtp = true}}) {
      EXPECT_EQ(run_engine(EngineModel(a, l), kWeights, requests, o).answers, plain) << short_name(l);
    }
  }
}

TEST(Serving, AFullCacheMakesRequestsWait) {
  const Architecture a = tiny_model("llama");
  std::vector<Request> requests;
  for (int i = 0; i < 5; ++i) requests.push_back(request(a, 60, 10, i));
  RunOptions o = options();
  o.max_sequences = 5;
  const RunResult roomy = run_engine(EngineModel(a, Layout{}), kWeights, requests, o);
  o.cache_tokens = 2 * KvCache::kBlockTokens;  // one request at a time
  const RunResult tight = run_engine(EngineModel(a, Layout{}), kWeights, requests, o);
  EXPECT_EQ(tight.answers, roomy.answers);
  EXPECT_GT(tight.rounds, roomy.rounds);
}

TEST(Serving, WhatCanNeverRunIsRefusedBeforeItStarts) {
  const Architecture a = tiny_model("llama");
  const auto refused = [&](const Request& r, const RunOptions& o) {
    EXPECT_THROW(run_engine(EngineModel(a, Layout{}), kWeights, {r}, o), std::invalid_argument);
  };
  RunOptions small = options();
  small.cache_tokens = KvCache::kBlockTokens;
  refused(request(a, 100, 1), small);
  refused(Request{}, options());
  Request foreign = request(a, 5, 1);
  foreign.prompt[2] = a.vocab_size;
  refused(foreign, options());
}

TEST(Serving, QuantisedCachesStayClose) {
  for (const Architecture& a : {tiny_model("qwen3"), tiny_model("deepseek-v3")}) {
    const RunResult exact = run_engine(EngineModel(a, Layout{}), kWeights, {request(a, 100, 1)}, options(30));
    RunOptions o = options(30);
    o.cache = CacheFormat::kBf16;
    const double bf16 =
        nmse(run_engine(EngineModel(a, Layout{}), kWeights, {request(a, 100, 1)}, o).logits.at(0), exact.logits.at(0));
    o.cache = CacheFormat::kFp8;
    const double fp8 =
        nmse(run_engine(EngineModel(a, Layout{}), kWeights, {request(a, 100, 1)}, o).logits.at(0), exact.logits.at(0));
    EXPECT_GT(bf16, 0) << a.id;
    EXPECT_LT(bf16, 1e-4) << a.id;  // 2^-9 per value, squared, and some for routers that turn
    EXPECT_GT(fp8, bf16) << a.id;
    EXPECT_LT(fp8, 0.05) << a.id;
  }
}

TEST(Serving, EveryWeightFormatRuns) {
  Architecture a = tiny_model("deepseek-v3");
  a.hidden_size = 256;  // block formats need multiples of 128
  a.intermediate_size = a.moe->intermediate_size = 128;
  a.mla->q_lora_rank = a.mla->kv_lora_rank = 128;
  a.mla->v_head_dim = 16;
  for (const char* scheme : {"fp8", "int4-experts+fp8"}) {
    Layout whole{.weights = *find_weight_scheme(scheme)}, cut = whole;
    cut.attention_dp = cut.ep = 4;
    const RunResult one = run_engine(EngineModel(a, whole), kWeights, {request(a, 20, 3)}, options());
    const RunResult four = run_engine(EngineModel(a, cut), kWeights, {request(a, 20, 3)}, options());
    EXPECT_LT(nmse(four.logits.at(0), one.logits.at(0)), 1e-10) << scheme;
  }
}

TEST(Serving, AModelThatTheEngineCannotRunIsRefusedByName) {
  Architecture a = tiny_model("llama");
  a.sinks = true;
  try {
    EngineModel(a, Layout{});
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find("attention sinks"), std::string::npos);
  }
  a.sinks = false;
  a.family = "glm4_moe";  // rotates half of each head
  EXPECT_THROW(EngineModel(a, Layout{}), std::invalid_argument);
}

TEST(Serving, AFailingRankIsNamedWithItsOperator) {
  const Architecture a = tiny_model("deepseek-v3");
  RunOptions o = options();
  o.communicator.timeout = std::chrono::milliseconds(500);
  for (Fault::Kind kind : {Fault::Kind::kThrow, Fault::Kind::kHang}) {
    o.fault = Fault{.rank = 2, .operator_name = "moe.experts.down", .layer = 1, .kind = kind};
    try {
      run_engine(EngineModel(a, {.tp = 4, .ep = 2}), kWeights, {request(a, 20, 3)}, o);
      FAIL();
    } catch (const RankFailure& e) {
      const std::string what = e.what();
      EXPECT_NE(what.find("rank 2"), std::string::npos) << what;
      EXPECT_NE(what.find("moe.experts.down of layer 1"), std::string::npos) << what;
    }
  }
}

}  // namespace
}  // namespace fathom
