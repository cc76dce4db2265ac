// Cutting a model conserves its work: over all ranks of all stages, FLOPs, weight bytes and cache bytes are those of the
// uncut step, plus exactly the copies that the shard rules ask for.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "operators/operator.h"
#include "support/planning.h"

namespace fathom {
namespace {

struct Work {
  double flops = 0, weights = 0, kv = 0;
};
using WorkByName = std::map<std::string, Work>;

WorkByName work(const Architecture& a, const std::vector<Tensor>& list, const Layout& l, const Batch& batch) {
  WorkByName sum;
  for (const Stage& stage : stages(a, list, l)) {
    for (int rank = 0; rank < l.tp; ++rank) {
      for (const Operator& op : decoder_step(a, list, l, stage, batch, rank)) {
        Work& w = sum[std::string(op.name) + (op.draft ? " (draft)" : "")];
        const double times = op.count * l.attention_dp;  // the groups of a stage are alike
        w.flops += flops(op).value * times;
        w.weights += op.weight_bytes.value * times;
        w.kv += op.kv_bytes.value * times;
      }
    }
  }
  return sum;
}

// How often a stage holds each element of a tensor, from the rule alone.
double copies(const Tensor& t, const Architecture& a, const Layout& l) {
  const bool expert = t.role == Role::kRoutedExpert;
  const double ways = expert ? l.expert_tp() : l.tp, groups = expert ? 1 : l.attention_dp;
  if (t.split == Split::kReplicated) return ways * groups;
  if (t.split == Split::kKvHeads) return std::max(1.0, ways / a.num_kv_heads) * groups;
  return groups;
}

// The operator of the tensor list behind an operator of the step.
std::string tensor_op(const Architecture& a, const std::string& name) {
  if (name == "attention.q_absorb" || name == "attention.v_up") return "attention.kv_b";
  if (name == "attention.core_window") return "attention.core";
  if (name == "head" || name == "mtp.head") return a.tied_embeddings ? "embed" : "head";
  return name;
}

struct Factors {
  double flops = 1, weights = 1;  // sharded over uncut
};

// Weights of an operator are read by every rank that holds them. FLOPs of a copied matrix are done by every tensor-parallel
// rank of a group, but each group has tokens of its own.
Factors expected_factors(const Architecture& a, const std::vector<Tensor>& list, const Layout& l,
                         const std::string& name, bool draft) {
  double elements = 0, multiplied = 0, stored = 0, read = 0;
  for (const Tensor& t : list) {
    if (t.op != tensor_op(a, name) || t.duplicate || (t.where == Where::kMtp) != (draft && name != "mtp.head"))
      continue;
    const double c = copies(t, a, l), groups = t.role == Role::kRoutedExpert ? 1 : l.attention_dp;
    stored += stored_bytes(t, l.weights).value;
    read += stored_bytes(t, l.weights).value * c;
    if (t.vector) continue;
    elements += t.elements();
    multiplied += t.elements() * c / groups;
  }
  Factors f;
  if (stored > 0) f.weights = read / stored;
  if (elements > 0) f.flops = multiplied / elements;
  if (name == "embed") f.weights = 1;  // rows looked up, each by the rank that holds it
  if (name == "attention.core" || name == "attention.core_window") f.flops = 1;  // heads are split, never copied
  return f;
}

void expect_conserved(const Architecture& a, const Layout& l, const Batch& batch) {
  const std::vector<Tensor> list = tensors(a);
  Layout whole = l;
  whole.tp = whole.attention_dp = whole.pp = whole.ep = 1;
  const WorkByName uncut = work(a, list, whole, batch), cut = work(a, list, l, batch);
  const double kv_copies = a.mla ? l.tp : std::max(1.0, static_cast<double>(l.tp) / a.num_kv_heads);
  for (const auto& [key, before] : uncut) {
    SCOPED_TRACE(a.id + " " + short_name(l) + " " + key);
    const bool draft = key.find(" (draft)") != std::string::npos;
    const std::string name = key.substr(0, key.find(" (draft)"));
    ASSERT_EQ(cut.count(key), 1u);
    const Work& after = cut.at(key);
    const Factors f = expected_factors(a, list, l, name, draft);
    EXPECT_NEAR(after.flops, before.flops * f.flops, 1e-9 * (1 + after.flops));
    EXPECT_NEAR(after.weights, before.weights * f.weights, 1e-9 * (1 + after.weights));
    EXPECT_NEAR(after.kv, before.kv * kv_copies, 1e-9 * (1 + after.kv));
  }
  for (const auto& [key, after] : cut) {  // what only a cut step has is communication
    const double unknown = uncut.count(key) == 0 ? after.flops + after.weights + after.kv : 0;
    EXPECT_EQ(unknown, 0) << key;
  }
}

const std::vector<std::string> kSchemes = {"bf16", "fp8", "int4-experts+fp8"};
const Batch kDecode = {.sequences = 48, .context = 3000};
const Batch kPrefill = {.prefill_tokens = 4096, .prefill_context = 1000, .prefill_prompts = 8};
const Batch kMixed = {
    .sequences = 48, .context = 3000, .prefill_tokens = 512, .prefill_context = 700, .prefill_prompts = 8};

class Conservation : public ::testing::TestWithParam<std::string> {};

TEST_P(Conservation, HoldsForEveryLegalLayout) {
  const ModelEntry& model = shipped().model(GetParam());
  const std::vector<Layout> layouts = legal_layouts(model, tensors(model), kSchemes);
  ASSERT_GE(layouts.size(), 3u);
  for (const Layout& l : layouts) {
    for (const Batch& batch : {kDecode, kPrefill, kMixed}) expect_conserved(model, l, batch);
    if (HasFailure()) return;
  }
}

TEST_P(Conservation, HoldsWithTheDraftModule) {
  const ModelEntry& model = shipped().model(GetParam());
  for (Layout l : legal_layouts(model, tensors(model), {"bf16"})) {
    l.mtp = true;
    if (!illegal(model, tensors(model), l).empty()) continue;
    for (const Batch& batch : {kDecode, kMixed}) expect_conserved(model, l, batch);
    if (HasFailure()) return;
  }
}

std::vector<std::string> model_ids() {
  std::vector<std::string> ids;
  for (const ModelEntry& model : shipped().all<ModelEntry>()) ids.push_back(model.id);
  return ids;
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Catalog, Conservation, ::testing::ValuesIn(model_ids()), test_name);

}  // namespace
}  // namespace fathom
