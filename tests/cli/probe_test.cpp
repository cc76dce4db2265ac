// What scripts may rely on when they probe a node: exit codes, files, formats, and clear words where something is missing.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "support/invented_machine.h"
#include "support/program.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const std::string kMachine = probe::kInventedMachine.string();

TEST(ProbeVerb, ReplaysAHealthyMachineInEveryFormat) {
  const ScratchFolder folder;
  const Answer run =
      run_program(fmt::format("probe --replay {} -f text -f json={} -f junit={} -f prometheus={} -f md={}", kMachine,
                              (folder.path() / "a.json").string(), (folder.path() / "a.xml").string(),
                              (folder.path() / "a.prom").string(), (folder.path() / "a.md").string()));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.out.find("Verdict: HEALTHY"), std::string::npos);
  const Json json = Json::parse(content_of(folder.path() / "a.json"));
  EXPECT_EQ(json["health"], "healthy");
  EXPECT_TRUE(json["passed"].get<bool>());
  EXPECT_TRUE(json["findings"].empty());
  EXPECT_EQ(json["machine"]["inventory"]["gpus"].size(), 4u);
  EXPECT_NE(content_of(folder.path() / "a.xml").find("failures=\"0\""), std::string::npos);
  EXPECT_NE(content_of(folder.path() / "a.md").find("**Verdict: HEALTHY**"), std::string::npos);
}

// The rules of node_exporter's textfile collector: one TYPE per family, its samples together, no timestamps, an end of line.
TEST(ProbeVerb, PrintsATextfileThatPrometheusReads) {
  const std::string text = run_program("probe --replay " + kMachine + " -f prometheus").out;
  EXPECT_TRUE(text.ends_with("\n"));
  std::istringstream lines(text);
  std::set<std::string> families;
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(family).second) << family;
    }
    if (line.starts_with("#")) continue;
    EXPECT_TRUE(line.starts_with(family + "{")) << line;
    EXPECT_EQ(line.substr(line.rfind('}') + 1).find(' ', 1), std::string::npos) << "a timestamp: " << line;
  }
  EXPECT_TRUE(families.contains("fathom_probe_health"));
}

