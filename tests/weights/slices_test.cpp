#include "weights/slices.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <stdexcept>

namespace fathom {
namespace {

// Four layers, the first dense, eight experts, one MTP module: small enough to count every element.
Architecture small_deepseek() {
  Architecture a;
  a.family = "deepseek_v3";
  a.hidden_size = 16;
  a.num_layers = 4;
  a.num_heads = a.num_kv_heads = 4;
  a.head_dim = 6;
  a.intermediate_size = 24;
  a.vocab_size = 37;
  a.mla = Mla{.q_lora_rank = 8, .kv_lora_rank = 4, .qk_nope_head_dim = 4, .qk_rope_head_dim = 2, .v_head_dim = 4};
  a.moe = Moe{.routed_experts = 8,
              .experts_per_token = 2,
              .shared_experts = 1,
              .intermediate_size = 8,
              .first_k_dense = 1,
              .correction_bias = true};
  a.mtp_modules = 1;
  return a;
}

Architecture small_qwen() {
  Architecture a;
  a.family = "qwen2";
  a.hidden_size = 16;
  a.num_layers = 3;
  a.num_heads = 4;
  a.num_kv_heads = 2;
  a.head_dim = 4;
  a.intermediate_size = 24;
  a.vocab_size = 37;
  a.tied_embeddings = true;
  a.attention_bias = AttentionBias::kQkv;
  return a;
}

using Rank = std::vector<TensorSlice>;

// Of every rank of a replica, stage by stage.
std::vector<Rank> all_ranks(const Architecture& a, const Layout& layout, const ExpertMap& map) {
  const std::vector<Tensor> list = tensors(a);
  std::vector<Rank> ranks;
  for (const Stage& stage : stages(a, list, layout)) {
    for (int rank = 0; rank < layout.stage_width(); ++rank) {
      ranks.push_back(rank_slices(a, list, layout, stage, rank, map));
    }
  }
  return ranks;
}

std::set<std::string> names(const Rank& rank) {
  std::set<std::string> found;
  for (const TensorSlice& s : rank) found.insert(s.name);
  return found;
}

// How many ranks hold each element.
std::map<std::string, std::vector<int>> coverage(const std::vector<Rank>& ranks) {
  std::map<std::string, std::vector<int>> held;
  for (const Rank& rank : ranks) {
    for (const TensorSlice& s : rank) {
      std::vector<int>& counts = held[s.name];
      counts.resize(static_cast<std::size_t>(s.rows * s.cols));
      for (std::int64_t r = s.row; r < s.row + s.row_count; ++r) {
        for (std::int64_t c = s.col; c < s.col + s.col_count; ++c)
          ++counts.at(static_cast<std::size_t>(r * s.cols + c));
      }
    }
  }
  return held;
}

TEST(Slices, TheRanksOfAReplicaHoldEveryElementEquallyOften) {
  const Architecture a = small_deepseek();
  const std::set<std::string> all = names(all_ranks(a, {.mtp = true}, contiguous(8, 1)).front());
  for (const Layout& layout :
       {Layout{.tp = 2, .mtp = true}, Layout{.tp = 4, .mtp = true}, Layout{.tp = 2, .ep = 2, .mtp = true},
        Layout{.tp = 4, .ep = 2, .mtp = true}, Layout{.tp = 2, .attention_dp = 2, .ep = 4, .mtp = true},
        Layout{.tp = 2, .pp = 2, .ep = 1, .mtp = true},
        Layout{.tp = 2, .attention_dp = 2, .pp = 4, .ep = 2, .mtp = true}}) {
    const auto held = coverage(all_ranks(a, layout, contiguous(8, layout.ep)));
    EXPECT_EQ(held.size(), all.size()) << short_name(layout);
    for (const auto& [name, counts] : held) {
      EXPECT_TRUE(all.contains(name)) << name;
      EXPECT_GE(counts.front(), 1) << name;
      for (int count : counts) ASSERT_EQ(count, counts.front()) << name << " in " << short_name(layout);
    }
  }
}

// Two KV heads over four ranks: neighbours hold copies of one.
TEST(Slices, KvHeadsAreCopiedBeyondOnePerRank) {
  const Layout layout{.tp = 4};
  const auto ranks = all_ranks(small_qwen(), layout, {});
  std::vector<std::int64_t> first_rows;
  for (const Rank& rank : ranks) {
    for (const TensorSlice& s : rank) {
      if (s.name == "model.layers.1.self_attn.k_proj.weight") first_rows.push_back(s.row);
    }
  }
  EXPECT_EQ(first_rows, (std::vector<std::int64_t>{0, 0, 4, 4}));
}

TEST(Slices, NamesAreThoseOfTheCheckpoint) {
  const std::set<std::string> all = names(all_ranks(small_deepseek(), {.mtp = true}, contiguous(8, 1)).front());
  for (const char* name :
       {"model.embed_tokens.weight", "model.layers.0.mlp.gate_proj.weight",
        "model.layers.3.mlp.experts.7.down_proj.weight", "model.layers.1.mlp.gate.e_score_correction_bias",
        "model.layers.1.mlp.shared_experts.up_proj.weight", "model.layers.4.eh_proj.weight",
        "model.layers.4.mlp.experts.0.gate_proj.weight", "model.norm.weight", "lm_head.weight"}) {
    EXPECT_TRUE(all.contains(name)) << name;
  }
  for (const char* name : {"model.layers.0.mlp.gate.weight", "model.layers.1.mlp.gate_proj.weight",
                           "model.layers.4.embed_tokens.weight", "model.layers.4.shared_head.head.weight"}) {
    EXPECT_FALSE(all.contains(name)) << name;
  }
}

TEST(Slices, MixtralHasItsOwnNamesForExperts) {
  Architecture a = small_qwen();
  a.family = "mixtral";
  a.moe = Moe{.routed_experts = 2, .experts_per_token = 1, .intermediate_size = 8};
  const Rank rank = all_ranks(a, {}, contiguous(2, 1)).front();
  std::map<std::string, const TensorSlice*> by_name;
  for (const TensorSlice& s : rank) by_name[s.name] = &s;
  ASSERT_TRUE(by_name.contains("model.layers.0.block_sparse_moe.gate.weight"));
  const TensorSlice& gate = *by_name.at("model.layers.2.block_sparse_moe.experts.1.w1.weight");
  const TensorSlice& up = *by_name.at("model.layers.2.block_sparse_moe.experts.1.w3.weight");
  const TensorSlice& down = *by_name.at("model.layers.2.block_sparse_moe.experts.1.w2.weight");
  EXPECT_EQ(gate.op, "moe.experts.gate_up");
  EXPECT_LT(&gate, &up);  // gate first, as everywhere
  EXPECT_EQ(up.rows, 8);
  EXPECT_EQ(down.op, "moe.experts.down");
  EXPECT_EQ(down.cols, 8);
  EXPECT_EQ(down.layer, 2);
  EXPECT_EQ(down.expert, 1);
}

TEST(Slices, ModulesThatDraftAreLoadedOnlyWhenTheyDraft) {
  const Architecture a = small_deepseek();
  for (const std::string& name : names(all_ranks(a, {}, contiguous(8, 1)).front())) {
    EXPECT_FALSE(name.starts_with("model.layers.4.")) << name;
  }
  const auto ranks = all_ranks(a, {.pp = 2, .mtp = true}, contiguous(8, 1));
  EXPECT_FALSE(names(ranks[0]).contains("model.layers.4.eh_proj.weight"));
  EXPECT_TRUE(names(ranks[1]).contains("model.layers.4.eh_proj.weight"));
}

TEST(Slices, ATiedHeadIsLoadedWhereTheHeadIs) {
  const auto ranks = all_ranks(small_qwen(), {.tp = 2, .pp = 3}, {});
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const bool middle = rank / 2 == 1;
    EXPECT_EQ(names(ranks[rank]).contains("model.embed_tokens.weight"), !middle);
    EXPECT_FALSE(names(ranks[rank]).contains("lm_head.weight"));
    EXPECT_EQ(names(ranks[rank]).contains("model.norm.weight"), rank / 2 == 2);
  }
  const Rank whole = all_ranks(small_qwen(), {}, {}).front();
  EXPECT_EQ(names(whole).size(), whole.size()) << "nothing is loaded twice";
}

TEST(Slices, ExpertsLieWhereTheMapPutsThem) {
  const Architecture a = small_deepseek();
  const Layout layout{.tp = 4, .ep = 2};  // two ranks share each run of experts
  const auto ranks = all_ranks(a, layout, interleaved(8, 2));
  for (int rank = 0; rank < 4; ++rank) {
    std::set<int> experts;
    for (const TensorSlice& s : ranks[static_cast<std::size_t>(rank)]) {
      if (s.layer != 2 || s.expert < 0) continue;
      experts.insert(s.expert);
      EXPECT_EQ(s.op == "moe.experts.down" ? s.col : s.row, rank % 2 * 4);
    }
    EXPECT_EQ(experts, rank < 2 ? (std::set<int>{0, 2, 4, 6}) : (std::set<int>{1, 3, 5, 7}));
  }
}

TEST(ExpertMap, DealsOutEvenlyOrRefuses) {
  EXPECT_EQ(contiguous(8, 2).experts_of(1), (std::vector<int>{4, 5, 6, 7}));
  EXPECT_EQ(interleaved(8, 4).experts_of(1), (std::vector<int>{1, 5}));
  EXPECT_EQ(listed({1, 0, 0, 1}, 2).experts_of(1), (std::vector<int>{0, 3}));
  EXPECT_THROW(contiguous(8, 3), std::invalid_argument);
  EXPECT_THROW(interleaved(8, 0), std::invalid_argument);
  EXPECT_THROW(listed({0, 0, 0, 1}, 2), std::invalid_argument);
  EXPECT_THROW(listed({0, 2}, 2), std::invalid_argument);
  EXPECT_THROW(listed({0, -1}, 2), std::invalid_argument);
}

TEST(Slices, RefuseAnotherModelsExpertMapAndRanksThatAreNotThere) {
  const Architecture a = small_deepseek();
  const Layout layout{.tp = 2};
  const std::vector<Tensor> list = tensors(a);
  const Stage stage = stages(a, list, layout).front();
  EXPECT_THROW(rank_slices(a, list, layout, stage, 0, contiguous(4, 1)), std::invalid_argument);
  EXPECT_THROW(rank_slices(a, list, layout, stage, 2, contiguous(8, 1)), std::invalid_argument);
}

}  // namespace
}  // namespace fathom
