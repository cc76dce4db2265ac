// What scripts may rely on when they run a plan: exit codes, JSON keys, logits that others can be held against.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/program.h"
#include "support/scratch_folder.h"
#include "support/tiny_models.h"
#include "weights/safetensors.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kOracle = fs::path(FATHOM_SOURCE_DIR) / "tests/data/oracle";

// One of the oracle's models on this processor, planned by the program itself.
class Validate : public ::testing::Test {
 protected:
  std::string plan_of(const std::string& model, int ranks, const std::string& layout = {}) {
    const fs::path cluster = scratch_.write(
        "cluster.yaml", fmt::format("format: fathom-cluster/1\n"
                                    "title: a tiny model\n"
                                    "sites: [{{id: desk, pue: 1.0}}]\n"
                                    "groups:\n"
                                    "  - id: host\n"
                                    "    nodes: 1\n"
                                    "    node: {{accelerator: {{part: host-cpu, count: {}}}, memory: 8 GB}}\n"
                                    "{}"
                                    "workload:\n"
                                    "  model: {}\n"
                                    "  engine: fathom-host\n"
                                    "  weights: [bf16]\n"
                                    "  input_tokens: 20\n"
                                    "  output_tokens: 8\n"
                                    "  concurrency: 4\n",
                                    ranks, layout.empty() ? "" : "layout: [{group: host, " + layout + "}]\n",
                                    (kOracle / model / "config.json").string()));
    const fs::path plan = scratch_.path() / "plan.json";
    const Answer made = run_program(fmt::format("plan {} -f json=/dev/null -o {}", cluster.string(), plan.string()));
    EXPECT_TRUE(fs::exists(plan)) << made.err;
    return plan.string();
  }
  std::vector<float> floats(const fs::path& path, const std::string& name) {
    const SafetensorsFile file(path);
    const StoredTensor& tensor = *file.find(name);
    std::vector<float> values(static_cast<std::size_t>(tensor.rows() * tensor.cols()));
    file.read(tensor, {.row = 0, .rows = tensor.rows(), .col = 0, .cols = tensor.cols()}, values.data());
    return values;
  }
  static std::string oracle_tokens(const std::string& model) {
    const SafetensorsFile file(kOracle / model / "logits.safetensors");
    const StoredTensor& tensor = *file.find("tokens");
    std::vector<int> tokens(static_cast<std::size_t>(tensor.rows()));
    file.read(tensor, {.row = 0, .rows = tensor.rows(), .col = 0, .cols = 1}, tokens.data());
    return fmt::format("{}", fmt::join(tokens, ","));
  }

  ScratchFolder scratch_;
};

TEST_F(Validate, PrintsTheKeysOfTheContract) {
  const Answer run = run_program("validate " + plan_of("qwen3_moe", 1) + " --steps 2 -f json");
  const Json json = Json::parse(run.out);
  for (const char* key : {"predicted_s", "measured_s", "error"}) EXPECT_TRUE(json["step"][key].is_number()) << key;
  ASSERT_FALSE(json["operators"].empty());
  for (const char* key : {"name", "kind", "count", "predicted_s", "measured_s", "error", "share"}) {
    EXPECT_TRUE(json["operators"][0].contains(key)) << key;
  }
  for (const char* key : {"predicted_bytes", "allocated_bytes"}) EXPECT_GT(json["memory"][key], 0) << key;
  EXPECT_GT(json["tokens_per_s"], 0);
  EXPECT_EQ(json["logits_hash"].get<std::string>().size(), 16u);
  EXPECT_TRUE(json["verdict"]["passed"].is_boolean());
  EXPECT_EQ(run.code, json["verdict"]["passed"] ? 0 : 1);
  EXPECT_EQ(json["verdict"]["reasons"].empty(), json["verdict"]["passed"].get<bool>());
}

TEST_F(Validate, RunsEveryOperatorOfThePlanAsOftenAsPlanned) {
  const std::string plan = plan_of("deepseek_v3", 4, "tp: 2, attention_dp: 2, ep: 4, pp: 1");
  const Json json = Json::parse(run_program("validate " + plan + " --steps 2 -f json").out);
  const Json planned = Json::parse(content_of(plan))["operators"];
  ASSERT_EQ(json["operators"].size(), planned.size());
  for (std::size_t i = 0; i < planned.size(); ++i) {
    EXPECT_EQ(json["operators"][i]["name"], planned[i]["name"]);
    EXPECT_EQ(json["operators"][i]["count"], planned[i]["count"]) << planned[i]["name"];
    EXPECT_TRUE(json["operators"][i].contains("measured_s")) << planned[i]["name"];
  }
}