// A case of two kernels would be one series twice, for which the whole file is refused.
TEST(ProbeVerb, PrintsNoSeriesAndNoTestTwice) {
  const ScratchFolder folder;
  probe::MachineRecord record = probe::invented_machine();
  for (int i = 0; i < 2; ++i) {
    probe::Result other = record.results.front();
    other.protocol.kernel = fmt::format("kernel \"{}\"", i);
    record.results.push_back(other);
    record.results.push_back(
        probe::without_figure("host.network", "host", probe::Status::kUnknown, "no answer"));  // each way
  }
  const std::string file = folder.write("two.json", record_json(record));
  for (const char* format : {"prometheus", "junit"}) {
    std::istringstream lines(run_program(fmt::format("probe --replay {} -f {}", file, format)).out);
    std::set<std::string> seen;
    int named = 0;
    for (std::string line; std::getline(lines, line);) {
      const bool is_test = line.find("<testcase") != std::string::npos;
      if (!is_test && !line.starts_with("fathom_probe")) continue;
      const std::string name = line.substr(0, is_test ? line.find(" classname") : line.rfind(' '));
      EXPECT_TRUE(seen.insert(name).second) << name;
      named += name.find("kernel") != std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(named, 2) << format;
  }
}

// As CI sees them: a slow part has failed, and what could not be told is an error.
TEST(ProbeVerb, JunitTellsWhatFailedFromWhatCouldNotBeTold) {
  const ScratchFolder folder;
  const fs::path slow = folder.write(
      "slow.json",
      probe::edited_machine(R"("gpu.gemm", "device": "gpu2")", R"("median": 7.69e+14)", R"("median": 6.2e+14)"));
  const std::string failed = run_program("probe -f junit --replay " + slow.string()).out;
  EXPECT_NE(failed.find(R"(classname="invented-4-gpus.health"><failure message="measured 620 TFLOPS, expected )"),
            std::string::npos)
      << failed.substr(0, 2000);
  EXPECT_NE(failed.find("&#10;next: "), std::string::npos);
  EXPECT_NE(failed.find(R"(failures="0" errors="0" skipped="0">)"), std::string::npos) << "of what was measured";
  const fs::path zeros =
      folder.write("zeros.json", probe::edited_machine(R"("gpu.memory.read", "device": "gpu1")",
                                                       R"("median": 4.56e+12)", R"("median": 6.08e+12)"));
  const std::string untold = run_program("probe -f junit --replay " + zeros.string()).out;
  EXPECT_NE(untold.find("<error message=\"measured 6.08 TB/s, expected at most"), std::string::npos)
      << untold.substr(0, 2000);
  EXPECT_EQ(untold.find("<failure"), std::string::npos);
  const std::string lines = run_program("probe --checklist -f junit --replay " + std::string(FATHOM_SOURCE_DIR) +
                                        "/tests/data/machines/h200x1.json")
                                .out;
  EXPECT_NE(lines.find("errors=\"4\""), std::string::npos) << lines.substr(0, 500);
  EXPECT_EQ(lines.find("measured: &#10;"), std::string::npos) << "nothing is said of what is not known";
}

// 1,338 figures of two GPUs: nobody reads each, and none is lost.
TEST(ProbeVerb, ShowsManyShapesInOneRow) {
  const std::string replay = "probe --replay tests/data/machines/h200x2.json";
  const std::string brief = run_program(replay).out, all = run_program(replay + " --all").out;
  EXPECT_LT(std::count(brief.begin(), brief.end(), '\n'), 130);
  EXPECT_GT(std::count(all.begin(), all.end(), '\n'), 1338);
  EXPECT_NE(brief.find("482 shapes"), std::string::npos);
  EXPECT_NE(brief.find("each figure: --all, or -f json"), std::string::npos);
  EXPECT_EQ(all.find("--all"), std::string::npos);
}

TEST(ProbeVerb, SaysHowLongItTook) {
  const ScratchFolder folder;
  probe::MachineRecord record = probe::invented_machine();
  record.duration = Seconds(71.5);
  record.case_times = {{.name = "host.gemm", .time = Seconds(1)},
                       {.name = "gpu.gemm", .time = Seconds(30)},
                       {.name = "gpu.copy", .time = Seconds(2)},
                       {.name = "gpu.peer", .time = Seconds(3)},
                       {.name = "collective", .time = Seconds(20.5)}};
  const std::string file = folder.write("timed.json", record_json(record));
  EXPECT_NE(run_program("probe --replay " + file)
                .out.find("probed in 1.19 min, longest gpu.gemm 30 s, collective 20.5 s, gpu.peer 3 s\n"),
            std::string::npos)
      << run_program("probe --replay " + file).out.substr(0, 800);
  const Json json = Json::parse(run_program("probe -f json --replay " + file).out);
  EXPECT_EQ(json["duration_s"], 71.5);
  EXPECT_EQ(json["machine"]["case_durations"][1]["case"], "gpu.gemm");
  EXPECT_NE(run_program("probe -f prometheus --replay " + file)
                .out.find("fathom_probe_case_duration_seconds{node=\"invented-4-gpus\",case=\"collective\"} 20.5"),
            std::string::npos);
  EXPECT_NE(run_program("probe -f junit --replay " + file).out.find("time=\"71.500\""), std::string::npos);
}

// What it says of a record that a later program wrote, wherever records are read.
TEST(ProbeVerb, ReadsWhatItKnowsOfANewerRecord) {
  const ScratchFolder folder;
  std::string text = probe::edited_machine("\"format_version\"", "1.0", "1.9");
  text.replace(text.find("\"results\""), 0, "\"novel\": 1, ");
  const std::string file = folder.write("newer.json", text);
  const std::string note = "1.9 is newer than the 1.2 that this program knows: left unread: \"novel\" in the record";
  for (const std::string& arguments : {"--replay " + file, "--checklist --replay " + file, "-f md --replay " + file,
                                       "--replay " + kMachine + " --peers " + file}) {
    const Answer run = run_program("probe " + arguments);
    EXPECT_NE(run.code, 2) << run.err;
    const std::size_t at = run.out.find(note);
    ASSERT_NE(at, std::string::npos) << arguments << run.out.substr(0, 800);
    EXPECT_EQ(run.out.find(note, at + 1), std::string::npos) << arguments;
  }
  for (const std::string& arguments : {"--replay " + file, "--checklist --replay " + file}) {
    const Json json = Json::parse(run_program("probe -f json " + arguments).out);
    EXPECT_NE(json["notes"].dump().find("1.9 is newer"), std::string::npos) << arguments;
  }
}

TEST(ProbeVerb, AFindingIsExitCodeOneInEveryFormat) {
  const ScratchFolder folder;
  const fs::path sick = folder.write(
      "sick.json",
      probe::edited_machine(R"("gpu.gemm", "device": "gpu2")", R"("median": 7.69e+14)", R"("median": 6.2e+14)"));
  for (const char* format : {"text", "json", "junit", "prometheus", "md"}) {
    const Answer run = run_program(fmt::format("probe --replay {} -f {}", sick.string(), format));
    EXPECT_EQ(run.code, 1) << format;
    EXPECT_NE(run.out.find("probe.slower-than-peers"), std::string::npos) << format;
  }
}

TEST(ProbeVerb, PrintsJunitThatFollowsTheSchema) {
  if (std::system("command -v xmllint >/dev/null") != 0) GTEST_SKIP() << "waived: no xmllint";
  const ScratchFolder folder;
  const fs::path sick = folder.write(
      "sick.json", probe::edited_machine(R"({"device": "gpu1")", R"("ecc_uncorrected": 0)", R"("ecc_uncorrected": 3)"));
  const fs::path tools = fs::path(FATHOM_SOURCE_DIR) / "tests/data/tools";
  for (const std::string& arguments :
       {"--replay " + kMachine, "--replay " + sick.string(), "--checklist --replay " + sick.string(),
        "--import " + (tools / "all_gather.json").string()}) {
    const fs::path file = folder.path() / "a.xml";
    run_program(fmt::format("probe {} -f junit={}", arguments, file.string()));
    const std::string command = "xmllint --noout --schema '" FATHOM_SOURCE_DIR "/tests/check/junit.xsd' '" +
                                file.string() + "' >'" + file.string() + ".log' 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0) << content_of(file.string() + ".log");
  }
}

TEST(ProbeVerb, HasAVerdictPerLineOfTheChecklist) {
  const Answer run = run_program("probe --checklist --replay " + kMachine + " -f json");
  EXPECT_EQ(run.code, 0);
  const Json json = Json::parse(run.out);
  ASSERT_EQ(json["checklist"].size(), 4u);
  for (const Json& line : json["checklist"]) EXPECT_EQ(line["status"], "passed") << line;
  const ScratchFolder folder;
  const fs::path lying = folder.write("lying.json", probe::edited_machine(R"("clock": {)", "C0A80001", "7F7F0101"));
  const Answer failed = run_program("probe --checklist --replay " + lying.string());
  EXPECT_EQ(failed.code, 1);
  EXPECT_NE(failed.out.find("follows no server"), std::string::npos);
}

TEST(ProbeVerb, TakesAnAttestationForARecordedMachine) {
  const ScratchFolder folder;
  const std::string record = (folder.path() / "record.json").string();
  const fs::path unattested =
      folder.write("a.json", probe::edited_machine("power_attestation", "2026-06-01", "2020-06-01"));
  EXPECT_EQ(run_program("probe --checklist --replay " + unattested.string()).code, 1);
  const fs::path drill = folder.write("drill.yaml",
                                      "format: fathom-attestation/1\nsubject: power redundancy\ndate: 2026-10-01\n"
                                      "person: B. Tester\nevidence: protocol 13\n");
  const Answer run = run_program(
      fmt::format("probe --checklist --replay {} --attestation {} -o {}", unattested.string(), drill.string(), record));
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_NE(content_of(record).find("B. Tester"), std::string::npos);
}

TEST(ProbeVerb, CountsTheGpusThatAreRequired) {
  EXPECT_EQ(run_program("probe --require-gpus 4 --replay " + kMachine).code, 0);
  const Answer fewer = run_program("probe --require-gpus 8 --replay " + kMachine);
  EXPECT_EQ(fewer.code, 1);
  EXPECT_NE(fewer.out.find("Verdict: FAILED"), std::string::npos);
  EXPECT_NE(fewer.out.find("failed [probe.gpus-missing] host"), std::string::npos) << fewer.out;
  for (const char* wrong : {"probe --require-gpus 0 --replay ", "probe --require-gpus x --replay ",
                            "probe --require-gpus 4 --checklist --replay "}) {
    EXPECT_EQ(run_program(wrong + kMachine).code, 2) << wrong;
  }
  const Answer unseen = run_program("probe --require-gpus 4 --only host.memory");
  EXPECT_EQ(unseen.code, 2);
  EXPECT_NE(unseen.err.find("no case of GPUs"), std::string::npos) << unseen.err;
}

TEST(ProbeVerb, SaysWhatToInstall) {
  const ScratchFolder folder;
  probe::MachineRecord record = probe::invented_machine();
  record.results.push_back(
      probe::without_figure("host.network", "host", probe::Status::kUnknown, "iperf3 is not installed"));
  for (probe::Result& r : record.results) {
    if (r.name != "host.storage.random_read") continue;
    r.protocol.engine = "builtin";
    r.figure->median = r.figure->q1 = r.figure->q3 = 3e5;
  }
  const std::string file = folder.write("bare.json", record_json(record));
  const Answer health = run_program("probe --replay " + file), list = run_program("probe --checklist --replay " + file);
  EXPECT_NE(health.out.find("next: install it (Debian: the package iperf3)"), std::string::npos) << health.out;
  EXPECT_NE(list.out.find("install fio"), std::string::npos) << list.out;
}

TEST(ProbeVerb, HoldsANodeAgainstOthers) {
  const ScratchFolder folder;
  const fs::path slow = folder.write("slow.json", probe::edited_machine("host.memory.read", "4.61e+11", "3.61e+11"));
  EXPECT_EQ(run_program("probe --replay " + slow.string()).code, 0);
  const fs::path other = folder.write("other.json", content_of(kMachine));
  const Answer run =
      run_program(fmt::format("probe --replay {} --peers {} {}", slow.string(), kMachine, other.string()));
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.out.find("probe.slower-than-fleet"), std::string::npos);
}

