// Experts on processors, slow networks, memory: counts by hand, limits, and which way each condition pulls.
#include "score/predict_slow.h"

#include <gtest/gtest.h>

#include <string>

#include "support/measurement_table.h"
#include "support/planning.h"

namespace fathom {
namespace {

Cells with(Cells row, const Cells& changes) {
  for (const auto& [column, cell] : changes) row[column] = cell;
  return row;
}

std::optional<double> predicted(const Cells& cells) {
  const Cells usual = {{"id", "row-1"},        {"category", "d"},      {"group", "g"}, {"completeness", "full"},
                       {"value", "1"},         {"nodes", "1"},         {"load", "1"},  {"accelerators", "1"},
                       {"role", "aggregated"}, {"load_kind", "single"}};
  Cells row = with(usual, cells);
  row["unit"] = find_metric(row["metric"])->unit;
  const std::vector<Measurement> rows = parse_measurements(table_of({row}), "test.csv");
  SetupBuilder builder(shipped());
  const auto built = builder.build(rows.front());
  if (!std::holds_alternative<Setup>(built)) return std::nullopt;
  const Setup& setup = std::get<Setup>(built);
  EXPECT_TRUE(is_slow(setup));
  const EngineProfile profile = read_engine_profile(shipped().data_dir(), setup.engine, rows.front().engine_version);
  return slow_value(setup, setup.pools.empty() ? profile : on_device(profile, setup.device()));
}

double value(const Cells& cells) {
  const std::optional<double> found = predicted(cells);
  EXPECT_TRUE(found);
  return found.value_or(0);
}

// ---- distributed-llama

const Cells kBoards = {{"model", "llama-2-7b"},
                       {"weight_format", "q4_0"},
                       {"kv_format", "fp32"},
                       {"accelerator", "raspberry-pi-4b-8gb"},
                       {"scale_up", "unified"},
                       {"scale_out", "eth-1g"},
                       {"engine", "distributed-llama"},
                       {"engine_version", "0.1.0"},
                       {"input_len", "0"},
                       {"output_len", "16"},
                       {"shape", "buffer=q80"},
                       {"metric", "token_latency_s"}};

Cells boards(int nodes) {
  const std::string n = std::to_string(nodes);
  return with(kBoards, {{"nodes", n}, {"accelerators", n}, {"tp", n}, {"scale_out", nodes > 1 ? "eth-1g" : "none"}});
}

TEST(DistributedLlama, TwoBroadcastsAndTwoGathersOfAVectorPerLayerAndWorker) {
  const Architecture& a = shipped().model("llama-3.1-8b");
  // 4 vectors of 4,096 values at 34/32 bytes, 32 layers: 557,056 bytes with one worker.
  EXPECT_EQ(distributed_llama_bytes(a, 2, 34.0 / 32, false), 4 * 4096 * 34.0 / 32 * 32);
  EXPECT_EQ(distributed_llama_bytes(a, 8, 4, false), 7 * 4 * 4096 * 4.0 * 32);
  EXPECT_EQ(distributed_llama_bytes(a, 1, 4, false), 0);
}

TEST(DistributedLlama, SlicesAreTheCountThatItsOldReleasePrinted) {
  // 0.3.0 printed 646 kB sent and 476 kB received per token for Llama-3-8B with one worker and Q80.
  const double bytes = distributed_llama_bytes(shipped().model("llama-3.1-8b"), 2, 34.0 / 32, true);
  EXPECT_NEAR(bytes / 1024, 646 + 476, 1);
}

TEST(DistributedLlama, FourBoardsBeatOneAndEightDoNotBeatFour) {
  EXPECT_LT(value(boards(4)), value(boards(2)));
  EXPECT_LT(value(boards(2)), value(boards(1)));
  EXPECT_GT(value(boards(8)), value(boards(4)));
}

TEST(DistributedLlama, SendingGrowsWithNodesAndShrinksWithTheLink) {
  const Cells sending = {{"metric", "network_s_per_token"}};
  EXPECT_GT(value(with(boards(4), sending)), value(with(boards(2), sending)));
  EXPECT_GT(value(with(boards(4), with(sending, {{"scale_out", "eth-100m"}}))), value(with(boards(4), sending)));
  EXPECT_LT(value(with(boards(4), with(sending, {{"scale_out", "eth-20g"}}))), value(with(boards(4), sending)));
}

TEST(DistributedLlama, ATokenIsNotFasterThanItsWeightsCanBeRead) {
  // 3.6 GB of q4_0 weights at 12.8 GB/s.
  EXPECT_GT(value(boards(1)), 3.6 / 12.8);
}

// ---- Experts on the host

const Cells kOffload = {{"model", "deepseek-v3"},
                        {"weight_format", "q4_k"},
                        {"accelerator", "nvidia-rtx-4090-24gb"},
                        {"host", "intel-xeon-gold-6454s x2; ddr5-4800 8ch"},
                        {"scale_up", "none"},
                        {"scale_out", "none"},
                        {"engine", "ktransformers"},
                        {"offload", "experts"},
                        {"input_len", "1000"},
                        {"output_len", "300"},
                        {"metric", "decode_tok_per_s"}};

TEST(Offload, DecodingIsBoundByTheMemoryOfTheSockets) {
  const double two = value(kOffload);
  EXPECT_GT(two, value(with(kOffload, {{"host", "intel-xeon-gold-6454s x1; ddr5-4800 8ch"}})));
  EXPECT_LT(two, value(with(kOffload, {{"host", "intel-xeon-6980p x2; mrdimm-8800 12ch"}})));
  EXPECT_LT(two, value(with(kOffload, {{"shape", "experts_per_token=6"}})));
  EXPECT_LT(two, 614.4e9 / 12.3e9);  // 12.4 GB of experts per token, 614 GB/s
}

TEST(Offload, ExpertsOnTheCardRelieveTheHost) {
  EXPECT_GT(value(with(kOffload, {{"offload", "experts:gpu_frac=0.5"}})), value(kOffload));
  EXPECT_GT(value(with(kOffload, {{"offload", "experts:gpu=64"}})),
            value(with(kOffload, {{"offload", "experts:gpu=8"}})));
}

TEST(Offload, TilesReadPromptsFasterThanVectors) {
  const Cells prompt = with(kOffload, {{"metric", "prefill_tok_per_s"}, {"input_len", "4096"}});
  const Cells tiles = with(prompt, {{"weight_format", "mixed:q4_k+amxint8"}});
  EXPECT_GT(value(tiles), value(prompt));
  EXPECT_LT(value(with(tiles, {{"host", "amd-epyc-9654 x2; ddr5-4800 12ch"}})), value(tiles));
}

TEST(Offload, LongPromptsStreamTheExpertsOnce) {
  const Cells row =
      with(kOffload, {{"model", "minimax-m2.1"}, {"weight_format", "fp8_block"}, {"metric", "ttft_s_mean"}});
  const double t = value(with(row, {{"input_len", "8192"}}));
  EXPECT_GT(t, 224.7e9 / 31.5e9);  // the experts through PCIe 4 x16
  EXPECT_LT(value(with(row, {{"input_len", "32768"}})), 4 * t);
  EXPECT_LT(t, value(with(row, {{"input_len", "8192"}, {"engine_version", "0.3"}})));
  EXPECT_LT(value(with(row, {{"input_len", "8192"}, {"accelerators", "2"}, {"tp", "2"}, {"scale_up", "pcie4"}})), t);
}

TEST(Offload, VersionsAreComparedByNumber) { EXPECT_TRUE(value(with(kOffload, {{"engine_version", "V0.2.1"}})) > 0); }

// ---- Models on processors

const Cells kProcessor = {{"model", "llama-3.1-70b"},
                          {"weight_format", "q8_0"},
                          {"accelerator", "intel-xeon-6980p"},
                          {"accelerators", "2"},
                          {"host", "intel-xeon-6980p x2; mrdimm-8800 12ch"},
                          {"scale_up", "upi"},
                          {"scale_out", "none"},
                          {"engine", "llama.cpp"},
                          {"input_len", "1024"},
                          {"output_len", "1024"},
                          {"metric", "tpot_s_mean"}};

TEST(Processor, ATokenTakesAtLeastItsBytes) {
  EXPECT_GT(value(kProcessor), 70e9 * 8.5 / 8 / 1690e9);
  EXPECT_LT(value(with(kProcessor, {{"weight_format", "q4_k"}})), value(kProcessor));
}

TEST(Processor, RanksPerNumaDomainLoseLessToBarriers) {
  const Cells sglang = with(kProcessor, {{"engine", "sglang"}, {"weight_format", "int8"}, {"tp", "6"}});
  EXPECT_LT(value(sglang), value(kProcessor));
  EXPECT_LT(value(sglang), value(with(sglang, {{"tp", "2"}})));
}

TEST(Processor, LongerPromptsTakeLonger) {
  const Cells prompt = with(kProcessor, {{"metric", "ttft_s_mean"}});
  EXPECT_GT(value(with(prompt, {{"input_len", "4096"}})), 3 * value(prompt));
}

// ---- Networks

TEST(RemoteLlama, EveryHopCosts) {
  const Cells local = {{"model", "tinyllama-1.1b"}, {"weight_format", "fp16"}, {"accelerator", "nvidia-gtx-1660-6gb"},
                       {"scale_up", "none"},        {"scale_out", "loopback"}, {"engine", "llama.cpp"},
                       {"input_len", "6"},          {"output_len", "64"},      {"metric", "decode_tok_per_s"}};
  const double loopback = value(local), remote = value(with(local, {{"scale_out", "eth-1g"}, {"nodes", "2"}}));
  EXPECT_GT(loopback, remote);
  EXPECT_GT(remote, value(with(local, {{"scale_out", "wifi"}, {"nodes", "2"}})));
}

TEST(UnifiedMemory, TwoNodesReadAPromptSlowerThanTheirCardsWould) {
  const Cells two = {{"model", "qwen3-32b"},
                     {"weight_format", "fp8_block"},
                     {"accelerator", "nvidia-gb10-dgx-spark-128gb"},
                     {"accelerators", "2"},
                     {"nodes", "2"},
                     {"tp", "2"},
                     {"scale_up", "unified"},
                     {"scale_out", "roce-200"},
                     {"engine", "sglang"},
                     {"input_len", "512"},
                     {"metric", "prefill_tok_per_s"}};
  EXPECT_LT(value(two), 512 / (128 * 512 * 5120 * 2 / 25e9));  // the sums alone at 200 Gb/s
}

// ---- Memory

TEST(Memory, HostHoldsTheRoutedExperts) {
  // 58 layers of 256 experts of 3 x 7,168 x 2,048 weights at 4.85 bits.
  const double bytes = value(with(kOffload, {{"metric", "host_memory_bytes"}}));
  EXPECT_NEAR(bytes, 58.0 * 256 * 3 * 7168 * 2048 * 4.85 / 8, 1e6);
}

TEST(Memory, AcceleratorsHoldWeightsAndCache) {
  const Cells row = {{"model", "qwen2.5-72b"},
                     {"weight_format", "bf16"},
                     {"accelerator", "nvidia-a100-sxm4-80gb"},
                     {"accelerators", "2"},
                     {"pp", "2"},
                     {"scale_up", "nvlink3"},
                     {"scale_out", "none"},
                     {"engine", "hf-transformers"},
                     {"input_len", "1"},
                     {"output_len", "2048"},
                     {"metric", "memory_bytes"}};
  const double short_prompt = value(row);
  EXPECT_GT(short_prompt, 2 * 72.7e9);
  EXPECT_GT(value(with(row, {{"input_len", "6144"}})), short_prompt);
}

// ---- Refusals

TEST(Slow, WeightsFromTheDiskAreNotPredicted) {
  EXPECT_FALSE(predicted({{"model", "llama-3.1-70b"},
                          {"weight_format", "q4_k"},
                          {"accelerator", "nvidia-rtx-2080ti-11gb"},
                          {"scale_up", "none"},
                          {"scale_out", "none"},
                          {"engine", "llama.cpp"},
                          {"offload", "mmap"},
                          {"metric", "token_latency_s"}}));
}

}  // namespace
}  // namespace fathom
