// Damaged records and outputs of tools, with a fixed seed: the readers refuse or read, and what was read can be judged,
// printed and written.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fleet/launch.h"
#include "importers/importers.h"
#include "input/content.h"
#include "print/probe_report.h"
#include "profile/fit.h"
#include "rates/rates.h"
#include "support/invented_machine.h"
#include "support/mutation.h"
#include "support/planning.h"

namespace fathom::probe {
namespace {

using Json = nlohmann::ordered_json;

void use(const MachineRecord& record) {
  ProbeReport report{.record = record, .health = judge_health(record, shipped()), .checklist = {}, .version = "0"};
  report.checklist = check_environment(record, read_requirements(shipped().data_dir() / "checklist.yaml"));
  EXPECT_FALSE(probe_text(report, true, false).empty());
  EXPECT_FALSE(probe_json(report).empty());
  EXPECT_FALSE(probe_junit(report).empty());
  const std::string textfile = probe_prometheus(report);
  EXPECT_TRUE(textfile.ends_with("\n"));
  for (const char* no_number : {"} nan", "} -nan", "} inf", "} -inf"}) {
    EXPECT_EQ(textfile.find(no_number), std::string::npos) << no_number;
  }
}

TEST(ProbeMutation, RecordsAreReadOrRefused) {
  std::mt19937 random(41);
  const std::string original = record_json(invented_machine());
  int refused = 0, read = 0;
  for (int round = 0; round < 2400 / kThinning; ++round) {
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

// ---------------------------------------------------------------------------------------------------------------------
// Records that are JSON, and have the keys of a record: what stands under one of them is something else

void collect(Json& json, std::vector<Json*>& all) {
  all.push_back(&json);
  for (Json& child : json) {
    if (child.is_structured()) {
      collect(child, all);
    } else {
      all.push_back(&child);
    }
  }
}

Json strange(const Json& was, std::mt19937& random) {
  const double number = was.is_number() ? was.get<double>() : 1;
  const std::vector<Json> all = {-number,
                                 0,
                                 1e30,
                                 -1e30,
                                 1e-30,
                                 number * 1e6,
                                 number / 1e6,
                                 "nan",
                                 "-inf",
                                 ".nan",
                                 "",
                                 "1e9999",
                                 nullptr,
                                 true,
                                 "gpu7",
                                 "gpu0>",
                                 Json::array(),
                                 Json::object(),
                                 std::string(5000, '9'),
                                 was.dump(),
                                 2147483648,
                                 0.5,
                                 "passed",
                                 "time_s",
                                 "gpu.linear",
                                 std::vector{1, 2}};
  return all[random() % all.size()];
}

// One key or element is another, is gone, is there again, or has another's value.
void change(Json& root, std::mt19937& random) {
  std::vector<Json*> all;
  collect(root, all);
  Json& at = *all[random() % all.size()];
  if (!at.is_structured() || at.empty()) {
    at = strange(at, random);
    return;
  }
  const auto nth = [&] { return std::next(at.begin(), static_cast<std::ptrdiff_t>(random() % at.size())); };
  switch (random() % 6) {
    case 0:
      at.erase(nth());
      break;
    case 1:
      at.clear();
      break;
    case 2:
      *nth() = *nth();
      break;
    case 3:
      if (at.is_array()) {
        at.push_back(Json(*nth()));
      } else {
        at["novel"] = Json(*nth());
      }
      break;
    case 4:
      at = strange(at, random);
      break;
    default:
      *nth() = Json(*all[1 + random() % (all.size() - 1)]);
      break;
  }
}

// Some results of every case that was recorded, so that damage meets each of them.
Json some_of(const std::string& file, int every) {
  Json json = Json::parse(text_of_file(kInventedMachine.parent_path() / file));
  Json few = Json::array();
  for (std::size_t i = 0; i < json["results"].size(); i += static_cast<std::size_t>(every)) {
    few.push_back(json["results"][i]);
  }
  json["results"] = few;
  json["duration_s"] = 71.5;
  json["case_durations"] = {{{"case", "gpu.gemm"}, {"duration_s", 30}}, {{"case", "gpu.copy"}, {"duration_s", 2}}};
  return json;
}

// As `fathom plan --profile` and `--fits` take it.
void plan_with(const MachineRecord& record) {
  try {
    fit_texts(fit_profile(rates_of(record, shipped()).measurements));
  } catch (const InputError& error) {
    EXPECT_FALSE(error.message().empty());
  }
}

TEST(ProbeMutation, RecordsOfOtherTypesAndValuesAreReadOrRefused) {
  std::mt19937 random(44);
  const std::vector<Json> originals = {some_of("invented-4-gpus.json", 1), some_of("h200x2.json", 9),
                                       some_of("busy-epyc-2-threads.json", 2)};
  const MachineRecord peer = invented_machine();
  int refused = 0, read = 0;
  for (int round = 0; round < 1200 / kThinning; ++round) {
    Json json = originals[random() % originals.size()];
    if (round % 4 == 0) json["format_version"] = "1.9";
    for (auto edits = 1 + random() % 3; edits > 0; --edits) change(json, random);
    const std::string text = json.dump(1);
    SCOPED_TRACE(round);
    MachineRecord record;
    if (refusal(text, [&] { record = parse_record(text, "machine.json"); })) {
      ++refused;
      continue;
    }
    ++read;
    EXPECT_FALSE(refusal(text, [&] { parse_record(record_json(record), "again.json"); }))
        << "what was read is written readably";
    if (read % 5 != 0) continue;
    use(record);
    plan_with(record);
    judge_health(record, shipped(), {peer});
    judge_health(peer, shipped(), {record});
  }
  EXPECT_GT(refused, 200 / kThinning);
  EXPECT_GT(read, 200 / kThinning);
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
