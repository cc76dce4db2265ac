// The bar of a probe's record: plans on it miss what the engine measured on such a card by half of what the catalogs do at most. The
// steps are those of docs/measurements/plans_on_a_record.sh, which prints them one by one.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "harness/statistics.h"
#include "input/content.h"
#include "plan/make_plan.h"
#include "profile/fit.h"
#include "rates/rates.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom::probe {
namespace {

const std::filesystem::path kSource = FATHOM_SOURCE_DIR, kMeasurements = kSource / "docs/measurements";

struct Step {
  std::string model, weights;
  int sequences = 0, tokens_in = 0, tokens_out = 0;
  double measured = 0;  // s
};

// Of the folders that the script names, the first that has the step.
double measured_step(const std::string& folders, const std::string& name) {
  std::istringstream in(folders);
  for (std::string folder; in >> folder;) {
    const std::filesystem::path file = kMeasurements / folder / name;
    if (std::filesystem::exists(file))
      return nlohmann::json::parse(std::ifstream(file))["step"]["measured_s"].get<double>();
  }
  ADD_FAILURE() << "no folder has " << name;
  return 0;
}

std::vector<Step> steps_of_the_script() {
  const std::string script = text_of_file(kMeasurements / "plans_on_a_record.sh");
  std::smatch folders;
  EXPECT_TRUE(std::regex_search(script, folders, std::regex("STEPS:-([^}]+)\\}")));
  std::vector<Step> steps;
  std::istringstream in(script.substr(script.find("\n'\n") + 3));
  for (std::string line; std::getline(in, line) && line != "END";) {
    std::istringstream words(line);
    Step step;
    std::string name;
    words >> step.model >> step.weights >> step.sequences >> step.tokens_in >> step.tokens_out >> name;
    step.measured = measured_step(folders[1], fmt::format("{}-{}-{}.json", step.model, step.weights, name));
    steps.push_back(step);
  }
  return steps;
}

Cluster cluster_of(const Step& step, const ScratchFolder& folder) {
  return read_cluster(
      folder.write(
          "cluster.yaml",
          fmt::format("format: fathom-cluster/1\ntitle: one H200\ndate: 2026-11\n"
                      "sites:\n  - {{id: desk, kind: office, pue: 1.0}}\n"
                      "groups:\n  - id: gpu\n    nodes: 1\n    node:\n"
                      "      accelerator: {{part: nvidia-h200-sxm5-141gb, count: 1}}\n"
                      "      memory: {{size: 256 GB}}\n      price: {{value: 40000 USD, confidence: assumed}}\n"
                      "layout:\n  - {{group: gpu, tp: 1, replicas: 1}}\nfinance:\n  currency: USD\n"
                      "workload:\n  model: {}\n  engine: fathom-cuda\n  weights: [{}]\n  input_tokens: {}\n"
                      "  output_tokens: {}\n  concurrency: {}\n  slo: {{ttft: 600 s, tpot: 10 s}}\n",
                      step.model, step.weights, step.tokens_in, step.tokens_out, step.sequences)),
      shipped());
}

double median_error(const std::vector<Step>& steps, std::shared_ptr<const Profile> profile) {
  const ScratchFolder folder;
  std::vector<double> errors;
  for (const Step& step : steps) {
    const Plan plan = make_plan(cluster_of(step, folder), shipped(), profile);
    errors.push_back(std::abs(plan.pools.at(0).step_time.likely.value / step.measured - 1));
  }
  return median_of(errors);
}

TEST(PlansOnARecord, MissWhatTheEngineMeasuredByHalfOfWhatTheCatalogsDo) {
  const std::vector<Step> steps = steps_of_the_script();
  ASSERT_EQ(steps.size(), 13u);
  const double by_catalogs = median_error(steps, nullptr);
  EXPECT_GT(by_catalogs, 0.05) << "else there is little to halve";
  for (const char* record : {"tests/data/machines/h200x1.json", "tests/data/machines/h200x2.json",
                             "docs/measurements/2026-11-23-probe-standard-h200x2/probe.json"}) {
    const auto profile =
        std::make_shared<Profile>(fit_profile(rates_of(read_record(kSource / record), shipped()).measurements));
    const double on_record = median_error(steps, profile);
    EXPECT_LE(on_record, by_catalogs / 2) << record;
    std::printf("%s: median error %.1f %% by the catalogs, %.1f %% on the record\n", record, 100 * by_catalogs,
                100 * on_record);
  }
}

}  // namespace
}  // namespace fathom::probe
