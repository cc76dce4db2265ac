// A fleet behind a launcher that is a script: what is printed, run, gathered and judged, and what one bad host costs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/invented_machine.h"
#include "support/program.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// `ssh` evaluates its last word, as the shell of a host would; `fathom` over there replays the host's record.
class FleetVerb : public ::testing::Test {
 protected:
  void SetUp() override {
    program("ssh",
            "for word in \"$@\"; do host=$command; command=$word; done\n"
            "case $host in\n"
            "  refuses) echo \"ssh: connect to host refuses: Connection refused\" >&2; exit 255;;\n"
            "  bare) PATH=/usr/bin:/bin;;\n"
            "  half) eval \"$command\" | head -c 2000; exit 0;;\n"
            "esac\n"
            "eval \"$command\"\n");
    program("fathom", "[ \"$2\" = probe ] || exit 9\nexec '" FATHOM_BINARY "' -q probe --replay '" +
                          folder_.path().string() + "/'\"$4\".machine --name \"$4\" -f json\n");
    for (const char* host : {"n1", "n2", "half"}) machine(host, {}, {});
  }

  void program(const std::string& name, const std::string& body) {
    const fs::path file = folder_.write(name, "#!/bin/sh\n" + body);
    fs::permissions(file, fs::perms::owner_all);
  }

  void machine(const std::string& host, const std::string& anchor, const std::pair<std::string, std::string>& edit) {
    std::string text =
        anchor.empty() ? text_of_file(probe::kInventedMachine) : probe::edited_machine(anchor, edit.first, edit.second);
    for (std::size_t at = 0; (at = text.find("GPU-", at)) != std::string::npos; at += 4) text.insert(at + 4, host);
    folder_.write(host + ".machine", text);
  }

  Answer run(const std::string& hosts, const std::string& more) {
    const fs::path file = folder_.write("hosts.yaml", "format: fathom-hosts/1\nlimit: 30 s\nhosts: " + hosts + "\n");
    return run_program(fmt::format("probe --fleet {} --records {} {}", file.string(), records().string(), more),
                       "PATH='" + folder_.path().string() + "':\"$PATH\"");
  }

  fs::path records() const { return folder_.path() / "gathered"; }

  ScratchFolder folder_;
};

TEST_F(FleetVerb, PrintsTheLaunchAndTouchesNothing) {
  const Answer answer = run("[n1, refuses]", "");
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_NE(answer.out.find("-- n1 'timeout -k 10 30 fathom -q probe --name n1 --profile quick -f json' > "),
            std::string::npos);
  EXPECT_FALSE(fs::exists(records()));
}

TEST_F(FleetVerb, WhatIsPrintedRunsInAShellAndIsJudged) {
  const fs::path script = folder_.write("launch.sh", run("[n1, n2]", "").out);
  ASSERT_EQ(std::system(("PATH='" + folder_.path().string() +
                         "':\"$PATH\" FATHOM_DATA_DIR='" FATHOM_SOURCE_DIR "/catalogs' sh " + script.string())
                            .c_str()),
            0);
  const Answer answer = run("[n1, n2]", "--judge");
  EXPECT_EQ(answer.code, 0) << answer.out << answer.err;
  EXPECT_NE(answer.out.find("Verdict: HEALTHY"), std::string::npos);
}

// The script says what came out of it, with the exit code of the verdict, and writes over no other run.
TEST_F(FleetVerb, WhatIsPrintedEndsWithTheVerdict) {
  machine("n2", R"("gpu.gemm", "device": "gpu2")", {R"("median": 7.69e+14)", R"("median": 6.2e+14)"});
  const fs::path script = folder_.write("launch.sh", run("[n1, n2]", "").out), out = folder_.path() / "out";
  const std::string command = "PATH='" + folder_.path().string() +
                              "':\"$PATH\" FATHOM_DATA_DIR='" FATHOM_SOURCE_DIR "/catalogs' sh " + script.string() +
                              " > " + out.string() + " 2>&1";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
  EXPECT_NE(text_of_file(out).find("n2 gpu2"), std::string::npos) << text_of_file(out);
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 2) << "the records of the first run are there";
  EXPECT_NE(text_of_file(out).find("not an empty folder"), std::string::npos) << text_of_file(out);
}

