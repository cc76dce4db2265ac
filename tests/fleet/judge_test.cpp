// A fleet with a node that is slow, one that is silent, one that sent half a record, and a bad cable.
#include "fleet/judge.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "input/error.h"
#include "print/fleet_report.h"
#include "support/fake_system.h"
#include "support/invented_machine.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom::probe {
namespace {

Fleet fleet(int nodes) {
  Fleet result;
  result.file = "hosts.yaml";
  for (int i = 0; i < nodes; ++i) result.hosts.push_back({"n" + std::to_string(i), "n" + std::to_string(i)});
  return result;
}

MachineRecord node(const std::string& name) {
  MachineRecord record = invented_machine();
  record.node = name;
  for (Gpu& gpu : record.gpus) gpu.uuid += "-" + name;
  return record;
}

FleetAnswers answers(int nodes) {
  FleetAnswers all;
  for (const Host& host : fleet(nodes).hosts) {
    Answer answer;
    answer.host = host.name;
    answer.record = node(host.name);
    all.nodes.push_back(answer);
  }
  return all;
}

Result network(const std::string& direction, double bytes_per_s) {
  Result r = without_figure("host.network", "host", Status::kPassed, "");
  r.shape = {{"direction", direction}, {"streams", "8"}};
  r.figure = single_figure(bytes_per_s);
  return r;
}

void add_pairs(FleetAnswers& all, int nodes) {
  for (int a = 0; a < nodes; ++a) {
    for (int b = a + 1; b < nodes; ++b) {
      Answer pair;
      pair.host = "n" + std::to_string(a) + " and n" + std::to_string(b);
      pair.from = a, pair.to = b;
      pair.record = node(all.nodes[static_cast<std::size_t>(a)].host);
      pair.record->results = {network("send", 5e9), network("receive", 5e9)};
      all.pairs.push_back(pair);
    }
  }
}

Result& way(FleetAnswers& all, int a, int b, const std::string& direction) {
  for (Answer& pair : all.pairs) {
    if (pair.from == a && pair.to == b) return pair.record->results[direction == "send" ? 0 : 1];
  }
  throw std::logic_error("no such pair");
}

TEST(FleetVerdict, AlikeAndWellIsHealthy) {
  FleetAnswers all = answers(4);
  add_pairs(all, 4);
  const FleetReport report = judge_nodes(fleet(4), all, shipped());
  EXPECT_EQ(report.health(), Health::kHealthy) << fleet_text(report, false, false);
  EXPECT_TRUE(report.passed());
  EXPECT_EQ(report.links, 12);
  EXPECT_NEAR(report.typical, 5e9, 1);
}

TEST(FleetVerdict, AStragglerIsFoundAmongItsPeers) {
  FleetAnswers all = answers(4);
  for (Result& r : all.nodes[2].record->results) {
    if (r.name == "gpu.memory.read") r.figure = single_figure(r.figure->median * 0.85);
  }
  const FleetReport report = judge_nodes(fleet(4), all, shipped());
  EXPECT_EQ(report.nodes[2].health.health, Health::kDegraded);
  EXPECT_EQ(report.nodes[0].health.health, Health::kHealthy);
}

std::string rules_of(const FleetNode& node) {
  std::string rules;
  for (const HealthFinding& f : node.health.findings) rules += f.rule + " " + to_string(f.health) + "\n";
  return rules;
}

// Slow beside its peers here, beside other nodes and by the catalog: three findings in JSON, one in the text.
TEST(FleetVerdict, OneSlowCaseIsOneFindingOfTheText) {
  FleetAnswers all = answers(4);
  for (Result& r : all.nodes[2].record->results) {
    if (r.name == "gpu.memory.read" && r.device == "gpu1") r.figure = single_figure(r.figure->median * 0.6);
  }
  const FleetReport report = judge_nodes(fleet(4), all, shipped());
  const HealthReport& slow = report.nodes[2].health;
  ASSERT_EQ(slow.findings.size(), 3u) << rules_of(report.nodes[2]);
  const std::vector<Complaint> complaints = complaints_of(slow);
  ASSERT_EQ(complaints.size(), 1u);
  EXPECT_EQ(complaints[0].gravest.rule, slow.findings[0].rule);
  EXPECT_EQ(complaints[0].others, (std::vector<std::string>{slow.findings[1].rule, slow.findings[2].rule}));
  const std::string text = fleet_text(report, false, false);
  EXPECT_NE(text.find("found by " + slow.findings[1].rule + ", " + slow.findings[2].rule + ", too"), std::string::npos)
      << text;
  HealthReport apart = slow;  // another device is another complaint, and so is a second figure of one rule
  apart.findings[1].device = "gpu2";
  apart.findings[2].rule = apart.findings[0].rule;
  EXPECT_EQ(complaints_of(apart).size(), 3u);
}

void lose_a_gpu(MachineRecord& record) {
  record.gpus.pop_back();
  std::erase_if(record.links, [](const Link& l) { return l.from == "gpu3" || l.to == "gpu3"; });
  std::erase_if(record.results, [](const Result& r) { return r.device.find("gpu3") != std::string::npos; });
}

TEST(FleetVerdict, ANodeThatLostAGpuIsFoundByTheOthersAndByWhatIsRequired) {
  FleetAnswers all = answers(3);
  lose_a_gpu(*all.nodes[1].record);
  Fleet of = fleet(3);
  EXPECT_EQ(rules_of(judge_nodes(of, all, shipped()).nodes[1]), "probe.gpus-missing degraded\n");
  of.gpus = 4;
  const FleetReport report = judge_nodes(of, all, shipped());
  EXPECT_EQ(rules_of(report.nodes[1]), "probe.gpus-missing failed\n");
  EXPECT_EQ(report.nodes[1].health.findings.at(0).source, "hosts.yaml");
  EXPECT_EQ(report.nodes[0].health.health, Health::kHealthy);
  of.hosts[1].gpus = 3;  // so it was bought
  EXPECT_TRUE(judge_nodes(of, all, shipped()).passed());
}

TEST(FleetVerdict, TwoNamesOfOneHostAreUnknown) {
  FleetAnswers all = answers(3);
  for (Answer& answer : all.nodes) answer.record->settings.push_back({"boot_id", answer.host});
  EXPECT_TRUE(judge_nodes(fleet(3), all, shipped()).passed());
  all.nodes[2].record->settings.back().value = "n0";
  EXPECT_TRUE(judge_nodes(fleet(3), all, shipped()).passed()) << "each has GPUs of its own: parts of a host";
  for (Answer& answer : all.nodes) {
    for (Gpu& gpu : answer.record->gpus) gpu.uuid.clear();
  }
  const FleetReport report = judge_nodes(fleet(3), all, shipped());
  EXPECT_EQ(rules_of(report.nodes[0]), "probe.same-host unknown\n");
  EXPECT_EQ(rules_of(report.nodes[1]), "");
  EXPECT_EQ(rules_of(report.nodes[2]), "probe.same-host unknown\n");
}

// Nodes are held against 64 others; whoever is another under a second name is found among all.
TEST(FleetVerdict, TwoNamesOfOneHostAreFoundInALargeFleet) {
  FleetAnswers all = answers(80);
  for (Answer& answer : all.nodes) {
    answer.record->gpus.clear();
    answer.record->links.clear();
    std::erase_if(answer.record->results, [](const Result& r) { return r.device != "host"; });
    answer.record->settings.push_back({"boot_id", answer.host});
  }
  for (std::size_t other = 60; other < 70; ++other) {
    FleetAnswers planted = all;
    planted.nodes[other].record->settings.back().value = "n3";
    const FleetReport report = judge_nodes(fleet(80), planted, shipped());
    EXPECT_EQ(rules_of(report.nodes[3]), "probe.same-host unknown\n") << other;
    EXPECT_EQ(rules_of(report.nodes[other]), "probe.same-host unknown\n") << other;
    EXPECT_EQ(rules_of(report.nodes[4]), "") << other;
  }
}

TEST(FleetVerdict, AHostWithoutARecordIsUnknownAndNamed) {
  FleetAnswers all = answers(3);
  all.nodes[1].record.reset();
  all.nodes[1].trouble = "ssh ended with 255: Connection refused";
  const FleetReport report = judge_nodes(fleet(3), all, shipped());
  EXPECT_EQ(report.health(), Health::kUnknown);
  EXPECT_FALSE(report.passed());
  EXPECT_NE(fleet_text(report, false, false).find("Connection refused"), std::string::npos);
  const auto json = nlohmann::json::parse(fleet_json(report));
  EXPECT_EQ(json["nodes"][1]["trouble"], "ssh ended with 255: Connection refused");
  EXPECT_EQ(json["health"], "unknown");
  EXPECT_EQ(rules_of(report.nodes[1]), "probe.no-record unknown\n");
  const std::string& next = report.nodes[1].health.findings.at(0).next;
  EXPECT_NE(next.find("-- n1 'fathom --version'"), std::string::npos) << next;
}

TEST(FleetVerdict, NodesAreCountedAndShownWorstFirst) {
  FleetAnswers all = answers(5);
  all.nodes[1].record.reset();
  for (Result& r : all.nodes[3].record->results) {
    if (r.name == "gpu.memory.read") r.figure = single_figure(r.figure->median * 0.85);
  }
  const FleetReport report = judge_nodes(fleet(5), all, shipped());
  const std::string text = fleet_text(report, false, false);
  EXPECT_NE(text.find("\n  1 degraded, 1 unknown, 3 healthy\n"), std::string::npos) << text;
  std::string order;
  for (const FleetNode& node : report.worst_first()) order += node.name + " ";
  EXPECT_EQ(order, "n3 n1 n0 n2 n4 ");
  EXPECT_LT(text.find("\n  n3 "), text.find("\n  n1 ")) << text;
  const auto json = nlohmann::json::parse(fleet_json(report));
  EXPECT_EQ(json["counts"], nlohmann::json({{"degraded", 1}, {"unknown", 1}, {"healthy", 3}}));
  EXPECT_EQ(json["nodes"][0]["name"], "n0");  // as in hosts.yaml
}

TEST(FleetVerdict, ABadCableIsALinkAndABadCardIsANode) {
  FleetAnswers all = answers(6);
  add_pairs(all, 6);
  way(all, 1, 4, "receive").figure = single_figure(2e9);                             // n4 > n1
  for (int b = 3; b < 6; ++b) way(all, 2, b, "send").figure = single_figure(4.2e9);  // n2 sends
  for (int a = 0; a < 2; ++a) way(all, a, 2, "receive").figure = single_figure(4.2e9);
  const FleetReport report = judge_nodes(fleet(6), all, shipped());
  ASSERT_EQ(report.network.size(), 2u) << fleet_text(report, false, false);
  EXPECT_EQ(report.network[0].rule, "probe.slow-to-all");
  EXPECT_EQ(report.network[0].device, "n2");
  EXPECT_EQ(report.network[0].health, Health::kSuspect);
  EXPECT_NE(report.network[0].what.find("sends"), std::string::npos);
  EXPECT_EQ(report.network[1].rule, "probe.slow-link");
  EXPECT_EQ(report.network[1].device, "n4>n1");
  EXPECT_EQ(report.network[1].health, Health::kDegraded);
}

TEST(FleetVerdict, APairWithoutAFigureIsNamed) {
  FleetAnswers all = answers(4);
  add_pairs(all, 4);
  all.pairs[0].record->results = {without_figure("host.network", "host", Status::kUnknown, "iperf3 is not installed")};
  all.pairs[1].record.reset();
  all.pairs[1].trouble = "ssh did not end in time";
  const FleetReport report = judge_nodes(fleet(4), all, shipped());
  EXPECT_FALSE(report.passed());
  ASSERT_EQ(report.not_measured.size(), 2u);
  EXPECT_EQ(report.not_measured[0], "n0 and n1: iperf3 is not installed");
  EXPECT_EQ(report.not_measured[1], "n0 and n2: ssh did not end in time");
}

// ---- what a launcher brought back

TEST(FleetAnswer, IsAReportOrARecordBehindWhateverAShellSays) {
  const std::string record = record_json(invented_machine());
  EXPECT_EQ(record_of_answer(record, "n1").node, "invented-4-gpus");
  EXPECT_EQ(record_of_answer("Welcome {user}!\n{\"health\": \"healthy\", \"machine\": " + record + "}", "n1").node,
            "invented-4-gpus");
  EXPECT_EQ(record_of_answer(record + "bye\n", "n1").node, "invented-4-gpus");
  EXPECT_THROW(record_of_answer("", "n1"), InputError);
  EXPECT_THROW(record_of_answer(record.substr(0, record.size() / 2), "n1"), InputError);
  EXPECT_THROW(record_of_answer("[]", "n1"), InputError);
  EXPECT_THROW(record_of_answer("{\"machine\": 3}", "n1"), InputError);
}

class HalfBroken : public FakeSystem {
 public:
  CommandOutcome run(const std::vector<std::string>& words, Seconds) const override {
    using End = CommandOutcome::End;
    const std::string& command = words.back();
    if (command.find("--name n0 ") != std::string::npos)
      return {.end = End::kExited, .code = 1, .out = record_json(node("n0")), .err = {}};
    if (command.find("--name n1 ") != std::string::npos)
      return {.end = End::kExited, .code = 255, .out = {}, .err = "\033[31mn1: Connection refused\n"};
    if (command.find("--name n2 ") != std::string::npos)
      return {.end = End::kTimedOut, .code = 0, .out = {}, .err = {}};
    return {.end = End::kExited, .code = 0, .out = record_json(node("n3")).substr(0, 300), .err = {}};
  }
};

TEST(FleetAnswer, OneHostThatFailsStopsNoOther) {
  const FleetPlan plan = plan_fleet(fleet(4), {.folder = "fleet", .job_template = {}});
  std::map<std::string, std::string> saved;
  const auto save = [&](const std::string& file, const std::string& text) { saved[file] = text; };
  const std::vector<Answer> all = run_launches(plan.nodes, plan.node_limit, HalfBroken(), save);
  ASSERT_EQ(all.size(), 4u);
  ASSERT_TRUE(all[0].record);  // with findings: exit code 1
  EXPECT_EQ(all[0].record->node, "n0");
  EXPECT_EQ(all[1].trouble, "ssh ended with 255: ?[31mn1: Connection refused");
  EXPECT_EQ(all[2].trouble, "ssh did not end in time");
  EXPECT_EQ(all[3].trouble, "its answer is no record: it is no JSON, or a part of it");
  ASSERT_EQ(saved.size(), 2u);
  EXPECT_EQ(saved["n1.err"], "\033[31mn1: Connection refused\n");
  EXPECT_EQ(parse_record(saved["n0.json"], "n0.json").node, "n0");
}

// What the launch said stands beside the record that it should have been.
TEST(FleetAnswer, AMissingRecordQuotesWhatItsLaunchSaidLast) {
  const FleetPlan plan = plan_fleet(fleet(4), {.folder = "fleet", .job_template = {}});
  const ScratchFolder folder;
  folder.write("n0.json", "\n");
  folder.write("n0.err", "Warning: added n0\nbash: fathom: \033[1mcommand not found\r\n-----\n\n");
  folder.write("n1.err", "n1: no route to host");
  folder.write("n2.err", "");
  folder.write("n3.json", record_json(node("n3")));
  folder.write("n3.err", "Warning: added n3\n");
  const FleetAnswers answers = read_answers(plan, folder.path().string());
  const auto ends = [&](std::size_t i, const std::string& end) {
    EXPECT_TRUE(answers.nodes[i].trouble.ends_with(end)) << answers.nodes[i].trouble;
  };
  ends(0, "n0.err ends with: bash: fathom: ?[1mcommand not found");
  ends(1, "n1.err ends with: n1: no route to host");
  ends(2, "there is no such file");
  EXPECT_TRUE(answers.nodes[3].record && answers.nodes[3].trouble.empty());
}

class Answering : public FakeSystem {
 public:
  explicit Answering(CommandOutcome outcome) : outcome_(std::move(outcome)) {}
  CommandOutcome run(const std::vector<std::string>&, Seconds) const override { return outcome_; }

