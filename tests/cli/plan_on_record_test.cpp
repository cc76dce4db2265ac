// A plan on a machine's record, and what is said of records that give nothing.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/invented_machine.h"
#include "support/program.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

using Json = nlohmann::json;

constexpr const char* kFourGpus = R"(format: fathom-cluster/1
title: four GPUs
date: 2026-11
sites:
  - {id: desk, kind: office, pue: 1.0}
groups:
  - id: gpu
    nodes: 1
    node:
      accelerator: {part: nvidia-h200-sxm5-141gb, count: 4}
      memory: {size: 256 GB}
      price: {value: 40000 USD, confidence: assumed}
layout:
  - {group: gpu, tp: 4, replicas: 1}
finance:
  currency: USD
workload:
  model: llama-3.1-8b
  weights: [bf16]
  input_tokens: 1000
  output_tokens: 500
  concurrency: 16
)";

TEST(PlanOnARecord, TakesWhatWasMeasuredAndSaysWhereEachTimeComesFrom) {
  const ScratchFolder folder;
  const std::string cluster = folder.write("cluster.yaml", kFourGpus).string();
  const Answer run =
      run_program(fmt::format("plan {} --profile {} -f json", cluster, probe::kInventedMachine.string()));
  EXPECT_EQ(run.code, 0) << run.err;
  const Json plan = Json::parse(run.out);
  for (const Json& op : plan["operators"]) {
    const bool sum = op["kind"] == "all_reduce";
    EXPECT_EQ(op["source"], sum ? "interpolated" : "catalog") << op["name"];  // of one product there is one shape
  }
  EXPECT_EQ(plan["provenance"]["profile"]["fits"].size(), 1u);
  EXPECT_NE(run.out.find("linear bf16: fewer than four shapes"), std::string::npos);
  const std::string text =
      run_program(fmt::format("plan {} --profile {}", cluster, probe::kInventedMachine.string())).out;
  EXPECT_NE(text.find("bound by  source"), std::string::npos);
  EXPECT_NE(text.find("left out one by one"), std::string::npos);
}

TEST(PlanOnARecord, SaysWhatTheRecordSaysOfItsMachine) {
  const ScratchFolder folder;
  const std::string cluster = folder.write("cluster.yaml", kFourGpus).string();
  const auto planned = [&](const std::string& record) {
    return run_program(fmt::format("plan {} --profile {}", cluster, record)).out;
  };
  EXPECT_EQ(planned(probe::kInventedMachine.string()).find("by its record"), std::string::npos);
  const std::string slow =
      probe::edited_machine(R"("gpu.gemm", "device": "gpu2")", R"("median": 7.69e+14)", R"("median": 6.2e+14)");
  EXPECT_NE(planned(folder.write("slow.json", slow).string()).find("is degraded by its record"), std::string::npos);
}

TEST(PlanOnARecord, RecordsThatGiveNothingAreRefused) {
  const ScratchFolder folder;
  const std::string cluster = folder.write("cluster.yaml", kFourGpus).string();
  const std::string host = std::string(FATHOM_SOURCE_DIR) + "/tests/data/machines/busy-epyc-2-threads.json";
  const Answer no_gpu = run_program(fmt::format("plan {} --profile {}", cluster, host));
  EXPECT_EQ(no_gpu.code, 2);
  EXPECT_NE(no_gpu.err.find("no GPU"), std::string::npos) << no_gpu.err;
  const std::string neither = folder.write("x.json", "{\"format\": \"other\"}").string();
  EXPECT_EQ(run_program(fmt::format("plan {} --profile {}", cluster, neither)).code, 2);
}

TEST(PlanOnARecord, FitsArePrinted) {
  const Answer run = run_program("probe --fits --replay " + probe::kInventedMachine.string());
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.out.find("all_reduce over 4 ranks"), std::string::npos);
  EXPECT_NE(run.out.find("gpu.launch.graph"), std::string::npos);
  EXPECT_EQ(run_program("probe --fits --checklist").code, 2);
  const ScratchFolder folder;
  const std::string replay = "probe --fits --replay " + probe::kInventedMachine.string(),
                    saved = (folder.path() / "saved.json").string();
  EXPECT_EQ(run_program(replay + " -o " + saved).out, run.out);
  EXPECT_EQ(run_program("probe --fits --replay " + saved).out, run.out);
  EXPECT_EQ(run_program(replay + " -f json").code, 2);
  EXPECT_EQ(run_program("probe --name '\xE2\x80\xAEx' --replay " + saved).code, 2);
}

}  // namespace
}  // namespace fathom