TEST_F(Validate, DumpsTheLogitsOfACheckpoint) {
  for (const char* model : {"llama", "deepseek_v2"}) {
    for (const char* layout : {"tp: 1", "tp: 2, pp: 2"}) {
      const fs::path logits = scratch_.path() / "logits.safetensors";
      const Answer run = run_program(fmt::format("validate {} --weights {} --tokens {} --dump-logits {} --steps 0",
                                                 plan_of(model, layout[4] == '1' ? 1 : 4, layout),
                                                 (kOracle / model).string(), oracle_tokens(model), logits.string()));
      ASSERT_EQ(run.code, 0) << run.err;
      EXPECT_EQ(run.out, "");
      EXPECT_LT(testing::nmse(floats(logits, "logits"), floats(kOracle / model / "logits.safetensors", "logits")), 1e-8)
          << model << " " << layout;
    }
  }
}

TEST_F(Validate, RepeatsItsHash) {
  const std::string plan = plan_of("mixtral", 2, "tp: 2, ep: 2");
  const auto hash = [&](const std::string& more) {
    return Json::parse(run_program("validate " + plan + " --steps 2 -f json" + more).out)["logits_hash"]
        .get<std::string>();
  };
  const std::string first = hash("");
  EXPECT_EQ(hash(""), first);
  EXPECT_EQ(hash(" --threads 4"), first);
  EXPECT_NE(hash(" --seed 2"), first);
}

TEST_F(Validate, RunsAnotherShapeAndSaysSo) {
  const std::string plan = plan_of("llama", 1);
  const Answer decoded = run_program("-q validate " + plan + " --sequences 2 --context 40 --steps 2 -f json");
  EXPECT_EQ(decoded.code, 1) << decoded.err;
  const Json json = Json::parse(decoded.out);
  EXPECT_EQ(json.at("run").at("sequences"), 2);
  EXPECT_EQ(json.at("run").at("context"), 40);
  EXPECT_NE(decoded.out.find("measured with 2 x 40 tokens in the cache"), std::string::npos) << decoded.out;
  const Answer prompts = run_program("-q validate " + plan + " --prompt 30 --steps 2 -f json");
  EXPECT_EQ(prompts.code, 1) << prompts.err;
  EXPECT_EQ(Json::parse(prompts.out).at("run").at("prompt"), 30);
  EXPECT_NE(prompts.out.find("measured with prompts of 30 tokens"), std::string::npos) << prompts.out;
}

TEST_F(Validate, SaysAloudThatAPartWasRun) {
  const Answer run = run_program("validate " + plan_of("qwen2", 1) + " --layers 1 --steps 2");
  EXPECT_NE(run.out.find("1 of 3 layers"), std::string::npos) << run.out;
  const Json json = Json::parse(run_program("validate " + plan_of("qwen2", 1) + " --layers 1 --steps 2 -f json").out);
  EXPECT_EQ(json["operators"][1]["count"], 3);  // reckoned for all layers
}

TEST_F(Validate, NamesTheRankThatFailsAndItsOperator) {
  const std::string plan = plan_of("deepseek_v3", 4, "tp: 4, ep: 2");
  for (const char* kind : {"throw", "hang"}) {
    const Answer run = run_program("validate " + plan + " --timeout 0.5 --fault 2:moe.experts.down:" + kind);
    EXPECT_EQ(run.code, 3);
    EXPECT_EQ(run.out, "");
    EXPECT_NE(run.err.find("rank 2"), std::string::npos) << run.err;
    EXPECT_NE(run.err.find("moe.experts.down of layer 2"), std::string::npos) << run.err;
  }
}