 private:
  CommandOutcome outcome_;
};

// A host may be another one than its name says, and a file one of another run.
TEST(FleetAnswer, ARecordOfAnotherNodeIsNone) {
  const FleetPlan plan = plan_fleet(fleet(1), {.folder = "fleet", .job_template = {}});
  const auto save = [](const auto&, const auto&) {};
  const Answering other(
      {.end = CommandOutcome::End::kExited, .code = 0, .out = record_json(node("elsewhere")), .err = {}});
  const Answer answer = run_launches(plan.nodes, plan.node_limit, other, save)[0];
  EXPECT_FALSE(answer.record);
  EXPECT_NE(answer.trouble.find("the record of \"elsewhere\", and not of n0"), std::string::npos) << answer.trouble;
  const ScratchFolder folder;
  folder.write("n0.json", record_json(node("elsewhere")));
  EXPECT_FALSE(read_answers(plan, folder.path().string()).nodes[0].record);
  folder.write("n0.json", record_json(node("n0")));
  EXPECT_TRUE(read_answers(plan, folder.path().string()).nodes[0].record);
}

// n1 was silent, and what it wrote days ago is still there. A run may go past midnight.
TEST(FleetAnswer, ARecordOfAnotherRunIsNone) {
  const FleetPlan plan = plan_fleet(fleet(3), {.pairs = true, .folder = "fleet", .job_template = {}});
  const ScratchFolder folder;
  const auto write = [&](const std::string& file, const std::string& name, const std::string& date) {
    MachineRecord record = node(name);
    record.date = date;
    folder.write(file, record_json(record));
  };
  write("n0.json", "n0", "2026-12-01");
  write("n1.json", "n1", "2026-11-28");
  write("n2.json", "n2", "2026-11-30");
  write("pairs/n0~n1.json", "n0", "2026-11-22");
  const FleetAnswers answers = read_answers(plan, folder.path().string());
  EXPECT_TRUE(answers.nodes[0].record && answers.nodes[2].record);
  EXPECT_FALSE(answers.nodes[1].record);
  EXPECT_NE(answers.nodes[1].trouble.find("2026-11-28, and the newest of 2026-12-01"), std::string::npos)
      << answers.nodes[1].trouble;
  for (const Answer& pair : answers.pairs) EXPECT_FALSE(pair.record) << pair.host;
}

TEST(FleetAnswer, WhatWasEndedOverThereWasTooLate) {
  const FleetPlan plan = plan_fleet(fleet(1), {.folder = "fleet", .job_template = {}});
  const auto save = [](const auto&, const auto&) {};
  for (const int code : {124, 137}) {  // of timeout -k: it ended, or had to be killed
    const Answering late({.end = CommandOutcome::End::kExited, .code = code, .out = {}, .err = {}});
    const std::string trouble = run_launches(plan.nodes, plan.node_limit, late, save)[0].trouble;
    EXPECT_NE(trouble.find("its time was up"), std::string::npos) << code << ": " << trouble;
  }
  const Answering other({.end = CommandOutcome::End::kExited, .code = 139, .out = {}, .err = {}});
  EXPECT_EQ(run_launches(plan.nodes, plan.node_limit, other, save)[0].trouble.find("time was up"), std::string::npos);
}

TEST(FleetAnswer, WithoutALauncherThereIsTroubleWithThisMachine) {
  const FleetPlan plan = plan_fleet(fleet(2), {.folder = "fleet", .job_template = {}});
  EXPECT_THROW(run_launches(plan.nodes, 1_s, FakeSystem(), [](const auto&, const auto&) {}), std::runtime_error);
}

}  // namespace
}  // namespace fathom::probe
