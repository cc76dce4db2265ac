// Management controllers that a test makes up, new and old, and the checklist's line on power from what they say.
#include "redfish/redfish.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "checklist/checklist.h"
#include "support/fake_system.h"
#include "support/invented_machine.h"
#include "support/planning.h"

namespace fathom::probe {
namespace {

// Answers by path, as if curl had fetched them.
class FakeController : public System {
 public:
  std::map<std::string, std::string> documents;
  mutable std::vector<std::string> last_words;

  std::optional<std::string> file(const std::string&) const override { return std::nullopt; }
  std::vector<std::string> names_in(const std::string&) const override { return {}; }
  CommandOutcome run(const std::vector<std::string>& words, Seconds) const override {
    last_words = words;
    const std::string url = words.back(), host = "https://bmc7";
    const auto found = documents.find(url.starts_with(host) ? url.substr(host.size()) : url);
    if (words.front() != "curl" || found == documents.end()) {
      return {.end = CommandOutcome::End::kExited, .code = 22, .out = {}, .err = "curl: (22) error: 404"};
    }
    return {.end = CommandOutcome::End::kExited, .code = 0, .out = found->second, .err = {}};
  }
};

std::string supply(const std::string& name, int watts, const std::string& input = "Normal") {
  return fmt::format(R"({{"Name": "{}", "PowerCapacityWatts": {}, "LineInputStatus": "{}",
    "Status": {{"State": "Enabled", "Health": "OK"}}}})",
                     name, watts, input);
}

constexpr const char* kLink = R"({{"@odata.id": "{}"}})";

// A drawer of discs, and a node with `count` supplies of which `needed` must work.
FakeController controller(int count, int needed, int watts) {
  FakeController c;
  const std::string root = "/redfish/v1/Chassis";
  c.documents[root] =
      R"({"Members": [{"@odata.id": "/redfish/v1/Chassis/Drawer"}, {"@odata.id": "/redfish/v1/Chassis/Node"}]})";
  c.documents[root + "/Drawer"] = R"({"Name": "discs"})";
  c.documents[root + "/Node"] = R"({"PowerSubsystem": {"@odata.id": "/redfish/v1/Chassis/Node/PowerSubsystem"}})";
  std::string members, group;
  for (int i = 0; i < count; ++i) {
    const std::string path = fmt::format("{}/Node/PowerSubsystem/PowerSupplies/{}", root, i);
    members += (i > 0 ? ", " : "") + fmt::format(kLink, path);
    c.documents[path] = supply(fmt::format("PSU{}", i), watts);
  }
  c.documents[root + "/Node/PowerSubsystem"] = fmt::format(
      R"({{"PowerSupplyRedundancy": [{{"RedundancyType": "NPlusM", "MinNeededInGroup": {}, "RedundancyGroup": [{}],
      "Status": {{"Health": "OK"}}}}], "PowerSupplies": {{"@odata.id": "{}/Node/PowerSubsystem/PowerSupplies"}}}})",
      needed, members, root);
  c.documents[root + "/Node/PowerSubsystem/PowerSupplies"] = fmt::format(R"({{"Members": [{}]}})", members);
  return c;
}

// Eight GPUs of 700 W.
MachineRecord node() {
  MachineRecord record;
  record.date = "2026-11-22";
  for (int i = 0; i < 8; ++i) {
    Gpu& gpu = record.gpus.emplace_back();
    gpu.device = fmt::format("gpu{}", i);
    gpu.power_limit = Watts(700);
  }
  return record;
}

const RedfishAccess kAccess{.url = "https://bmc7/"};

ChecklistLine line_of(const System& system, MachineRecord record = node()) {
  find_power(system, kAccess, record);
  const auto lines = check_environment(record, read_requirements(shipped().data_dir() / "checklist.yaml"));
  return *std::find_if(lines.begin(), lines.end(), [](const ChecklistLine& line) { return line.id == "power"; });
}

TEST(Redfish, SuppliesOfWhichHalfCarryTheGpusPass) {
  const ChecklistLine line = line_of(controller(6, 3, 3000));
  EXPECT_EQ(line.status, Status::kPassed) << line.why;
  EXPECT_EQ(line.measured, "6 supplies, 9 kW without one feed, GPUs may draw 5.6 kW");
}

TEST(Redfish, ALostFeedTakesHalfOfTheSupplies) {
  const ChecklistLine line = line_of(controller(6, 4, 3000));
  EXPECT_EQ(line.status, Status::kFailed);
  EXPECT_EQ(line.why, "4 of 6 supplies are needed: a feed that is lost takes half of them");
  EXPECT_EQ(line_of(controller(4, 2, 3000)).why,
            "the GPUs alone may draw 5.6 kW, and half of the supplies may give 5.4 kW");
  EXPECT_EQ(line_of(controller(1, 1, 3000)).why, "there is one power supply");
}

