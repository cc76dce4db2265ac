// A saved plan that is right is silent; each figure changed by hand is found where it stands.
#include <gtest/gtest.h>

#include <algorithm>

#include "check/check.h"
#include "input/content.h"
#include "input/fnv64.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

const RuleBook& book() {
  static const RuleBook rules(shipped().data_dir());
  return rules;
}

// Two devices of one replica, half full, well within the service level.
const std::string kPlan = R"({
  "format_version": "1.3",
  "workload": {"slo": {"tpot_s": 0.2}},
  "verdict": {"fits": true, "meets": true, "reasons": [], "nearest": "", "caveats": [], "saturated": false},
  "pools": [{
    "layout": {"tp": 2, "pp": 1, "attention_dp": 1, "replicas": 1, "devices_per_replica": 2,
      "devices": 3,
      "idle_devices": 1},
    "memory": {
      "rows": [{"name": "weights", "bytes": 30}, {"name": "activations", "bytes": 10}],
      "used_bytes": 40,
      "capacity_bytes": 100, "withheld_bytes": 10,
      "kv_room_bytes": 50,
      "max_sequences": 20},
    "decode_sequences": 4
  }],
  "predictions": {"tpot_s": {"min": 0.05,
      "likely": 0.1,
      "max": 0.15, "confidence": "stated"}},
  "power": {"it_mean_w": 1000, "it_peak_w": 1500, "pue": 1.2,
    "site_mean_w": 1200},
  "cost": {"currency": "CNY",
    "capex": "300.00", "opex_per_year": "10.00",
    "total": "310.00", "horizon_years": 3,
    "lines": [{"id": "a", "amount": "200.00"}, {"id": "b", "amount": "100.00"}]},
  "provenance": {
    "version": "0.1.0",
    "inputs": []}
}
)";

CheckedFile check_plan_text(const std::string& text, const std::string& version = "0.1.0") {
  const ScratchFolder folder;
  return check_file(folder.write("plan.json", text), shipped(), book(), {.levels = {}, .version = version});
}

std::string all_of(const CheckedFile& file) {
  std::string out;
  for (const Finding& f : file.findings) out += std::to_string(f.spot.at.line) + " " + f.rule + ": " + f.message + "\n";
  return out;
}

TEST(PlanRules, ARightPlanIsSilent) {
  const CheckedFile found = check_plan_text(kPlan);
  EXPECT_EQ(found.kind, "plan");
  EXPECT_EQ(all_of(found), "");
}

struct Change {
  const char* rule;
  const char* before;
  const char* after;
};

std::ostream& operator<<(std::ostream& out, const Change& change) { return out << change.rule << " " << change.after; }

class ChangedPlan : public testing::TestWithParam<Change> {};

TEST_P(ChangedPlan, IsFoundWhereItWasChanged) {
  const Change& change = GetParam();
  std::string text = kPlan;
  const std::size_t at = text.find(change.before);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, std::string(change.before).size(), change.after);
  const int line = 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  const CheckedFile found = check_plan_text(text);
  EXPECT_TRUE(std::any_of(found.findings.begin(), found.findings.end(),
                          [&](const Finding& f) { return f.rule == change.rule && f.spot.at.line == line; }))
      << "line " << line << "\n"
      << all_of(found);
}

INSTANTIATE_TEST_SUITE_P(
    PlanRules, ChangedPlan,
    testing::Values(Change{"plan.fits", "\"fits\": true", "\"fits\": false"},
                    Change{"plan.slo", "\"meets\": true", "\"meets\": false"},
                    Change{"plan.slo", "\"likely\": 0.1", "\"likely\": 0.3"},
                    Change{"plan.margin", "\"saturated\": false", "\"saturated\": true"},
                    Change{"plan.margin", "\"likely\": 0.1", "\"likely\": 0.19"},
                    Change{"plan.margin", "\"max_sequences\": 20", "\"max_sequences\": 4"},
                    Change{"plan.margin", "\"caveats\": []", "\"caveats\": [\"rests on a guess\"]"},
                    Change{"plan.bands", "\"likely\": 0.1", "\"likely\": 0.01"},
                    Change{"plan.arithmetic", "\"used_bytes\": 40", "\"used_bytes\": 80"},
                    Change{"plan.arithmetic", "\"kv_room_bytes\": 50", "\"kv_room_bytes\": 90"},
                    Change{"plan.arithmetic", "\"devices\": 3", "\"devices\": 9"},
                    Change{"plan.fits", "\"devices\": 3", "\"devices\": 1"},
                    Change{"plan.fits", "\"used_bytes\": 40", "\"used_bytes\": 140"},
                    Change{"plan.arithmetic", "\"site_mean_w\": 1200", "\"site_mean_w\": 1000"},
                    Change{"plan.arithmetic", "\"capex\": \"300.00\"", "\"capex\": \"200.00\""},
                    Change{"plan.arithmetic", "\"total\": \"310.00\"", "\"total\": \"3100.00\""},
                    Change{"plan.version", "\"version\": \"0.1.0\"", "\"version\": \"0.0.9\""},
                    Change{"schema.input", "\"format_version\": \"1.3\"", "\"format_version\": \"2.0\""}));

TEST(PlanRules, APlanIsStaleWhenItsDesignHasChanged) {
  const ScratchFolder folder;
  folder.write("cluster.yaml", "one");
  Fnv64 hash;
  hash.add("one");
  std::string text = kPlan;
  const std::string none = "\"inputs\": []";
  text.replace(text.find(none), none.size(),
               "\"inputs\": [{\"path\": \"elsewhere/cluster.yaml\", \"fnv64\": \"" + hash.hex() + "\"}]");
  const auto file = folder.write("plan.json", text);
  EXPECT_EQ(all_of(check_file(file, shipped(), book(), {})), "");
  folder.write("cluster.yaml", "two");
  const CheckedFile found = check_file(file, shipped(), book(), {});
  ASSERT_EQ(found.findings.size(), 1u) << all_of(found);
  EXPECT_EQ(found.findings[0].rule, "plan.stale");
}

}  // namespace
}  // namespace fathom
