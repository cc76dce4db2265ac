#include "fleet/launch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "input/error.h"

namespace fathom::probe {

namespace {

using Words = std::vector<std::string>;

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// ---------------------------------------------------------------------------------------------------------------------
// One command on one host

// ssh hands one text to a shell over there; mpirun and srun hand over words.
Words on_host(const Fleet& fleet, const Host& host, const Words& command) {
  switch (fleet.launcher) {
    case Launcher::kSsh:
      return Words{"ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"} + fleet.options +
             Words{"--", host.address, shell_line(command)};
    case Launcher::kMpirun:
      return Words{"mpirun", "--host", host.address, "-np", "1", "--bind-to", "none"} + fleet.options + command;
    case Launcher::kSrun:
      // Within an allocation a step beside others; without one a job, which squeue shows under this name.
      return Words{"srun", "--overlap", "--job-name", "fathom-" + host.name, "--nodelist", host.address, "--nodes",
                   "1",    "--ntasks",  "1"} +
             fleet.options + command;
    case Launcher::kKubernetes:
      break;
  }
  return {};
}

Launch launch_on(const Fleet& fleet, const Host& host, const Words& command) {
  Launch launch;
  launch.host = launch.node = host.name;
  launch.steps.push_back({.words = on_host(fleet, host, command), .answers = true});
  return launch;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

// As JSON, which is YAML: whatever is in a word stays in it. Kubernetes takes $(NAME) for a variable, and two $ for one.
std::string quoted(const std::string& word) {
  std::string text = "\"";
  for (const char c : replaced(word, "$", "$$")) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

constexpr double kToSay = 5;  // seconds, for kubectl to say that the time was up before it is ended itself

void launch_by_kubernetes(Launch& launch, const Fleet& fleet, const Host& host, std::size_t number,
                          const Words& command, const FleetOrder& order, Seconds limit) {
  // Of this run alone: the log of another run's job is not its answer.
  const std::string job = fmt::format("fathom-probe-{}{}{}", order.run, order.run.empty() ? "" : "-", number);
  const std::pair<const char*, std::string> places[] = {{"{{job}}", quoted(job)},
                                                        {"{{namespace}}", quoted(fleet.name_space)},
                                                        {"{{node}}", quoted(host.address)},
                                                        {"{{image}}", quoted(fleet.image)},
                                                        {"{{command}}", quoted(shell_line(command))},
                                                        {"{{limit_s}}", fmt::format("{:.0f}", limit.value)}};
  launch.manifest_file = "jobs/" + host.name + ".yaml";
  launch.manifest = order.job_template;
  for (const auto& [place, value] : places) launch.manifest = replaced(std::move(launch.manifest), place, value);
  const std::string file = order.folder + "/" + launch.manifest_file;
  const Words kubectl = Words{"kubectl", "--namespace", fleet.name_space} + fleet.options;
  launch.steps = {
      {.words = kubectl + Words{"create", "-f", file}},  // and not apply: a job that is there already is another run's
      {.words = kubectl + Words{"wait", "--for=condition=complete",
                                fmt::format("--timeout={:.0f}s", std::max(1.0, limit.value - kToSay)), "job/" + job}},
      {.words = kubectl + Words{"logs", "job/" + job}, .answers = true},
      {.words = kubectl + Words{"delete", "--ignore-not-found", "-f", file}, .always = true}};
}

// ---------------------------------------------------------------------------------------------------------------------
// All of them

// What a depth may take, and as much again for whoever starts it.
Seconds default_limit(Depth depth) { return 60_s * (depth == Depth::kQuick ? 5 : depth == Depth::kStandard ? 20 : 90); }

// By timeout(1), here and over there: a launcher that is ended here may leave its program behind. With -k, for some do not want to end.
Words ended_after(Seconds limit, const Words& command) {
  return Words{"timeout", "-k", "10", fmt::format("{:.0f}", std::max(1.0, limit.value))} + command;
}

Words probe_words(const Fleet& fleet, const std::string& name, Depth depth) {
  return {fleet.program, "-q", "probe", "--name", name, "--profile", to_string(depth), "-f", "json"};
}

constexpr Seconds kPair(60), kSettle(5);  // two ways of 13 s at quick depth, and their launch; until servers listen
constexpr Seconds kPairLimit(120);

Launch pair_launch(const Fleet& fleet, int a, int b) {
  const Host &from = fleet.hosts[static_cast<std::size_t>(a)], &to = fleet.hosts[static_cast<std::size_t>(b)];
  const std::size_t at = to.address.find('@');
  const std::string address = at == std::string::npos ? to.address : to.address.substr(at + 1);
  const bool ipv6 = address.find(':') != std::string::npos;
  const std::string peer = fmt::format("{}{}{}:{}", ipv6 ? "[" : "", address, ipv6 ? "]" : "", fleet.port);
  const Words command = probe_words(fleet, from.name, Depth::kQuick) + Words{"--only", "host.network", "--peer", peer};
  Launch launch = launch_on(fleet, from, ended_after(kPairLimit, command));
  launch.host = from.name + " and " + to.name;
  launch.file = "pairs/" + from.name + "~" + to.name + ".json";
  launch.from = a, launch.to = b;
  return launch;
}

void add_pairs(FleetPlan& plan, const Fleet& fleet) {
  if (fleet.launcher == Launcher::kKubernetes) {
    throw InputError(fleet.file, {}, "--pairs: not supported yet under Kubernetes",
                     "name the nodes for ssh, and run iperf3 between them");
  }
  const std::vector<Round> rounds = pair_rounds(static_cast<int>(fleet.hosts.size()));
  plan.pair_limit = kPairLimit;
  plan.settle = kSettle;
  plan.server_limit = kPair * static_cast<double>(rounds.size()) + kSettle;
  for (const Host& host : fleet.hosts) {
    const Words server = {
        "timeout", fmt::format("{:.0f}", plan.server_limit.value), "iperf3", "-s", "-p", fmt::format("{}", fleet.port)};
    plan.servers.push_back(launch_on(fleet, host, server));
    plan.servers.back().steps.front().answers = false;
  }
  for (const Round& round : rounds) {
    plan.rounds.emplace_back();
    for (const auto& [a, b] : round) plan.rounds.back().push_back(pair_launch(fleet, a, b));
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// As a script

std::string many(std::size_t count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// The launcher of all of them.
const std::string& launcher_of(const FleetPlan& plan) { return plan.nodes.front().steps.front().words.front(); }

void print_launch(std::string& out, const Launch& launch, Seconds limit, const std::string& folder) {
  const bool several = launch.steps.size() > 1;
  if (several) out += "( ";
  for (const Step& step : launch.steps) {
    if (&step != &launch.steps.front()) out += step.always ? " ; " : " && ";
    out += shell_line(ended_after(launch_limit(limit), step.words));  // a host that hangs must not hang the fleet
    if (step.answers) out += " > " + shell_word(folder + "/" + launch.file);
    if (launch.file.empty()) out += " > /dev/null 2>&1";
  }
  if (several) out += " )";
  if (!launch.file.empty()) out += " 2> " + shell_word(folder + "/" + errors_file(launch));
  out += " &\n";
}

// In a new or empty folder, so that no record of another run stands for a host that is silent in this one.
void print_folders(std::string& out, const FleetPlan& plan, const std::string& folder) {
  const std::string word = shell_word(folder);
  const bool has_jobs = !plan.nodes.front().manifest.empty();
  const std::string& launcher = launcher_of(plan);
  out += fmt::format("command -v {} > /dev/null || {{ echo {} >&2; exit 3; }}\n", shell_word(launcher),
                     shell_word(launcher + " is not installed on this machine"));
  out += fmt::format("[ -z \"$(ls -A -- {} 2>/dev/null)\" ] || {{ echo {} >&2; exit 2; }}\n", word,
                     shell_word(folder + " is there already, and not an empty folder"));
  out += "mkdir -p -- " + shell_word(folder + "/pairs") + (has_jobs ? " " + shell_word(folder + "/jobs") : "") + "\n";
}

void print_manifests(std::string& out, const FleetPlan& plan, const std::string& folder) {
  for (const Launch& launch : plan.nodes) {
    if (launch.manifest.empty()) continue;
    out += "cat > " + shell_word(folder + "/" + launch.manifest_file) + " <<'END_OF_JOB'\n" + launch.manifest +
           "END_OF_JOB\n";
  }
}

void print_rounds(std::string& out, const FleetPlan& plan, const std::string& folder) {
  out += fmt::format("# every two nodes once, {}; servers for {:.0f} s\n", many(plan.rounds.size(), "round"),
                     plan.server_limit.value);
  for (const Launch& launch : plan.servers) print_launch(out, launch, plan.server_limit, folder);
  out += fmt::format("sleep {:.0f}\n", plan.settle.value);
  for (const auto& round : plan.rounds) {
    out += "running=\n";
    for (const Launch& launch : round) {
      print_launch(out, launch, plan.pair_limit, folder);
      out += "running=\"$running $!\"\n";
    }
    out += "wait $running\n";
  }
  out += "wait\n";
}

}  // namespace

FleetPlan plan_fleet(const Fleet& fleet, const FleetOrder& order) {
  FleetPlan plan;
  plan.node_limit = fleet.limit > Seconds(0) ? fleet.limit : default_limit(order.depth);
  for (std::size_t i = 0; i < fleet.hosts.size(); ++i) {
    const Host& host = fleet.hosts[i];
    const Words command = probe_words(fleet, host.name, order.depth) + fleet.arguments;
    Launch launch = launch_on(fleet, host, ended_after(plan.node_limit, command));
    launch.file = host.name + ".json";
    if (fleet.launcher == Launcher::kKubernetes)
      launch_by_kubernetes(launch, fleet, host, i, command, order, plan.node_limit);
    plan.nodes.push_back(std::move(launch));
  }
  if (order.pairs) add_pairs(plan, fleet);
  return plan;
}

std::string errors_file(const Launch& launch) { return launch.file.substr(0, launch.file.rfind('.')) + ".err"; }

std::string first_look(const Fleet& fleet, const Host& host) {
  if (fleet.launcher == Launcher::kKubernetes)
    return shell_line(Words{"kubectl"} + fleet.options + Words{"describe", "node", host.address});
  return shell_line(on_host(fleet, host, {fleet.program, "--version"}));
}

Seconds launch_limit(Seconds limit) {
  constexpr Seconds kToEnd(15);  // for what was ended over there to say so
  return limit + kToEnd;
}

std::string script_of(const FleetPlan& plan, const FleetOrder& order) {
  const std::string& folder = order.folder;
  std::string out = fmt::format("# {}, at most {} at once\n", many(plan.nodes.size(), "node"), kMostAtOnce);
  print_folders(out, plan, folder);
  print_manifests(out, plan, folder);
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    if (i > 0 && i % kMostAtOnce == 0) out += "wait\n";
    print_launch(out, plan.nodes[i], plan.node_limit, folder);
  }
  out += "wait\n";
  if (!plan.rounds.empty()) print_rounds(out, plan, folder);
  if (!order.judge.empty()) out += "# what that says of each node and of all; its exit code is the script's\n";
  return order.judge.empty() ? out : out + shell_line(order.judge) + "\n";
}

std::string shell_word(const std::string& word) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("@%+=:,./-_").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  return "'" + replaced(word, "'", "'\\''") + "'";
}

std::string shell_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + shell_word(word);
  return line;
}

}  // namespace fathom::probe