// 6.08 TB/s of a memory of 4.8: no printer may show it as a figure.
TEST(ProbeVerb, APrintedFigureThatIsVoidSaysSo) {
  const ScratchFolder folder;
  const std::string file =
      folder.write("fast.json", probe::edited_machine(R"("gpu.memory.read", "device": "gpu1")", R"("median": 4.56e+12)",
                                                      R"("median": 6.08e+12)"));
  EXPECT_NE(run_program("probe --replay " + file).out.find("implausible"), std::string::npos);
  EXPECT_EQ(run_program("probe -f prometheus --replay " + file).out.find("6.08"), std::string::npos);
  EXPECT_NE(run_program("probe -f junit --replay " + file).out.find("<skipped message=\"implausible"),
            std::string::npos);
}

TEST(ProbeVerb, NeitherOverwritesItsInputsNorLosesItsReport) {
  const ScratchFolder folder;
  const std::string drill = folder.write("drill.yaml",
                                         "format: fathom-attestation/1\nsubject: power redundancy\ndate: 2026-10-01\n"
                                         "person: B. Tester\nevidence: protocol 13\n");
  const std::string rules = folder.write("rules.yaml", content_of(FATHOM_SOURCE_DIR "/catalogs/checklist.yaml"));
  for (const std::string& arguments :
       {fmt::format("--checklist --attestation {0} -o {0}", drill),
        fmt::format("--checklist --requirements {0} -f json={0}", rules), "--peers " + kMachine,
        fmt::format("--peers {0} {0}", folder.write("peer.json", content_of(kMachine)).string())}) {
    EXPECT_EQ(run_program("probe --replay " + kMachine + " " + arguments).code, 2) << arguments;
  }
  EXPECT_NE(content_of(drill).find("B. Tester"), std::string::npos);
  const Answer run = run_program("probe --replay " + kMachine + " -o /proc/a.json");
  EXPECT_EQ(run.code, 3);
  EXPECT_TRUE(run.out.empty() || run.out.find("Verdict") != std::string::npos)
      << "before any work, or after its report";
}

