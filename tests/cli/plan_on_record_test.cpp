// A plan on a machine's record, and what is said of records that give nothing.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "input/content.h"
#include "support/invented_machine.h"
#include "support/program.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

using Json = nlohmann::json;

constexpr const char* kHost = FATHOM_SOURCE_DIR "/tests/data/machines/busy-epyc-2-threads.json";

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
  std::string host = text_of_file(kHost);
  for (std::size_t at; (at = host.find("host.gemv")) != std::string::npos;) host.replace(at, 9, "host.else");
  const Answer no_gpu =
      run_program(fmt::format("plan {} --profile {}", cluster, folder.write("h.json", host).string()));
  EXPECT_EQ(no_gpu.code, 2);
  EXPECT_NE(no_gpu.err.find("no GPU"), std::string::npos) << no_gpu.err;
  EXPECT_NE(no_gpu.err.find("host-cpu"), std::string::npos) << "what such a record is good for: " << no_gpu.err;
  const std::string neither = folder.write("x.json", "{\"format\": \"other\"}").string();
  EXPECT_EQ(run_program(fmt::format("plan {} --profile {}", cluster, neither)).code, 2);
}

TEST(PlanOnARecord, WattsOfItsCardsAreInEveryFormatAndOnlyForThem) {
  const ScratchFolder folder;
  const std::string record = std::string(FATHOM_SOURCE_DIR) + "/tests/data/machines/h200x1.json";
  const auto planned = [&](const std::string& text, const std::string& options) {
    return run_program(fmt::format("plan {} {}", folder.write("c.yaml", text).string(), options)).out;
  };
  const Json power = Json::parse(planned(kFourGpus, "--profile " + record + " -f json"))["power"];
  EXPECT_NEAR(power["accelerators"][0]["idle_w"], 117.551, 1e-6);
  EXPECT_EQ(power["accelerators"][0]["source"], "measured");
  EXPECT_NEAR(power["accelerators"][0]["reading_w"], 695.513, 1e-6);
  EXPECT_NE(power["it_mean_w"], Json::parse(planned(kFourGpus, "-f json"))["power"]["it_mean_w"]);
  for (const char* format : {"text", "md"}) {
    EXPECT_NE(planned(kFourGpus, "--profile " + record + " -f " + format).find("118 W idle, 696 W reading memory"),
              std::string::npos);
  }
  EXPECT_EQ(planned(kFourGpus, "").find("reading memory"), std::string::npos);
  std::string other = kFourGpus;
  other.replace(other.find("nvidia-h200-sxm5-141gb"), 22, "nvidia-h100-sxm5-80gb");
  const std::string with = planned(other, "--profile " + record + " -f json"), without = planned(other, "-f json");
  EXPECT_EQ(Json::parse(with)["power"], Json::parse(without)["power"]);
}

constexpr const char* kLaptop = FATHOM_SOURCE_DIR "/examples/laptop-qwen2-0.5b/cluster.yaml";

TEST(PlanOnARecord, AMachineWithoutGpusGivesTheProductsOfItsProcessor) {
  const Json plan = Json::parse(run_program(fmt::format("plan {} --profile {} -f json", kLaptop, kHost)).out);
  for (const Json& op : plan["operators"]) EXPECT_EQ(op["source"] == "interpolated", op["kind"] == "linear") << op;
  const ScratchFolder folder;
  const std::string gpus = folder.write("cluster.yaml", kFourGpus).string();
  const std::string text = run_program(fmt::format("plan {} --profile {}", gpus, kHost)).out;
  EXPECT_NE(text.find("stands for host-cpu, which no group has: it was not used"), std::string::npos);
  EXPECT_NE(text.find("anything but the products of its processor"), std::string::npos);
}

TEST(PlanOnARecord, FitsArePrinted) {
  const Answer run = run_program("probe --fits --replay " + probe::kInventedMachine.string());
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.out.find("all_reduce over 4 ranks"), std::string::npos);
  EXPECT_NE(run.out.find("gpu.launch.graph"), std::string::npos);
  EXPECT_EQ(run_program("probe --fits --checklist").code, 2);
  EXPECT_NE(run_program(std::string("probe --fits --replay ") + kHost).out.find("two rates of two points"),
            std::string::npos);
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
