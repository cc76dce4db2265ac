// Damaged records and outputs of tools, with a fixed seed: the readers refuse or read, and what was read can be judged,
// printed and written.
#include <gtest/gtest.h>

#include <cmath>

#include "fleet/launch.h"
#include "importers/importers.h"
#include "input/content.h"
#include "print/probe_report.h"
#include "support/invented_machine.h"
#include "support/mutation.h"
#include "support/planning.h"

namespace fathom::probe {
namespace {

void use(const MachineRecord& record) {
  ProbeReport report{.record = record, .health = judge_health(record, shipped()), .checklist = {}, .version = "0"};
  report.checklist = check_environment(record, read_requirements(shipped().data_dir() / "checklist.yaml"));
  EXPECT_FALSE(probe_text(report, true, false).empty());
  EXPECT_FALSE(probe_json(report).empty());
  EXPECT_FALSE(probe_junit(report).empty());
  EXPECT_TRUE(probe_prometheus(report).ends_with("\n"));
}

TEST(ProbeMutation, RecordsAreReadOrRefused) {
  std::mt19937 random(41);
  const std::string original = record_json(invented_machine());
  int refused = 0, read = 0;
  for (int round = 0; round < 1500 / kThinning; ++round) {
    std::string text = original;
    for (auto edits = 1 + random() % 3; edits > 0; --edits) text = mutated(std::move(text), random);
    SCOPED_TRACE(round);
    MachineRecord record;
    if (refusal(text, [&] { record = parse_record(text, "machine.json"); })) {
      ++refused;
      continue;
    }
    ++read;
    if (read % 5 == 0) use(record);
    EXPECT_FALSE(refusal(text, [&] { parse_record(record_json(record), "again.json"); }))
        << "what was read is written readably";
  }
  EXPECT_GT(refused, 250 / kThinning);
  EXPECT_GT(read, 50 / kThinning);
}

const std::string kHosts =
    "format: fathom-hosts/1\nlauncher: ssh\noptions: [-p, \"2222\"]\nprogram: /opt/fathom\narguments: [--storage, "
    "/srv]\n"
    "limit: 10 min\nport: 5201\nhosts:\n  - node1\n  - {name: node2, address: ops@10.0.0.2}\n";

// What is read becomes commands whose first word is the launcher, and whose host begins no option.
TEST(ProbeMutation, HostsAreReadOrRefused) {
  std::mt19937 random(43);
  int refused = 0, read = 0;
  for (int round = 0; round < 3000 / kThinning; ++round) {
    std::string text = kHosts;
    for (auto edits = 1 + random() % 3; edits > 0; --edits) text = mutated(std::move(text), random);
    SCOPED_TRACE(round);
    Fleet fleet;
    if (refusal(text, [&] { fleet = parse_hosts(text, "hosts.yaml"); })) {
      ++refused;
      continue;
    }
    ++read;
    const FleetOrder order{.pairs = true, .folder = "fleet", .job_template = {}};
    if (fleet.launcher == Launcher::kKubernetes) continue;
    EXPECT_FALSE(script_of(plan_fleet(fleet, order), order).empty());
    for (const Host& host : fleet.hosts) EXPECT_NE(host.address.front(), '-');
  }
  EXPECT_GT(refused, 500 / kThinning);
  EXPECT_GT(read, 50 / kThinning);
}

TEST(ProbeMutation, OutputsOfToolsAreReadOrRefused) {
  std::mt19937 random(42);
  std::vector<std::pair<std::string, std::string>> originals;
  const std::filesystem::path folder = std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/data/tools";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename() != "README.md")
      originals.emplace_back(entry.path().filename(), text_of_file(entry.path()));
  }
  std::sort(originals.begin(), originals.end());
  int refused = 0, read = 0;
  for (int round = 0; round < 6000 / kThinning; ++round) {
    auto [name, text] = originals[random() % originals.size()];
    for (auto edits = 1 + random() % 3; edits > 0; --edits) text = mutated(std::move(text), random);
    SCOPED_TRACE(name + " " + std::to_string(round));
    try {
      MachineRecord record = import_text(text, name);
      record.date = "2026-11-22";
      ++read;
      if (read % 5 == 0) use(record);
      const std::optional<InputError> again = refusal(text, [&] { parse_record(record_json(record), "again.json"); });
      EXPECT_FALSE(again) << again->message() << "\n" << record_json(record);
    } catch (const InputError& error) {  // a tool's output as a whole has no place to point at
      ++refused;
      EXPECT_FALSE(error.message().empty());
    }
  }
  EXPECT_GT(refused, 500 / kThinning);
  EXPECT_GT(read, 500 / kThinning);
}

}  // namespace
}  // namespace fathom::probe