TEST_F(FleetVerb, WhatIsPrintedKeepsWhyAHostIsSilent) {
  const fs::path script = folder_.write("launch.sh", run("[n1, refuses, bare]", "").out), out = folder_.path() / "out";
  const std::string command = "PATH='" + folder_.path().string() +
                              "':\"$PATH\" FATHOM_DATA_DIR='" FATHOM_SOURCE_DIR "/catalogs' sh " + script.string() +
                              " > " + out.string() + " 2>&1";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
  const std::string said = text_of_file(out);
  EXPECT_NE(said.find("refuses.err ends with: ssh: connect to host refuses: Connection refused"), std::string::npos)
      << said;
  EXPECT_NE(said.find("unknown [probe.no-record] bare host"), std::string::npos) << said;
  EXPECT_NE(said.find("No such file or directory"), std::string::npos) << said;
  EXPECT_NE(said.find("2 unknown, 1 healthy"), std::string::npos) << said;
}

// A launcher that never ends is ended, here after three seconds, and the others have their verdict.
TEST_F(FleetVerb, AHostThatHangsHoldsUpNoOther) {
  program("ssh",
          "case \"$*\" in *hangs*) sleep 600;; esac\nfor word in \"$@\"; do command=$word; done\neval \"$command\"\n");
  program("timeout", "shift 3\nexec /usr/bin/timeout -k 1 3 \"$@\"\n");
  const fs::path script = folder_.write("launch.sh", run("[n1, hangs, n2]", "").out), out = folder_.path() / "out";
  const std::string command = "PATH='" + folder_.path().string() +
                              "':\"$PATH\" FATHOM_DATA_DIR='" FATHOM_SOURCE_DIR "/catalogs' sh " + script.string() +
                              " > " + out.string() + " 2>&1";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
  const std::string said = text_of_file(out);
  EXPECT_NE(said.find("Verdict: UNKNOWN"), std::string::npos) << said;
  EXPECT_NE(said.find("n2     healthy"), std::string::npos) << said;
}

TEST_F(FleetVerb, GathersRecordsAndNamesTheHostsThatGaveNone) {
  const Answer answer = run("[n1, refuses, half, n2]", "--run -f json");
  EXPECT_EQ(answer.code, 1) << answer.err;
  const Json json = Json::parse(answer.out);
  EXPECT_EQ(json["nodes"][0]["health"], "healthy");
  EXPECT_EQ(json["nodes"][1]["trouble"], "ssh ended with 255: ssh: connect to host refuses: Connection refused");
  EXPECT_EQ(json["nodes"][2]["trouble"], "its answer is no record: it is no JSON, or a part of it");
  EXPECT_EQ(json["nodes"][3]["health"], "healthy");
  EXPECT_TRUE(fs::exists(records() / "n1.json"));
  EXPECT_FALSE(fs::exists(records() / "half.json"));
  EXPECT_EQ(probe::read_record(records() / "n2.json").node, "n2");
}

TEST_F(FleetVerb, FindsTheStraggler) {
  machine("n3", R"("gpu.gemm", "device": "gpu2")", {R"("median": 7.69e+14)", R"("median": 6.2e+14)"});
  const Answer answer = run("[n1, n2, n3]", "--run");
  EXPECT_EQ(answer.code, 1) << answer.err;
  EXPECT_NE(answer.out.find("probe.slower-than-fleet"), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("n3 gpu2"), std::string::npos) << answer.out;
}

