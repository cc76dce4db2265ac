// What lies on a device, against hand calculations and the model's own totals.
#include "memory/ledger.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/planning.h"

namespace fathom {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

struct Case {
  const Architecture& model;
  Layout layout;
  std::vector<Tensor> list;

  Case(const Architecture& architecture, Layout cut)
      : model(architecture), layout(std::move(cut)), list(tensors(model)) {}
  MemoryInput input(Bytes capacity) const {
    return {.architecture = model,
            .tensors = list,
            .layout = layout,
            .device_capacity = capacity,
            .reserves = {},
            .chunk_tokens = 0,
            .sequences = 0};
  }
  ReplicaMemory memory(Bytes capacity = Bytes(1e15)) const {
    return replica_memory(input(capacity), stages(model, list, layout));
  }
};

const LedgerRow& row(const Ledger& ledger, const std::string& name) {
  for (const LedgerRow& r : ledger.rows) {
    if (r.name == name) return r;
  }
  throw std::out_of_range(name);
}

// One copy is 356.3 GB, 89.1 GB per GPU. On each of four ranks the latent projections lie whole: 15.14 M x 61 in fp8,
// of which three quarters, 0.69 GB, are copies; the routers are whole as well.
TEST(Ledger, R1WithInt4ExpertsTakes89GigabytesOnEachOfFourGpus) {
  const ModelEntry& r1 = shipped().model("deepseek-r1");
  const Bytes one = checkpoint_bytes(r1, scheme("int4-experts+fp8"), false);
  EXPECT_NEAR(one.value, 356.3e9, 0.05e9);
  EXPECT_NEAR(one.value / 4, 89.1e9, 0.05e9);
  const Ledger ledger = Case{r1, {.tp = 4, .ep = 4, .weights = scheme("int4-experts+fp8")}}.memory().worst();
  const double latent = row(ledger, "weights: latent projections").bytes.value;
  EXPECT_NEAR(latent, 61 * 7168.0 * (1536 + 576), 1e6);  // and their scales
  EXPECT_NEAR(latent * 3 / 4, 0.69e9, 0.005e9);
  const double routers = row(ledger, "weights: router").bytes.value, norms = row(ledger, "weights: norms").bytes.value;
  EXPECT_NEAR(ledger.weights().value, one.value / 4 + (latent + routers + norms) * 3 / 4, 1);
  EXPECT_NEAR(ledger.weights().value, 89.9e9, 0.1e9);
}

// 673 GB of fp8 are 168 GB per GPU of four; a 141-GB H200 reports 150 GB.
TEST(Ledger, R1InFp8DoesNotFitFourH200) {
  const ModelEntry& r1 = shipped().model("deepseek-r1");
  const Bytes h200 = shipped().accelerator("nvidia-h200-sxm5-141gb").usable_memory->value;
  EXPECT_FALSE((Case{r1, {.tp = 4, .ep = 4, .weights = scheme("fp8")}}.memory(h200).fits()));
  EXPECT_FALSE((Case{r1, {.pp = 4, .weights = scheme("fp8")}}.memory(h200).fits()));
  EXPECT_TRUE((Case{r1, {.tp = 8, .ep = 8, .weights = scheme("fp8")}}.memory(h200).fits()));
  EXPECT_TRUE((Case{r1, {.tp = 4, .ep = 4, .weights = scheme("int4-experts+fp8")}}.memory(h200).fits()));
}

// 8 x 80 GiB = 640 GiB, one copy of the weights 626.92: 13.08 GiB beside it, and less than nothing once the latent
// projections are copied eight times and the engine has taken its share.
TEST(Ledger, R1InFp8LeavesThirteenGibibytesOnEight80GibGpus) {
  const ModelEntry& r1 = shipped().model("deepseek-r1");
  EXPECT_NEAR(640 - checkpoint_bytes(r1, scheme("fp8"), false).value / kGiB, 13.08, 0.005);
  const Case tp8{r1, {.tp = 8, .ep = 8, .weights = scheme("fp8")}};
  const Ledger ledger = tp8.memory(Bytes(80 * kGiB)).worst();
  const double copied = row(ledger, "weights: latent projections").bytes.value +
                        row(ledger, "weights: router").bytes.value + row(ledger, "weights: norms").bytes.value;
  EXPECT_NEAR(ledger.kv_room().value * 8 / kGiB, 13.08 - copied * 7 / kGiB, 0.01);
  MemoryInput real = tp8.input(Bytes(80 * kGiB));
  real.reserves = engine("vllm").reserves;
  EXPECT_FALSE(replica_memory(real, stages(r1, tp8.list, tp8.layout)).fits());
}

// Per token: MLA keeps the whole latent on each rank, GQA a share of the heads down to one.
TEST(Ledger, HeadsShareTheCacheAndALatentDoesNot) {
  const ModelEntry &r1 = shipped().model("deepseek-r1"), &qwen = shipped().model("qwen2.5-32b");
  for (int tp : {1, 2, 4, 8}) {
    EXPECT_EQ((Case{r1, {.tp = tp}}.memory().worst().kv_per_token.value), 70'272) << tp;
    EXPECT_EQ((Case{qwen, {.tp = tp}}.memory().worst().kv_per_token.value), 262'144.0 / tp) << tp;
  }
  const ModelEntry& thin = shipped().model("qwen3-30b-a3b");  // 4 KV heads
  EXPECT_EQ((Case{thin, {.tp = 8}}.memory().worst().kv_per_token),
            (Case{thin, {.tp = 4}}.memory().worst().kv_per_token));
}

// Twelve layers of GPT-OSS-20B hold at most 128 tokens: 128 x 12 x 2,048 B, whatever the context.
TEST(Ledger, AFullWindowStopsGrowing) {
  const Ledger ledger = Case{shipped().model("gpt-oss-20b"), {}}.memory().worst();
  EXPECT_EQ(ledger.kv_per_token.value, 12 * 2048);
  EXPECT_EQ(ledger.kv_per_sequence.value, 128 * 12 * 2048);
}

// Over all ranks and stages the weights are one copy and the copies that the rows name. Experts are dealt out once.
TEST(Ledger, WeightsOfAllRanksAreOneCopyAndTheNamedCopies) {
  for (const ModelEntry& model : shipped().all<ModelEntry>()) {
    const std::vector<Tensor> list = tensors(model);
    for (const Layout& l : legal_layouts(model, list, {"bf16", "fp8", "int4-experts+fp8"})) {
      if (model.vocab_size % l.tp != 0) continue;  // the ledger is of the rank with the longest vocabulary share
      double held = 0, copies = 0, tied_head = 0;
      int layers = 0;
      for (const Stage& stage : stages(model, list, l)) {
        const MemoryInput in{.architecture = model,
                             .tensors = list,
                             .layout = l,
                             .device_capacity = Bytes(1e15),
                             .reserves = {},
                             .chunk_tokens = 0,
                             .sequences = 0};
        const Ledger ledger = stage_ledger(in, stage);
        double sum = 0;
        for (const LedgerRow& r : ledger.rows) {
          sum += r.bytes.value;
          EXPECT_LE(r.copied, r.bytes) << r.name;
        }
        EXPECT_DOUBLE_EQ(ledger.used().value, sum);
        held += ledger.weights().value * l.stage_width();
        layers += stage.layers;
        for (const Tensor& t : list) {
          const Shard s = shard(t, model, l, 0);
          if (!s.copied) continue;
          const double whole = stored_bytes(t, l.weights).value * t.experts,
                       part = stored_bytes(s, t, l.weights).value * l.stage_width();
          copies += (part - whole) * layers_with(stage, l, model, t);
        }
        if (model.tied_embeddings && stage.has_head && !stage.has_embedding) {
          tied_head += stored_bytes(list.front(), l.weights).value * l.attention_dp;
        }
      }
      EXPECT_EQ(layers, model.num_layers);
      const double one = checkpoint_bytes(model, l.weights, false).value;
      EXPECT_NEAR(held, one + copies + tied_head, 1e-9 * held) << model.id << " " << short_name(l);
    }
  }
}

TEST(Ledger, LongestContextAndTokensFollowFromTheRoom) {
  const Case c{shipped().model("qwen2.5-32b"), {.tp = 2}};
  const ReplicaMemory memory = c.memory(Bytes(80 * kGiB));
  const double room = memory.worst().kv_room().value;
  EXPECT_NEAR(memory.kv_tokens, room / 131'072, 1e-6);
  EXPECT_NEAR(memory.max_context, room / 131'072, 1e-6);
  EXPECT_NEAR(sequences_that_fit(memory, c.layout, 1000), room / 131'072 / 1000, 1e-9);
}

TEST(Ledger, StagesOfOneShapeShareALedger) {
  const Case c{shipped().model("deepseek-r1"), {.tp = 8, .pp = 10, .ep = 8, .weights = scheme("fp8")}};
  const ReplicaMemory memory = c.memory();
  int stages_told = 0;
  double cache = 0;
  for (const Ledger& ledger : memory.stages) {
    stages_told += ledger.alike;
    cache += ledger.kv_per_token.value * ledger.alike;
  }
  EXPECT_EQ(stages_told, 10);
  EXPECT_LT(memory.stages.size(), 10u);
  EXPECT_EQ(cache, 70'272);
}

TEST(Ledger, MoreMemoryNeverHoldsLess) {
  for (const char* id : {"deepseek-r1", "qwen2.5-32b", "gpt-oss-120b"}) {
    const ModelEntry& model = shipped().model(id);
    for (const Layout& l : legal_layouts(model, tensors(model), {model.native_weights})) {
      double before = -1;
      for (double gib : {16.0, 24.0, 48.0, 80.0, 141.0, 192.0, 288.0}) {
        const double now = Case{model, l}.memory(Bytes(gib * kGiB)).kv_tokens;
        EXPECT_GE(now, before) << short_name(l);
        before = now;
      }
    }
  }
}

}  // namespace
}  // namespace fathom