TEST(ProbeVerb, ImportsSeveralToolsAtOnce) {
  const std::string tools = std::string(FATHOM_SOURCE_DIR) + "/tests/data/tools/";
  const Json json = Json::parse(
      run_program(fmt::format("probe --import {0}fio-3.33.json --import {0}all_reduce.txt --name node1 -f json", tools))
          .out);
  EXPECT_EQ(json["node"], "node1");
  EXPECT_EQ(json["machine"]["results"].size(), 7u);
}

TEST(ProbeVerb, SavesWhatItReplays) {
  const ScratchFolder folder;
  const std::string first = (folder.path() / "first.json").string(), second = (folder.path() / "second.json").string();
  run_program(fmt::format("probe --replay {} -o {}", kMachine, first));
  run_program(fmt::format("probe --replay {} -o {}", first, second));
  EXPECT_EQ(content_of(first), content_of(second));
  EXPECT_FALSE(content_of(first).empty());
  EXPECT_EQ(run_program(fmt::format("probe --replay {0} -o {0}", first)).code, 2) << "never over its input";
}

// 12,000 results have more values than files that people write.
TEST(ProbeVerb, SavesAndReplaysManyResults) {
  const ScratchFolder folder;
  std::string jobs;
  for (int i = 1; i <= 12000; ++i) {
    jobs +=
        fmt::format(R"({}{{"jobname": "a", "job options": {{"rw": "randread", "bs": "4k"}}, "read": {{"iops": {}}}}})",
                    i == 1 ? "" : ",", i);
  }
  const fs::path large = folder.write("fio.json", R"({"fio version": "fio-3.36", "jobs": [)" + jobs + "]}");
  const fs::path record = folder.path() / "record.json";
  const Answer run = run_program(fmt::format("probe --import {} -o {}", large.string(), record.string()));
  EXPECT_NE(run.code, 2) << run.err.substr(0, 300);
  EXPECT_EQ(run_program("probe --replay " + record.string()).code, run.code);
}

