// One fault at a time in a design that has none: the rule that finds it, and the line it points at.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "check/check.h"
#include "input/content.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

const std::filesystem::path kExamples = std::filesystem::path(FATHOM_SOURCE_DIR) / "examples";

const RuleBook& book() {
  static const RuleBook rules(shipped().data_dir());
  return rules;
}

struct Fault {
  const char* rule;
  const char* file;  // of the examples
  const char* before;
  const char* after;
  const char* line;  // words of the line that is to blame, as it stands after
};

std::ostream& operator<<(std::ostream& out, const Fault& fault) { return out << fault.rule; }

class PlantedFault : public testing::TestWithParam<Fault> {};

int line_of(const std::string& text, const std::string& words) {
  const std::size_t at = text.find(words);
  return at == std::string::npos
             ? 0
             : 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

TEST_P(PlantedFault, IsFoundWhereItStands) {
  const Fault& fault = GetParam();
  std::string text = text_of_file(kExamples / fault.file);
  const std::size_t at = text.find(fault.before);
  ASSERT_NE(at, std::string::npos) << fault.before;
  text.replace(at, std::string(fault.before).size(), fault.after);
  const ScratchFolder folder;
  const std::filesystem::path file = folder.path() / "cluster.yaml";
  std::ofstream(file) << text;
  const CheckedFile found = check_file(file, shipped(), book(), {.levels = {}, .claims = false});
  ASSERT_FALSE(found.unreadable) << found.findings.front().message;
  const auto it = std::find_if(found.findings.begin(), found.findings.end(),
                               [&](const Finding& f) { return f.rule == fault.rule; });
  ASSERT_NE(it, found.findings.end());
  EXPECT_EQ(it->spot.at.line, line_of(text, fault.line)) << it->message;
  EXPECT_FALSE(it->message.empty());
}

constexpr const char* kA100 = "r1-a100-kunpeng/corrected.yaml";

INSTANTIATE_TEST_SUITE_P(
    Rules, PlantedFault,
    testing::Values(
        Fault{"power.supply", kA100, "rated: 1600 W", "rated: 800 W", "rated: 800 W"},
        Fault{"power.rack", kA100, "rack_power: 20 kW", "rack_power: 0.8 kW", "    node:"},
        Fault{"power.circuit", kA100, "    rack_units: 47",
              "    circuit: {volts: 110, amps: 10}\n    count: 16\n    rack_units: 47", "id: deepr1"},
        Fault{"thermal.inlet", kA100, "    rack_units: 47", "    inlet: 38 C\n    rack_units: 47", "inlet: 38 C"},
        Fault{"site.pue", kA100, "    pue: {low: 1.1, typical: 1.15, high: 1.25, confidence: assumed}", "    pue: 1.02",
              "pue: 1.02"},
        Fault{"link.rate", kA100, "generation: HDR", "generation: EDR", "connectx-6-vpi"},
        Fault{"nic.rate", kA100, "part: connectx-6-vpi, count: 1, rate: 200 Gb/s",
              "part: connectx-6-vpi, count: 1, rate: 400 Gb/s", "rate: 400 Gb/s"},
        Fault{"link.fibre", kA100, "rate: 200 Gb/s, medium: dac, length: 3 m",
              "rate: 100 Gb/s, medium: 100g-lr4, fibre: OM4, length: 3 m", "fibre: OM4"},
        Fault{"link.reach", kA100, "rate: 200 Gb/s, medium: dac, length: 3 m",
              "rate: 100 Gb/s, medium: 100g-sr4, fibre: OM4, length: 300 m", "length: 300 m"},
        Fault{"fabric.ports", kA100, "{from: deepr1, to: leaf, count: 16", "{from: deepr1, to: leaf, count: 48",
              "mellanox-qm8700"},
        Fault{"bill.switches", kA100,
              "    switches:\n      - {role: leaf, part: mellanox-qm8700, count: 1}  # 16 of 40 ports; missing in the "
              "bill\n"
              "    links:\n      - {from: deepr1, to: leaf, count: 16, rate: 200 Gb/s, medium: dac, length: 3 m}\n",
              "", "- id: ib"},
        Fault{"pcie.lanes", kA100, "huawei-kunpeng-920-7260, count: 2", "huawei-kunpeng-920-7260, count: 1",
              "huawei-kunpeng-920-7260, count: 1"},
        Fault{"storage.domains", kA100, "scheme: ec-8+3", "scheme: ec-16+4", "scheme: ec-16+4"},
        Fault{"bill.unpriced", kA100, "\n", "\n", "groups:"},
        Fault{"availability.spares", kA100, "  mttr: {value: 24 h", "  target: 0.999\n  mttr: {value: 24 h",
              "target: 0.999"}));

// A corrected design is one in which a rule has nothing to complain about that would stop it.
TEST(DesignRules, TheCorrectedExamplesHaveNoError) {
  for (const char* name : {"r1-a100-kunpeng", "community-1000-homes", "team-30-r1-32b", "r1-appliance-h100"}) {
    const CheckedFile found =
        check_file(kExamples / name / "corrected.yaml", shipped(), book(), {.levels = {}, .claims = false});
    for (const Finding& f : found.findings)
      EXPECT_NE(f.severity, Severity::kError) << name << ": " << f.rule << " " << f.message;
  }
}

// A claim that cannot be read says so at its own place, and the others get their verdicts.
TEST(Claims, ThatCannotBeReadHideNoOthers) {
  std::string text = text_of_file(kExamples / "team-30-r1-32b" / "corrected.yaml");
  for (const auto& [before, after] : {std::pair<std::string, std::string>{"value: 5 /s", "value: 5 furlongs"},
                                      {"value: 16\n", "value: 32\n"},
                                      {"about: software.runs_on", "about: software.runs_off"}}) {
    const std::size_t at = text.find(before);
    ASSERT_NE(at, std::string::npos) << before;
    text.replace(at, before.size(), after);
  }
  const ScratchFolder folder;
  const CheckedFile found = check_file(folder.write("cluster.yaml", text), shipped(), book(), {});
  EXPECT_TRUE(found.unreadable);
  std::vector<std::pair<std::string, int>> places;
  for (const Finding& f : found.findings) places.emplace_back(f.rule, f.spot.at.line);
  const std::vector<std::pair<std::string, int>> expected = {{"part.cores", line_of(text, "value: 32\n")},
                                                             {"schema.input", line_of(text, "5 furlongs")},
                                                             {"schema.input", line_of(text, "software.runs_off")}};
  EXPECT_EQ(places, expected);
  EXPECT_GE(found.claims_held, 15);
}

}  // namespace
}  // namespace fathom
