// Which cuts are legal, what each rank gets, and how layers are dealt to pipeline stages.
#include "layout/layout.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/planning.h"

namespace fathom {
namespace {

std::string refusal(const std::string& model, const Layout& l) {
  const ModelEntry& m = shipped().model(model);
  return illegal(m, tensors(m), l);
}

TEST(Illegal, NamesTheNumberThatDoesNotDivide) {
  EXPECT_EQ(refusal("qwen2.5-32b", {.tp = 8}), "");
  EXPECT_EQ(refusal("qwen2.5-32b", {.tp = 16}), "40 attention heads do not divide by TP 16");
  EXPECT_EQ(refusal("qwen2.5-32b", {.pp = 65}), "65 pipeline stages for 64 layers");
  EXPECT_EQ(refusal("qwen2.5-32b", {.tp = 2, .ep = 2}), "no experts to spread over attention-DP or EP ranks");
  EXPECT_EQ(refusal("qwen2.5-7b", {.tp = 7}), "4 KV heads neither divide by TP 7 nor repeat evenly");
  EXPECT_EQ(refusal("deepseek-r1", {.tp = 4, .ep = 3}), "EP 3 does not divide the 4 ranks of a stage");
  EXPECT_EQ(refusal("llama-3.1-8b", {.mtp = true}), "the model has no MTP module");
}

// R1 in fp8: 2,048 / 16 = 128 is one tile, 2,048 / 32 would cut it; heads come in 192 and 256 rows, so 128 / 128 = 1 head
// of 192 rows cuts a tile of W_qb while two heads, 384 rows, do not.
TEST(Illegal, KeepsBlocksOfScalesWhole) {
  EXPECT_EQ(refusal("deepseek-r1", {.tp = 16, .weights = scheme("fp8")}), "");
  EXPECT_NE(refusal("deepseek-r1", {.tp = 32, .weights = scheme("fp8")}), "");
  EXPECT_EQ(refusal("deepseek-r1", {.tp = 32, .ep = 32, .weights = scheme("bf16")}), "");
  EXPECT_NE(refusal("deepseek-r1", {.tp = 128, .ep = 128, .weights = scheme("fp8")}), "");
  EXPECT_EQ(refusal("deepseek-r1", {.tp = 32, .weights = scheme("bf16")}), "");
}

// 151,936 rows over 7 ranks: 21,705 each and one row over. Qwen2.5's 152,064 rows divide by 8.
TEST(Shard, VocabularySharesDifferByOneRowAtMost) {
  for (const ModelEntry& model : shipped().all<ModelEntry>()) {
    const Tensor embedding = tensors(model).front();
    for (int tp : {1, 2, 3, 7, 8, 16}) {
      double sum = 0;
      for (int rank = 0; rank < tp; ++rank) {
        const double rows = shard(embedding, model, {.tp = tp}, rank).rows;
        EXPECT_NEAR(rows, model.vocab_size / tp, 1);
        EXPECT_LE(rows, shard(embedding, model, {.tp = tp}, 0).rows);
        sum += rows;
      }
      EXPECT_EQ(sum, model.vocab_size);
    }
  }
}

double stage_bytes(const ModelEntry& model, const std::vector<Tensor>& list, const Layout& l, const Stage& stage) {
  double sum = 0;
  for (const Tensor& t : list)
    sum += stored_bytes(shard(t, model, l, 0), t, l.weights).value * layers_with(stage, l, model, t);
  return sum;
}

TEST(Stages, HoldEveryLayerOnceInOrder) {
  for (const ModelEntry& model : shipped().all<ModelEntry>()) {
    const std::vector<Tensor> list = tensors(model);
    for (int pp = 1; pp <= model.num_layers; ++pp) {
      const Layout l{.pp = pp};
      const std::vector<Stage> cut = stages(model, list, l);
      ASSERT_EQ(static_cast<int>(cut.size()), pp);
      int next = 0, dense = 0, windows = 0;
      for (const Stage& s : cut) {
        EXPECT_EQ(s.first_layer, next);
        EXPECT_GE(s.layers, 1) << model.id << " PP" << pp;
        EXPECT_EQ(s.layers, s.dense_layers + s.moe_layers);
        next += s.layers;
        dense += s.dense_layers;
        windows += s.window_layers;
      }
      EXPECT_EQ(next, model.num_layers);
      EXPECT_EQ(dense, model.dense_layers());
      EXPECT_EQ(windows, model.sliding_window > 0 ? model.sliding_layers : 0) << model.id;
      EXPECT_TRUE(cut.front().has_embedding && cut.back().has_head);
    }
  }
}

// By exhaustion on a model small enough for it: every way to cut 27 layers in three.
TEST(Stages, MakeTheHeaviestStageAsLightAsPossible) {
  const ModelEntry& model = shipped().model("deepseek-v2-lite");
  const std::vector<Tensor> list = tensors(model);
  const Layout l{.pp = 3};
  const auto heaviest = [&](const std::vector<Stage>& cut) {
    double most = 0;
    for (const Stage& s : cut) most = std::max(most, stage_bytes(model, list, l, s));
    return most;
  };
  double best = 1e300;
  for (int first = 1; first < 26; ++first) {
    for (int second = 1; first + second < 27; ++second) {
      const auto run = [&](int index, int from, int count) {
        Stage s{
            .index = index, .first_layer = from, .layers = count, .has_embedding = index == 0, .has_head = index == 2};
        s.dense_layers = from == 0 ? 1 : 0;
        s.moe_layers = count - s.dense_layers;
        return s;
      };
      best = std::min(best,
                      heaviest({run(0, 0, first), run(1, first, second), run(2, first + second, 27 - first - second)}));
    }
  }
  EXPECT_DOUBLE_EQ(heaviest(stages(model, list, l)), best);
}

TEST(ShortName, SaysWhatDiffersFromOneDevice) {
  EXPECT_EQ(short_name({}), "TP1 x1, bf16 weights, bf16 KV");
  EXPECT_EQ(short_name({.tp = 4,
                        .attention_dp = 2,
                        .pp = 3,
                        .ep = 8,
                        .replicas = 5,
                        .weights = scheme("fp8"),
                        .kv = KvFormat::kFp8,
                        .mtp = true}),
            "TP4 DP-attention2 EP8 PP3 x5, fp8 weights, fp8 KV, MTP");
}

}  // namespace
}  // namespace fathom
