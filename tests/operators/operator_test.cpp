// What one step costs, against totals that are known from elsewhere.
#include "operators/operator.h"

#include <gtest/gtest.h>

#include "support/planning.h"

namespace fathom {
namespace {

const Operator& named(const std::vector<Operator>& ops, std::string_view name) {
  for (const Operator& op : ops) {
    if (op.name == name) return op;
  }
  throw std::out_of_range(std::string(name));
}

std::vector<Operator> step(const Architecture& a, const Batch& batch, const Layout& l = {}) {
  const std::vector<Tensor> list = tensors(a);
  return decoder_step(a, list, l, stages(a, list, l).front(), batch);
}

double total_flops(const std::vector<Operator>& ops) {
  double sum = 0;
  for (const Operator& op : ops) sum += flops(op).value * op.count;
  return sum;
}

// Two FLOP per weight that a token meets: all matrices but the input embedding; norms and biases multiply nothing here.
TEST(DecoderStep, OneTokenCostsTwoFlopPerActiveWeight) {
  for (const ModelEntry& model : shipped().all<ModelEntry>()) {
    double vectors = 0;
    for (const Tensor& t : tensors(model)) {
      if (t.where == Where::kMtp) continue;
      const double experts = t.role == Role::kRoutedExpert ? model.moe->experts_per_token : 1;
      const bool positions = t.role == Role::kEmbedding && t.split == Split::kReplicated;
      if (t.vector || positions) vectors += t.elements() * experts * layers_with(model, t.where);
    }
    const double active = static_cast<double>(count_parameters(model).active_without_input_embedding) - vectors;
    EXPECT_DOUBLE_EQ(total_flops(step(model, {.sequences = 1, .context = 0})), 2 * active) << model.id;
    EXPECT_LT(vectors, 0.003 * active) << model.id;
  }
}

double attention_flops(const Architecture& a, const Batch& batch) {
  double sum = 0;
  for (const Operator& op : step(a, batch)) {
    if (op.kind == OperatorKind::kAttention || op.kind == OperatorKind::kMlaAttention)
      sum += flops(op).value * op.count;
  }
  return sum;
}

// Absorbed: 2 x 128 heads x (576 + 512) x 61 layers. Expanded: 2 x 128 x (192 + 128) x 61. Qwen2.5-32B: 4 x 40 x 128 x 64.
TEST(DecoderStep, AttentionCostsPerContextTokenMatchHandCalculations) {
  const ModelEntry& r1 = shipped().model("deepseek-r1");
  const auto decode = [](const Architecture& a, double n) {
    return attention_flops(a, {.sequences = 1, .context = n});
  };
  const auto prefill = [](const Architecture& a, double n) {
    return attention_flops(a, {.prefill_tokens = 1, .prefill_context = n});
  };
  EXPECT_EQ(decode(r1, 1001) - decode(r1, 1000), 16'990'208);
  EXPECT_EQ(prefill(r1, 1001) - prefill(r1, 1000), 4'997'120);
  const ModelEntry& qwen = shipped().model("qwen2.5-32b");
  EXPECT_EQ(decode(qwen, 1001) - decode(qwen, 1000), 1'310'720);
  EXPECT_EQ(prefill(qwen, 1001) - prefill(qwen, 1000), 1'310'720);
}

// A prompt of n tokens without a cache: each sees itself and those before it, n (n + 1) / 2 pairs.
TEST(DecoderStep, APromptSeesItsOwnTriangle) {
  const ModelEntry& llama = shipped().model("llama-3.1-8b");
  EXPECT_EQ(named(step(llama, {.prefill_tokens = 1000}), "attention.core").pairs, 1000.0 * 1001 / 2);
  EXPECT_EQ(named(step(llama, {.prefill_tokens = 1000, .prefill_prompts = 10}), "attention.core").pairs,
            10 * 100.0 * 101 / 2);
  EXPECT_EQ(named(step(llama, {.prefill_tokens = 1000, .prefill_context = 500}), "attention.core").pairs,
            1000 * 500 + 1000.0 * 1001 / 2);
}

// GPT-OSS: half the layers stop reading at 128 tokens.
TEST(DecoderStep, ASlidingWindowBoundsWhatIsRead) {
  const std::vector<Operator> ops = step(shipped().model("gpt-oss-20b"), {.sequences = 2, .context = 5000});
  EXPECT_EQ(named(ops, "attention.core").pairs, 2 * 5000);
  EXPECT_EQ(named(ops, "attention.core_window").pairs, 2 * 128);
  EXPECT_EQ(named(ops, "attention.core").count, 12);
  EXPECT_EQ(named(ops, "attention.core_window").count, 12);
}

// DeepSeek-V3.2 reads at most 2,048 rows of the latent, and one 132-byte key of every context token to choose them.
TEST(DecoderStep, TheSparseIndexerBoundsTheLatentsThatAreRead) {
  const std::vector<Operator> ops = step(shipped().model("deepseek-v3.2"), {.sequences = 1, .context = 50'000});
  EXPECT_EQ(named(ops, "attention.core").kv_bytes.value, 2048 * 1152);
  EXPECT_EQ(named(ops, "attention.indexer").kv_bytes.value, 50'000 * 132);
}

// Weights read for one token of R1 in fp8: 37.55 G active parameters less the embedding, heads and embeddings in bf16:
// 36.63 GB + 0.93 GB + scales and routers.
TEST(DecoderStep, OneTokenOfR1ReadsAbout37Point7Gigabytes) {
  double read = 0;
  for (const Operator& op : step(shipped().model("deepseek-r1"), {.sequences = 1}, {.weights = scheme("fp8")})) {
    read += op.weight_bytes.value * op.count;
  }
  EXPECT_NEAR(read, 37.7e9, 0.05e9);
}

// Two all-reduces per layer and one after the embedding, one gather of the logits; 61 layers.
TEST(DecoderStep, TensorParallelismReducesTwicePerLayer) {
  double reduces = 0, gathers = 0;
  for (const Operator& op : step(shipped().model("deepseek-r1"), {.sequences = 4}, {.tp = 8, .ep = 8})) {
    if (op.kind == OperatorKind::kAllReduce) {
      reduces += op.count;
      EXPECT_EQ(op.payload.value, 4 * 7168 * 2) << op.name;
      EXPECT_EQ(op.ranks, 8);
    }
    if (op.kind == OperatorKind::kAllGather) gathers += op.count;
  }
  EXPECT_EQ(reduces, 2 * 61 + 1);
  EXPECT_EQ(gathers, 1);
}

// Dispatch once and combine once per MoE layer. R1 keeps 4 of 8 groups, 16 of 32 ranks, of which a token
// reaches 16 (1 - (15/16)^8) = 6.45.
TEST(DecoderStep, AttentionDataParallelismExchangesTokensTwicePerMoeLayer) {
  const std::vector<Operator> ops =
      step(shipped().model("deepseek-r1"), {.sequences = 320}, {.attention_dp = 32, .ep = 32});
  const Operator &out = named(ops, "moe.dispatch"), &back = named(ops, "moe.combine_exchange");
  EXPECT_EQ(out.count, 58);
  EXPECT_EQ(out.ranks, 32);
  EXPECT_NEAR(out.payload.value, 10 * 6.453 * 7168, 10 * 0.001 * 7168);
  EXPECT_DOUBLE_EQ(back.payload.value, 2 * out.payload.value);
  for (const Operator& op : ops) EXPECT_NE(op.kind, OperatorKind::kAllReduce) << op.name;
}

TEST(WireBytes, FollowTheRingAlgorithms) {
  Operator op{.name = "any", .kind = OperatorKind::kAllReduce, .payload = Bytes(800), .ranks = 8};
  EXPECT_EQ(wire_bytes(op).value, 2 * 7.0 / 8 * 800);
  op.kind = OperatorKind::kAllGather;
  EXPECT_EQ(wire_bytes(op).value, 7 * 800);
  op.kind = OperatorKind::kAllToAll;
  EXPECT_EQ(wire_bytes(op).value, 7.0 / 8 * 800);
  op.kind = OperatorKind::kSendRecv;
  EXPECT_EQ(wire_bytes(op).value, 800);
}

}  // namespace
}  // namespace fathom