TEST_F(FleetVerb, ArgumentsOfHostsAreHeldAgainstTheProbesOwn) {
  const auto with = [&](const std::string& arguments) {
    return run("[n1]\narguments:\n  - --only\n  - host.memory\n  - " + arguments, "");
  };
  for (const char* option : {"--profile", "--format", "-f",     "-fjson",        "--output",    "-o",
                             "--name",    "--fleet",  "--run",  "--judge",       "--pairs",     "--records",
                             "--replay",  "--import", "--fits", "--peers",       "--checklist", "--requirements",
                             "--name=n2", "--help",   "-h",     "--require-gpus"}) {
    const Answer answer = with(option);
    EXPECT_EQ(answer.code, 2) << option;
    EXPECT_NE(answer.err.find("hosts.yaml:7:5"), std::string::npos) << answer.err;
    EXPECT_EQ(answer.err.find("no option"), std::string::npos) << answer.err;
  }
  EXPECT_NE(with("--stroage=/srv").err.find("did you mean \"--storage\"?"), std::string::npos);
  for (const char* wrong : {"--storage", "--", "-", "-x", "--redfish-any-certificate=yes"}) {
    const Answer answer = with(wrong);
    EXPECT_EQ(answer.code, 2) << wrong;
    EXPECT_NE(answer.err.find("hosts.yaml:7:5"), std::string::npos) << answer.err;
  }
  EXPECT_NE(with("--storage\n  - /a\n  - /b").err.find("hosts.yaml:9:5"), std::string::npos);
  // A folder of the hosts, which this machine need not have.
  const Answer good = with("gpu.gemm\n  - --storage\n  - /no/such/folder\n  - --peer=n2");
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_NE(good.out.find("-f json --only host.memory gpu.gemm --storage /no/such/folder --peer=n2"), std::string::npos)
      << good.out;
}

TEST_F(FleetVerb, WrongUseIsSaid) {
  EXPECT_EQ(run("[n1, -x]", "").code, 2);
  EXPECT_EQ(run("[n1]", "--run --judge").code, 2);
  EXPECT_EQ(run("[n1]", "--replay x").code, 2);
  EXPECT_EQ(run("[n1]", "--run -f junit").code, 2);
  EXPECT_EQ(run_program("probe --run").code, 2);
  const Answer nowhere = run("[n1, n2, half]", "--judge");
  EXPECT_EQ(nowhere.code, 2) << nowhere.out;
  EXPECT_NE(nowhere.err.find("gathered is no folder"), std::string::npos) << nowhere.err;
  EXPECT_EQ(nowhere.err.find("n1.json"), std::string::npos) << nowhere.err;  // one message, and not one for each host
  fs::create_directories(records());
  folder_.write("gathered/old.json", "{}");
  const Answer answer = run("[n1]", "--run");
  EXPECT_EQ(answer.code, 2);
  EXPECT_NE(answer.err.find("not an empty folder"), std::string::npos) << answer.err;
}

TEST_F(FleetVerb, WithoutALauncherThisMachineIsTheTrouble) {
  const fs::path file =
      folder_.write("hosts.yaml", "format: fathom-hosts/1\nlauncher: srun\noptions: [--no-such]\nhosts: [n1]\n");
  const Answer answer = run_program(
      fmt::format("probe --fleet {} --records {} --run", file.string(), records().string()), "PATH=/nowhere");
  EXPECT_EQ(answer.code, 3) << answer.out << answer.err;
  EXPECT_NE(answer.err.find("srun is not installed"), std::string::npos) << answer.err;
  EXPECT_FALSE(fs::exists(records()));
  const Answer printed = run_program(fmt::format("probe --fleet {} --records {}", file.string(), records().string()));
  const fs::path script = folder_.write("launch.sh", printed.out);
  EXPECT_EQ(WEXITSTATUS(std::system(("PATH=/nowhere /bin/sh " + script.string() + " 2>/dev/null").c_str())), 3);
  EXPECT_FALSE(fs::exists(records()));
}

}  // namespace
}  // namespace fathom