// A folder's name that would drive a terminal is refused by readers: what was measured is kept all the same.
TEST(ProbeVerb, KeepsUnderAnotherNameWhatItWouldNotReplay) {
  const ScratchFolder folder;
  const fs::path steering = folder.path() / "a\x1b[2Jb", record = folder.path() / "record.json";
  fs::create_directory_symlink("/proc", steering);  // where no file can be laid out, so nothing takes time
  const Answer run =
      run_program(fmt::format("probe --only host.storage --storage '{}' -o {}", steering.string(), record.string()));
  EXPECT_EQ(run.code, 2);
  EXPECT_NE(run.err.find("could not be replayed, and is kept as"), std::string::npos) << run.err;
  EXPECT_FALSE(fs::exists(record));
  EXPECT_FALSE(content_of(record.string() + ".rejected").empty());
}

// No GPU that is seen, no tool, no permission is a word in the record, and no crash.
TEST(ProbeVerb, MeasuresThisMachineWithWhatItHas) {
  const ScratchFolder folder;
  const std::string file = (folder.path() / "here.json").string();
  const Answer run =
      run_program(fmt::format("probe --only host.gemm --only gpu --only host.network --name here -o {}", file),
                  "CUDA_VISIBLE_DEVICES=");
  EXPECT_TRUE(run.code == 0 || run.code == 1) << run.err;
  const Json json = Json::parse(content_of(file));
  EXPECT_EQ(json["node"], "here");
  EXPECT_GT(json["inventory"]["processor"]["threads"], 0);
  bool measured = false, gpus_missing = false, network_not_run = false;
  for (const Json& result : json["results"]) {
    measured |= result["case"] == "host.gemm" && result.contains("flops_per_s") && result["correctness"]["correct"];
    gpus_missing |= result["case"] == "gpu.gemm" && result["status"] == "not_supported" && result["why"] != "";
    network_not_run |= result["case"] == "host.network" && result["status"] == "not_run";
  }
  EXPECT_TRUE(measured);
  EXPECT_TRUE(gpus_missing);
  EXPECT_TRUE(network_not_run);
  EXPECT_GT(json["duration_s"], 0);
  double cases = 0;
  std::set<std::string> timed;
  for (const Json& one : json["case_durations"]) {
    cases += one["duration_s"].get<double>();
    EXPECT_TRUE(timed.insert(one["case"]).second);
  }
  EXPECT_TRUE(timed.contains("host.gemm"));
  EXPECT_LE(cases, json["duration_s"].get<double>());
  const Answer again = run_program("probe --replay " + file);
  EXPECT_EQ(again.code, run.code);
}