TEST(Redfish, GroupsWithoutMembersMeanAllSupplies) {
  MachineRecord record = node();
  record.power = NodePower{.supplies = {}, .groups = {{.kind = "NPlusM", .health = "OK", .members = 0, .needed = 4}}};
  for (const char* name : {"A", "B", "C", "D"}) {
    record.power->supplies.push_back(
        {.name = name, .state = "Enabled", .health = "OK", .input = "Normal", .capacity = Watts(8000)});
  }
  const auto power = [&] {
    return check_environment(record, read_requirements(shipped().data_dir() / "checklist.yaml")).front().status;
  };
  EXPECT_EQ(power(), Status::kFailed);
  record.power->groups.front().members = 8;  // of which four are there
  EXPECT_EQ(power(), Status::kFailed);
  record.power->groups.front().needed = 2;
  EXPECT_EQ(power(), Status::kPassed);
  record.power->groups.front().needed = 0;
  EXPECT_EQ(power(), Status::kNeedsAttestation);
}

TEST(Redfish, ASupplyInTroubleFailsTheLine) {
  FakeController lost = controller(6, 3, 3000);
  lost.documents["/redfish/v1/Chassis/Node/PowerSubsystem/PowerSupplies/2"] = supply("PSU2", 3000, "LossOfInput");
  EXPECT_EQ(line_of(lost).why, "the input of PSU2 is LossOfInput");
}

TEST(Redfish, WhatIsNotToldHasToBeAttested) {
  MachineRecord without_gpus;
  without_gpus.date = "2026-11-22";
  EXPECT_EQ(line_of(controller(6, 3, 3000), without_gpus).status, Status::kNeedsAttestation);
  without_gpus.power_attestation = Attestation{.date = "2026-06-01", .person = "A. Warden", .evidence = "protocol 7"};
  EXPECT_EQ(line_of(controller(6, 3, 3000), without_gpus).status, Status::kPassed);
  EXPECT_EQ(line_of(controller(6, 4, 3000), without_gpus).status, Status::kFailed);  // whoever attests it
}

TEST(Redfish, OlderControllersSayPower) {
  FakeController c;
  c.documents["/redfish/v1/Chassis"] = R"({"Members": [{"@odata.id": "/redfish/v1/Chassis/1"}]})";
  c.documents["/redfish/v1/Chassis/1"] = R"({"Power": {"@odata.id": "/redfish/v1/Chassis/1/Power"}})";
  c.documents["/redfish/v1/Chassis/1/Power"] =
      fmt::format(R"({{"PowerSupplies": [{}, {}], "Redundancy": [{{"Mode": "N+m", "MinNumNeeded": 1,
      "RedundancySet": [{{}}, {{}}]}}]}})",
                  supply("PS1", 8000), supply("PS2", 8000));
  EXPECT_EQ(line_of(c).status, Status::kPassed);
}

TEST(Redfish, ASilentOrOddControllerIsNamed) {
  EXPECT_EQ(line_of(FakeController()).status, Status::kNeedsAttestation);
  EXPECT_NE(line_of(FakeController()).why.find("https://bmc7/: curl"), std::string::npos)
      << line_of(FakeController()).why;
  for (const char* text : {"", "<html>", "{\"Members\": 7", R"({"Members": [{"@odata.id": "https://elsewhere/"}]})",
                           R"({"Members": [{}]})", "[]", "{}"}) {
    FakeController c;
    c.documents["/redfish/v1/Chassis"] = text;
    const ChecklistLine line = line_of(c);
    EXPECT_EQ(line.status, Status::kNeedsAttestation) << text;
    EXPECT_FALSE(line.why.empty()) << text;
  }
}

TEST(Redfish, APasswordIsInNoCommandLine) {
  EXPECT_EQ(trouble_with_access({.url = "https://bmc7"}), "");
  for (const char* url : {"bmc7", "https://", "ftp://bmc7", "https://root:calvin@bmc7", "https://bmc7/ --output x"}) {
    EXPECT_NE(trouble_with_access({.url = url}), "") << url;
  }
  EXPECT_NE(trouble_with_access({.url = "http://bmc7", .login = "bmc.netrc"}), "");
  const FakeController c = controller(6, 3, 3000);
  MachineRecord record = node();
  find_power(c, {.url = "https://bmc7", .login = "bmc.netrc"}, record);
  const auto at = std::find(c.last_words.begin(), c.last_words.end(), "--netrc-file");
  ASSERT_NE(at, c.last_words.end());
  EXPECT_EQ(*(at + 1), "bmc.netrc");
}

TEST(Redfish, ARecordKeepsWhatTheControllerSaid) {
  MachineRecord record = node();
  for (Gpu& gpu : record.gpus) gpu.name = "NVIDIA H100";
  find_power(controller(6, 3, 3000), kAccess, record);
  const std::string text = record_json(record);
  EXPECT_EQ(record_json(parse_record(text, "record.json")), text);
  ASSERT_TRUE(parse_record(text, "record.json").power);
  EXPECT_EQ(parse_record(text, "record.json").power->supplies.size(), 6u);
}

}  // namespace
}  // namespace fathom::probe
