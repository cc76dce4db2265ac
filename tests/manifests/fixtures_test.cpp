// Faulty files as they are found in real designs, and right ones. What is found in each is written down here: line and rule,
// no more and no less.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "check/check.h"
#include "support/planning.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

const fs::path kFixtures = fs::path(FATHOM_SOURCE_DIR) / "tests/fixtures";

const RuleBook& book() {
  static const RuleBook rules(shipped().data_dir());
  return rules;
}

struct Faulty {
  const char* file;
  const char* kind;
  std::vector<const char*> found;  // "line rule"
};

std::ostream& operator<<(std::ostream& out, const Faulty& f) { return out << f.file; }

class FaultyFile : public testing::TestWithParam<Faulty> {};

std::string lines_of(const CheckedFile& file) {
  std::string out;
  for (const Finding& f : file.findings) out += fmt::format("{} {}\n", f.spot.at.line, f.rule);
  return out;
}

TEST_P(FaultyFile, HasTheseFindingsAndNoOthers) {
  const CheckedFile file = check_file(kFixtures / "bad" / GetParam().file, shipped(), book(), {});
  std::string expected;
  for (const char* line : GetParam().found) expected += std::string(line) + "\n";
  EXPECT_EQ(lines_of(file), expected);
  EXPECT_EQ(file.kind, GetParam().kind);
  EXPECT_FALSE(file.unreadable);
  for (const Finding& f : file.findings) {
    EXPECT_GE(f.spot.at.column, 1) << f.rule;
    EXPECT_GT(f.spot.width, 0) << f.rule;
  }
}

const std::vector<Faulty> kFaulty = {
    {"access-policy.json", "manifest", {"2 manifest.access_policy"}},
    {"alerts.yaml", "rules", {"5 prometheus.range",     "9 prometheus.metric_gone",
                              "15 prometheus.quantile", "16 prometheus.bucket",
                              "19 prometheus.quantile", "19 prometheus.unit",
                              "21 prometheus.severity", "22 prometheus.counter",
                              "23 prometheus.form",     "25 prometheus.metric_misspelt",
                              "29 prometheus.range",    "29 prometheus.up",
                              "34 prometheus.memory",   "38 prometheus.percent",
                              "41 prometheus.for",      "42 prometheus.temperature",
                              "45 prometheus.pstate",   "49 prometheus.gauge_rate",
                              "51 prometheus.severity", "52 prometheus.metric",
                              "53 prometheus.form",     "55 prometheus.duplicate",
                              "60 prometheus.form"}},
    {"appliance.yaml",
     "manifest",
     {"11 manifest.selector", "15 manifest.image", "22 manifest.memory_request", "29 manifest.target",
      "35 manifest.scaling", "39 manifest.scaling"}},
    {"deploy.sh",
     "script",
     {"3 script.pipe_to_shell", "4 script.unpinned", "11 script.timeout", "13 script.smi_option"}},
    {"engine.yaml", "manifest", {"6 manifest.value",          "8 manifest.key",
                                 "13 manifest.selector",      "15 manifest.host_network",
                                 "17 manifest.value",         "20 manifest.image",
                                 "22 manifest.model_folder",  "23 manifest.parallel",
                                 "23 manifest.shared_memory", "27 manifest.value",
                                 "29 manifest.secret",        "32 manifest.startup",
                                 "33 manifest.port",          "36 manifest.device_request",
                                 "37 manifest.quantity",      "40 manifest.milli",
                                 "42 manifest.privileged",    "44 manifest.volume",
                                 "54 manifest.target",        "56 manifest.port",
                                 "57 manifest.port",          "59 manifest.api",
                                 "72 manifest.idle_devices",  "74 manifest.weights",
                                 "76 manifest.device_name",   "76 manifest.device_request",
                                 "77 manifest.host_memory",   "78 manifest.duplicate",
                                 "80 manifest.shared_memory", "80 manifest.model",
                                 "82 manifest.devices_mixed", "82 manifest.device_count"}},
    {"flattened.yaml", "manifest", {"4 manifest.indentation"}},
    {"mixed-accelerators.yaml",
     "manifest",
     {"11 manifest.selector", "18 manifest.device_name", "18 manifest.device_count", "19 manifest.devices_mixed",
      "21 manifest.variable_unread", "23 manifest.variable_unread"}},
    {"one-click.sh", "script", {"3 script.strict", "5 script.host", "10 script.apply_folder", "13 script.localhost"}},
    {"serving.yaml",
     "manifest",
     {"20 manifest.parallel", "21 manifest.startup", "32 manifest.shared_memory", "32 manifest.quantity",
      "34 manifest.claim", "47 manifest.leader", "54 manifest.disruption", "65 manifest.group_traffic",
      "68 manifest.namespace_label", "70 manifest.dns", "83 manifest.probe_port"}},
    {"triton-without-selector.yaml",
     "manifest",
     {"6 manifest.required", "13 manifest.affinity", "19 manifest.triton_image", "20 manifest.model_folder",
      "35 manifest.variable", "36 manifest.dns", "39 manifest.variable"}},
    {"vgpu.sh",
     "script",
     {"4 script.vgpu_geforce", "4 script.smi_option", "5 script.vgpu_create", "7 script.helm_release",
      "7 script.helm_repository"}},
    {"wait.sh", "script", {"4 script.wait"}},
    {"windows.sh", "script", {"1 script.line_ends"}},
};

INSTANTIATE_TEST_SUITE_P(Fixtures, FaultyFile, testing::ValuesIn(kFaulty));

TEST(Fixtures, EveryFaultyFileIsListed) {
  std::set<std::string> listed, there;
  for (const Faulty& f : kFaulty) listed.insert(f.file);
  for (const auto& entry : fs::directory_iterator(kFixtures / "bad")) there.insert(entry.path().filename());
  EXPECT_EQ(listed, there);
}

TEST(Fixtures, NothingIsFoundInRightFiles) {
  for (const auto& entry : fs::directory_iterator(kFixtures / "good")) {
    const CheckedFile file = check_file(entry.path(), shipped(), book(), {});
    EXPECT_NE(file.kind, "cluster") << entry.path();
    for (const Finding& f : file.findings) {
      ADD_FAILURE() << entry.path().filename() << ":" << f.spot.at.line << ": " << f.rule << ": " << f.message;
    }
  }
}

// Each rule of these families is planted in some file.
TEST(Fixtures, EveryRuleIsFoundSomewhere) {
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(kFixtures / "bad")) {
    for (const Finding& f : check_file(entry.path(), shipped(), book(), {}).findings) found.insert(f.rule);
  }
  for (const Rule& rule : book().rules()) {
    const std::string family = rule.family();
    if (family != "manifest" && family != "prometheus" && family != "script") continue;
    EXPECT_TRUE(found.contains(rule.id)) << rule.id;
  }
}

}  // namespace
}  // namespace fathom
