// Commands for a fleet: words that survive a shell, for each launcher, and a script that a person can read.
#include "fleet/launch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "input/content.h"
#include "input/error.h"
#include "input/value.h"
#include "support/scratch_folder.h"

namespace fathom::probe {
namespace {

Fleet fleet(const std::string& launcher, const std::string& more = {}) {
  return parse_hosts("format: fathom-hosts/1\nlauncher: " + launcher + "\n" + more + "hosts: [n1, n2, n3, n4]\n",
                     "hosts.yaml");
}

std::string line(const Fleet& of) {
  return shell_line(plan_fleet(of, {.folder = "fleet", .job_template = {}}).nodes[0].steps[0].words);
}

TEST(Launch, EachLauncherHasItsWords) {
  EXPECT_EQ(line(fleet("ssh")),
            "ssh -o BatchMode=yes -o ConnectTimeout=10 -- n1 "
            "'timeout -k 10 300 fathom -q probe --name n1 --profile quick -f json'");
  EXPECT_EQ(
      line(fleet("mpirun")),
      "mpirun --host n1 -np 1 --bind-to none timeout -k 10 300 fathom -q probe --name n1 --profile quick -f json");
  EXPECT_EQ(line(fleet("srun", "options: [--partition, gpu]\n")),
            "srun --overlap --job-name fathom-n1 --nodelist n1 --nodes 1 --ntasks 1 --partition gpu "
            "timeout -k 10 300 fathom -q probe --name n1 --profile quick -f json");
}

// What a shell makes of a line of words is those words.
TEST(Launch, WordsSurviveAShell) {
  const ScratchFolder folder;
  const std::string out = (folder.path() / "out").string();
  for (const std::string word :
       {"plain", "two words", "it's", "$(touch x)", "`x`", "a\\b", "", "*", "\"q\"", "a'b'c", "-n", "~", "!x"}) {
    ASSERT_EQ(std::system(("printf '[%s]' " + shell_word(word) + " >" + out).c_str()), 0);
    EXPECT_EQ(text_of_file(out), "[" + word + "]");
  }
}

TEST(Launch, PairsAreRoundsBetweenServers) {
  const FleetPlan plan = plan_fleet(fleet("ssh"), {.pairs = true, .folder = "fleet", .job_template = {}});
  EXPECT_EQ(plan.servers.size(), 4u);
  ASSERT_EQ(plan.rounds.size(), 3u);
  EXPECT_EQ(plan.rounds[0].size(), 2u);
  const Launch& pair = plan.rounds[0][0];
  EXPECT_NE(pair.steps[0].words.back().find("--only host.network --peer n"), std::string::npos);
  EXPECT_GE(pair.from, 0);
  EXPECT_LT(pair.from, pair.to);
}

std::string job_template() {
  return text_of_file(std::filesystem::path(FATHOM_SOURCE_DIR) / "templates/kubernetes/probe-job.yaml");
}

TEST(Launch, AJobOfKubernetesIsYamlWithTheWordsInIt) {
  const Fleet of =
      fleet("kubernetes", "kubernetes: {image: registry/fathom:0.1}\narguments: [--storage, \"/srv/a \\\"b' $(x)\"]\n");
  const FleetPlan plan = plan_fleet(of, {.folder = "fleet", .job_template = job_template()});
  const Launch& launch = plan.nodes[1];
  ASSERT_EQ(launch.steps.size(), 4u);
  EXPECT_EQ(shell_line(launch.steps[0].words), "kubectl --namespace default create -f fleet/jobs/n2.yaml");
  EXPECT_TRUE(launch.steps[2].answers);
  EXPECT_TRUE(launch.steps[3].always);
  EXPECT_EQ(launch.manifest.find("{{"), std::string::npos);
  const Document job = parse_yaml(launch.manifest, "job");
  const Value* pod = job.root.find("spec")->find("template")->find("spec");
  EXPECT_EQ(pod->find("nodeName")->text, "n2");
  const Value& arguments = *pod->find("containers")->items[0].find("args");
  EXPECT_NE(arguments.items[1].text.find(R"('/srv/a "b'\'' $$(x)')"), std::string::npos) << arguments.items[1].text;
  const auto name_of = [&](const char* run) {
    const FleetPlan one = plan_fleet(of, {.folder = "fleet", .job_template = job_template(), .run = run});
    const Document named = parse_yaml(one.nodes[1].manifest, "job");
    EXPECT_EQ(one.nodes[1].steps[2].words.back(), "job/" + named.root.find("metadata")->find("name")->text);
    return named.root.find("metadata")->find("name")->text;
  };
  EXPECT_EQ(name_of("20261122"), "fathom-probe-20261122-1");  // a job of another run does not answer for it
  EXPECT_NE(name_of("20261122"), name_of("20261123"));
  EXPECT_THROW(plan_fleet(of, {.pairs = true, .folder = "fleet", .job_template = job_template()}), InputError);
}

// Whatever starts a program over there may hang here, and so may what waits for it; then comes the verdict.
TEST(Launch, TheScriptEndsEveryLaunchAndThenJudges) {
  for (const std::string launcher : {"ssh", "mpirun", "srun", "kubernetes"}) {
    const bool jobs = launcher == "kubernetes";
    const FleetOrder order{.pairs = !jobs,
                           .folder = "fleet",
                           .job_template = job_template(),
                           .judge = {"fathom", "probe", "--fleet", "my hosts.yaml", "--judge"}};
    const FleetPlan plan = plan_fleet(fleet(launcher, jobs ? "kubernetes: {image: a}\n" : "limit: 60 s\n"), order);
    const std::string script = script_of(plan, order);
    EXPECT_TRUE(script.ends_with("\nfathom probe --fleet 'my hosts.yaml' --judge\n")) << script;
    const std::string name = jobs ? "kubectl" : launcher;
    std::size_t launches = 0, ended = 0;
    for (std::size_t at = 0; (at = script.find(name + " --", at)) != std::string::npos; ++at) ++launches;
    for (std::size_t at = 0; (at = script.find(name + " -o", at)) != std::string::npos; ++at) ++launches;
    for (std::size_t at = 0; (at = script.find(" " + name + " -", at)) != std::string::npos; ++at) {
      const std::string before = script.substr(script.rfind("timeout", at), at - script.rfind("timeout", at));
      if (jobs) {
        EXPECT_NE(script.find(" ) 2> fleet/n1.err &\n"), std::string::npos) << script;
      } else {
        EXPECT_NE(script.find(" > fleet/n1.json 2> fleet/n1.err &\n"), std::string::npos) << script;
        EXPECT_NE(script.find(" 2> 'fleet/pairs/n1~n4.err' &\n"), std::string::npos) << script;
      }
      ended += std::count(before.begin(), before.end(), ' ') == 3;  // timeout -k 10 SECONDS
    }
    EXPECT_EQ(launches, jobs ? 16u : 4u + 4u + 6u) << launcher;  // four steps of each job; nodes, servers, pairs
    EXPECT_EQ(ended, launches) << script;
  }
  EXPECT_EQ(launch_limit(60_s), 75_s);
}

// As --run does: 64 side by side.
TEST(Launch, TheScriptStartsNoMoreAtOnceThanARun) {
  std::string hosts = "hosts: [n0";
  for (int i = 1; i < 130; ++i) hosts += ", n" + std::to_string(i);
  const FleetPlan plan = plan_fleet(parse_hosts("format: fathom-hosts/1\n" + hosts + "]\n", "hosts.yaml"), {});
  const std::string script = script_of(plan, {.folder = "fleet", .job_template = {}});
  std::istringstream lines(script);
  std::size_t running = 0, most = 0, all = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with(" &")) most = std::max(most, ++running), ++all;
    if (line == "wait") running = 0;
  }
  EXPECT_EQ(all, 130u);
  EXPECT_EQ(most, kMostAtOnce);
  EXPECT_EQ(running, 0u);
}

TEST(Launch, TheScriptIsOneOfAShell) {
  const ScratchFolder folder;
  for (const char* launcher : {"ssh", "srun", "kubernetes"}) {
    const bool jobs = std::string(launcher) == "kubernetes";
    const Fleet of = fleet(launcher, jobs ? "kubernetes: {image: a}\n" : "");
    const FleetOrder order{.pairs = !jobs, .folder = "it's here", .job_template = job_template()};
    const auto script = folder.write("script", script_of(plan_fleet(of, order), order));
    EXPECT_EQ(std::system(("sh -n " + script.string()).c_str()), 0) << launcher;
  }
}

}  // namespace
}  // namespace fathom::probe
