// A catalogued language model: its architecture, and what its developer publishes about it.
#pragma once

#include <array>
#include <string_view>

#include "catalog/field.h"
#include "model/architecture.h"

namespace fathom {

constexpr std::array<std::string_view, 3> words(AttentionBias) { return {"none", "qkv", "qkvo"}; }
constexpr std::array<std::string_view, 3> words(RouterScoring) { return {"softmax", "sigmoid", "softmax-of-selected"}; }

template <class Visit, Is<Mla> M>
void fields(Visit& visit, M& mla) {
  visit.defaulted("q_lora_rank", mla.q_lora_rank, between(1, 100'000));
  visit("kv_lora_rank", mla.kv_lora_rank, between(1, 100'000));
  visit("qk_nope_head_dim", mla.qk_nope_head_dim, between(1, 10'000));
  visit("qk_rope_head_dim", mla.qk_rope_head_dim, between(1, 10'000));
  visit("v_head_dim", mla.v_head_dim, between(1, 10'000));
}

template <class Visit, Is<Moe> M>
void fields(Visit& visit, M& moe) {
  visit("routed_experts", moe.routed_experts, between(1, 100'000));
  visit("experts_per_token", moe.experts_per_token, between(1, 1000));
  visit.defaulted("shared_experts", moe.shared_experts, between(0, 100));
  visit("intermediate_size", moe.intermediate_size, between(1, 1'000'000));
  visit.defaulted("first_k_dense", moe.first_k_dense, between(0, 1000));
  visit("scoring", moe.scoring);
  visit("norm_topk_prob", moe.norm_topk_prob);
  visit.defaulted("routed_scaling_factor", moe.routed_scaling_factor, between(0.01, 1000.0));
  visit.defaulted("groups", moe.groups, between(1, 1000));
  visit.defaulted("groups_kept", moe.groups_kept, between(1, 1000));
  visit("correction_bias", moe.correction_bias);
  visit("expert_bias", moe.expert_bias);
}

template <class Visit, Is<SparseIndexer> I>
void fields(Visit& visit, I& indexer) {
  visit("heads", indexer.heads, between(1, 10'000));
  visit("head_dim", indexer.head_dim, between(1, 10'000));
  visit("topk", indexer.topk, between(1, 1'000'000));
}

template <class Visit, Is<RopeScaling> R>
void fields(Visit& visit, R& rope) {
  visit("type", rope.type);
  visit("factor", rope.factor, between(1.0, 1000.0));
  visit("original_max_position", rope.original_max_position, between(1.0, 1e8));
  visit.defaulted("beta_fast", rope.beta_fast);
  visit.defaulted("beta_slow", rope.beta_slow);
  visit.defaulted("mscale", rope.mscale);
  visit.defaulted("mscale_all_dim", rope.mscale_all_dim);
  visit.defaulted("low_freq_factor", rope.low_freq_factor);
  visit.defaulted("high_freq_factor", rope.high_freq_factor);
}

struct ModelLicence {
  std::string name;
  SourceCodes source;
  Confidence confidence = Confidence::kAssumed;
};
template <class Visit, Is<ModelLicence> L>
void fields(Visit& visit, L& licence) {
  visit("name", licence.name);
  visit("source", licence.source);
  visit("confidence", licence.confidence);
}

struct PublishedSizes {
  std::string total;  // the developer's words: "671B"
  std::optional<std::string> active;
};
template <class Visit, Is<PublishedSizes> P>
void fields(Visit& visit, P& published) {
  visit("total", published.total);
  visit("active", published.active);
}

// Counts that were computed from the shapes by other means. For tests; no plan reads them.
struct ExpectedCounts {
  std::map<std::string, std::int64_t> parameters;
  std::map<std::string, std::int64_t> kv_bytes_per_token;  // by cache format
  std::map<std::string, std::int64_t> weight_bytes;        // by weight scheme
};
template <class Visit, Is<ExpectedCounts> E>
void fields(Visit& visit, E& expected) {
  visit("parameters", expected.parameters);
  visit("kv_bytes_per_token", expected.kv_bytes_per_token);
  visit("weight_bytes", expected.weight_bytes);
}

struct ModelEntry : Architecture {
  std::string developer;
  std::optional<std::string> hf_repo;
  int year = 0;
  std::optional<int> context_published;  // when it is shorter than max_position
  ModelLicence licence;
  PublishedSizes published;
  ExpectedCounts expected;
  Notes notes;
  SourceCodes source;
  Confidence confidence = Confidence::kAssumed;  // of the shapes
};
template <class Visit, Is<ModelEntry> M>
void fields(Visit& visit, M& m) {
  visit("id", m.id);
  visit("name", m.name);
  visit("developer", m.developer);
  visit("hf_repo", m.hf_repo);
  visit("year", m.year, between(2017, 2040));
  visit("family", m.family);
  visit("hidden_size", m.hidden_size, between(1, 1'000'000));
  visit("num_layers", m.num_layers, between(1, 10'000));
  visit("num_heads", m.num_heads, between(1, 10'000));
  visit("num_kv_heads", m.num_kv_heads, between(1, 10'000));
  visit.defaulted("head_dim", m.head_dim, between(1, 10'000));
  visit.defaulted("intermediate_size", m.intermediate_size, between(1, 10'000'000));
  visit("vocab_size", m.vocab_size, between(1, 10'000'000));
  visit("tied_embeddings", m.tied_embeddings);
  visit.defaulted("attention_bias", m.attention_bias);
  visit("qk_norm", m.qk_norm);
  visit("sinks", m.sinks);
  visit("gated_ffn", m.gated_ffn);
  visit("norm_has_bias", m.norm_has_bias);
  visit.defaulted("learned_positions", m.learned_positions, between(1, 10'000'000));
  visit.defaulted("sliding_window", m.sliding_window, between(1, 10'000'000));
  visit.defaulted("sliding_layers", m.sliding_layers, between(1, 10'000));
  visit("mla", m.mla);
  visit("moe", m.moe);
  visit("indexer", m.indexer);
  visit.defaulted("mtp_modules", m.mtp_modules, between(1, 16));
  visit.defaulted("rope_theta", m.rope_theta, between(1.0, 1e12));
  visit("rope_scaling", m.rope_scaling);
  visit("norm_epsilon", m.norm_epsilon, between(1e-12, 1e-2));
  visit("max_position", m.max_position, between(1, 100'000'000));
  visit("context_published", m.context_published, between(1, 100'000'000));
  visit("native_weights", m.native_weights);
  visit("licence", m.licence);
  visit("published", m.published);
  visit("expected", m.expected);
  visit("notes", m.notes);
  visit("source", m.source);
  visit("confidence", m.confidence);
}

// With latent attention the head size follows from its parts.
inline void complete(ModelEntry& model) {
  if (model.mla) model.head_dim = model.mla->qk_head_dim();
}

}  // namespace fathom