TEST(ProbeVerb, RefusesWrongInputWithAHint) {
  const ScratchFolder folder;
  for (const auto& [arguments, words] : std::vector<std::pair<std::string, std::string>>{
           {"--replay " + (folder.path() / "none.json").string(), "none.json"},
           {"--replay " + folder.write("a.json", "{\"format\": \"fathom-machine\"}").string(), "format_version"},
           {"--replay " + folder.write("b.json", "not json at all").string(), "no machine's record"},
           {"--import " + kMachine, "--replay"},
           {"--import " + folder.write("c.txt", "nothing").string(), "known are"},
           {"--only host.memori", "host.memory"},
           {"--only host.network --peer=--logfile=x", "no host"},
           {"--only host.network --peer 'a b'", "no host"},
           {"--only host.network --peer ''", "no host"},
           {"--only host.network --peer node9:99999", "from 1 to 65535"},
           {"--only host.network --peer node9:", "from 1 to 65535"},
           {"--only host.memory --peer node9", "host.network"},
           {"--only host.memory --storage .", "host.storage"},
           {"--checklist --only host.memory", "no case of the checklist"},
           {"--checklist --only host.storage --only gpu", "no case of the checklist"},
           {"--fleet hosts.yaml -f json", "without them the launch is printed"},
           {"--replay " + kMachine + " --name ''", "it is empty"},
           {"--replay " + kMachine + " -f prometheus=-", "- is no file"},
           {"--replay " + kMachine + " -o -", "- is no file"},
           {"--replay " + kMachine + " -f json=a -f md=a", "output: a is named twice"},
           {"--replay " + kMachine + " --require-gpus 1.5", "a whole number from 1 to"},
           {"--replay " + kMachine + " --require-gpus 99999999999", "a whole number from 1 to"},
           {"--replay " + kMachine + " --no-such-option", "= help: fathom probe --help"},
           {"--only host.network --peer=[--logfile=x]", "no host"},
           {"--replay " + kMachine + " --requirements " + kMachine, "--checklist"},
           {"--replay " + kMachine + " --checklist --peers " + kMachine, "--checklist"},
           {"--replay " + kMachine + " --checklist --attestation " +
                folder
                    .write("e.yaml",
                           "format: fathom-attestation/1\nsubject: power redundancy\ndate: 67562-06-01\nperson: A\n"
                           "evidence: b\n")
                    .string(),
            "no day"},
           {"--only host.storage --storage /no/such/folder", "does not exist"},
           {"--replay " + kMachine + " --only host", "excludes"},
           {"--fleet /no/such/hosts.yaml", "no such file"},
           {"--profile slow", "quick"},
           {"--replay " + kMachine + " -f xml", "junit"},
           {"--replay " + kMachine + " --checklist --requirements " + folder.write("d.yaml", "a: 1\n").string(),
            "format"},
       }) {
    const Answer run = run_program("probe " + arguments);
    EXPECT_EQ(run.code, 2) << arguments;
    EXPECT_NE(run.err.find(words), std::string::npos) << arguments << ": " << run.err;
    EXPECT_EQ(run.out, "") << arguments;
  }
  EXPECT_EQ(run_program("probe --replay " + kMachine + " -o /no/such/folder/a.json").code, 3);
}

TEST(ProbeVerb, ExplainsItsRules) {
  const Answer all = run_program("explain probe");
  EXPECT_EQ(all.code, 0);
  for (const char* rule : {"probe.throttled", "probe.slower-than-peers", "probe.clock"}) {
    EXPECT_NE(all.out.find(rule), std::string::npos);
    EXPECT_EQ(run_program(std::string("explain ") + rule).code, 0);
  }
}

}  // namespace
}  // namespace fathom