TEST_F(Validate, ServesRequestsAsTheyComeAndSimulatesTheSame) {
  const std::string plan = plan_of("qwen3_moe", 2, "tp: 2, ep: 2") + " --rate 40 --requests 20 --seed 3";
  const Answer run = run_program("validate " + plan + " -f json");
  ASSERT_EQ(run.code, 0) << run.err;  // nothing is judged without --tolerance
  const Json json = Json::parse(run.out);
  for (const char* key : {"ttft_s", "tpot_s", "inter_token_s", "e2e_s"}) {
    for (const char* side : {"predicted", "measured"}) {
      for (const char* part : {"mean", "p50", "p90", "p95", "p99", "max"})
        EXPECT_GT(json.at(key).at(side).at(part), 0) << key << " " << side << " " << part;
    }
    EXPECT_EQ(json.at(key).at("predicted").at("count"), json.at(key).at("measured").at("count")) << key;
    for (const char* part : {"mean", "p50", "p99"}) EXPECT_TRUE(json.at(key).at("error").at(part).is_number());
  }
  EXPECT_EQ(json.at("ttft_s").at("measured").at("count"), 18);  // a tenth warms up
  EXPECT_FALSE(json.contains("verdict"));
  EXPECT_EQ(json.at("run").at("requests"), 20);
  EXPECT_EQ(json.at("run").at("ranks"), 2);
  double steps = 0;
  for (const Json& row : json.at("steps")) steps += row.at("count").get<double>();
  EXPECT_GT(steps, 0);

  const Answer judged = run_program("validate " + plan + " --tolerance 0,0 -f json");
  EXPECT_EQ(judged.code, 1);
  EXPECT_EQ(Json::parse(judged.out).at("verdict").at("passed"), false);
  const Answer text = run_program("validate " + plan + " --tolerance 100,100");
  for (const char* part : {"time to first token", "simulated", "served", "P99", "decoding"})
    EXPECT_NE(text.out.find(part), std::string::npos) << part << text.out;
}

TEST_F(Validate, ServesARecordedTrace) {
  const fs::path trace = scratch_.write("trace.csv", "timestamp,input_len,output_len\n5,9,4\n5.02,12,1\n5.05,3,6\n");
  const Answer run =
      run_program(fmt::format("validate {} --trace {} --warm-up 0 -f json", plan_of("llama", 1), trace.string()));
  ASSERT_EQ(run.code, 0) << run.err;
  const Json json = Json::parse(run.out);
  EXPECT_EQ(json.at("e2e_s").at("measured").at("count"), 3);
  EXPECT_EQ(json.at("tpot_s").at("measured").at("count"), 2);
  EXPECT_EQ(json.at("inter_token_s").at("measured").at("count"), 8);
}

TEST_F(Validate, RefusesWhatItCannotRunWithOneClearMessage) {
  const std::string plan = plan_of("qwen3", 1);
  const std::string cluster = (scratch_.path() / "cluster.yaml").string();
  const auto refused = [&](const std::string& arguments, const std::string& message) {
    const Answer run = run_program("validate " + arguments);
    EXPECT_EQ(run.code, 2) << arguments << "\n" << run.err;
    EXPECT_EQ(run.out, "") << arguments;
    EXPECT_NE(run.err.find(message), std::string::npos) << arguments << "\n" << run.err;
    EXPECT_EQ(run.err.rfind("error: ", 0), 0u) << run.err;
  };
  refused(cluster, "plan");
  refused((scratch_.path() / "none.json").string(), "no such file");
  refused(plan + " --tokens 1,2,99999 --steps 0", "99999 is not in 0 to");
  refused(plan + " --tokens 1,two", "two");
  refused(plan + " --dump-logits x.safetensors", "--tokens");
  refused(plan + " --steps 0", "--tokens");
  refused(plan + " --layers 9", "--layers 9: the model has 3");
  refused(plan + " --weights " + (kOracle / "llama").string(), "config.json is of another model than the plan");
  fs::create_directories(scratch_.path() / "bare");
  fs::copy(kOracle / "llama" / "model.safetensors", scratch_.path() / "bare");
  refused(plan + " --weights " + (scratch_.path() / "bare").string(), "self_attn");
  refused(plan + " --weights " + (kOracle / "qwen3").string() + " --tokens 1 --dump-logits " +
              (kOracle / "qwen3" / "x.safetensors").string(),
          "checkpoint's folder");
  refused(plan + " --timeout nan", "--timeout");
  refused(plan + " --tokens 1 --steps 0 -f json", "--steps");
  refused(plan + " --weights /no/such/folder", "/no/such/folder");
  refused(plan + " --pool gpu", "no pool \"gpu\"");
  refused(plan + " -f pdf", "pdf");
  refused(plan + " --rate 0", "--rate");
  refused(plan + " --rate nan", "--rate");
  refused(plan + " --requests 5", "--rate");
  refused(plan + " --rate 5 --tolerance 0.1", "--tolerance");
  refused(plan + " --rate 5 --layers 1", "--layers");
  refused(plan + " --rate 5 --tokens 1,2", "--tokens");
  refused(plan + " --cv 2 --trace x.csv", "--cv");
  refused(plan + " --trace " + scratch_.write("lengths.csv", "input_len,output_len\n3,2\n").string(), "needs a rate");
  refused(plan + " --trace " + scratch_.write("long.csv", "timestamp,input_len,output_len\n0,100000000,1\n").string(),
          "can never fit the cache");
  refused(plan + " -f json=" + plan, "input");
}

}  // namespace
}  // namespace fathom
