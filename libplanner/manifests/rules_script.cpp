#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "input/utf8.h"
#include "manifests/engine_call.h"
#include "manifests/script_rules.h"
#include "manifests/shell.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::manifests {

namespace {

struct ScriptCase {
  std::string_view text;
  const ShellScript& script;
  const Vocabulary& vocabulary;
  const Catalog& catalog;
};

Mark mark(const ShellCommand& command) { return command.words.front().mark; }

bool is_url(std::string_view word) { return word.starts_with("https://") || word.starts_with("http://"); }

// ---------------------------------------------------------------------------------------------------------------------
// How it stops

void check_strictness(const ScriptCase& c, Remarks& out) {
  std::string set;
  const ShellCommand* first = nullptr;
  bool pipefail = false;
  for (const ShellCommand& command : c.script.commands) {
    if (command.program() != "set") continue;
    if (first == nullptr) first = &command;
    for (std::size_t i = 1; i < command.words.size(); ++i) {
      const std::string& word = command.words[i].text;
      if (word.starts_with('-')) set += word;
      pipefail = pipefail || word == "pipefail";
      if (word == "errexit") set += "e";
      if (word == "nounset") set += "u";
    }
  }
  const bool deploys = std::any_of(c.script.commands.begin(), c.script.commands.end(), [](const ShellCommand& command) {
    return command.runs("kubectl") || command.runs("helm") || command.runs("docker");
  });
  if (!deploys) return;
  const bool bash = c.script.shell == "bash";
  std::vector<std::string> missing;
  if (set.find('e') == std::string::npos) missing.emplace_back("-e (a command that fails is passed over)");
  if (set.find('u') == std::string::npos) missing.emplace_back("-u (a misspelt variable is empty)");
  if (bash && !pipefail) missing.emplace_back("-o pipefail (only the last command of a pipe counts)");
  if (missing.empty() || c.script.shell.empty()) return;
  out.push_back({.rule = "script.strict",
                 .mark = first != nullptr ? mark(*first) : mark(c.script.commands.front()),
                 .message = "the script goes on after mistakes: it does not set " + listed(missing, " and "),
                 .terms = {},
                 .help = bash ? "set -euo pipefail" : "set -eu"});
}

// ---------------------------------------------------------------------------------------------------------------------
// What it fetches

std::vector<const ShellWord*> applied(const ShellCommand& command) {
  std::vector<const ShellWord*> out;
  if (!command.runs("kubectl", {"apply"}) && !command.runs("kubectl", {"create"})) return out;
  for (std::size_t i = 1; i < command.words.size(); ++i) {
    const std::string& word = command.words[i].text;
    if ((word == "-f" || word == "--filename") && i + 1 < command.words.size()) out.push_back(&command.words[i + 1]);
    if (word.starts_with("--filename=") || (word.starts_with("-f") && word.size() > 2))
      out.push_back(&command.words[i]);
  }
  return out;
}

std::string_view url_in(std::string_view word) {
  const std::size_t at = word.find("http");
  return at == std::string_view::npos ? std::string_view{} : word.substr(at);
}

// A page of a folder: no file that kubectl could read.
bool is_folder_url(std::string_view url) {
  const bool page = url.find("github.com/") != std::string_view::npos && url.find("raw.") == std::string_view::npos &&
                    (url.find("/tree/") != std::string_view::npos || url.find("/blob/") != std::string_view::npos);
  const std::string_view path = url.substr(0, url.find('?'));
  return page || path.ends_with('/');
}

bool names_a_branch(std::string_view url) {
  for (const char* branch : {"/main/", "/master/", "/HEAD/", "/latest/", "/develop/", "refs/heads/"}) {
    if (url.find(branch) != std::string_view::npos) return true;
  }
  return false;
}

void check_fetches(const ScriptCase& c, Remarks& out) {
  for (std::size_t i = 0; i < c.script.commands.size(); ++i) {
    const ShellCommand& command = c.script.commands[i];
    for (const ShellWord* file : applied(command)) {
      const std::string_view url = url_in(file->text);
      if (!is_url(url) || url.find('$') != std::string_view::npos) continue;
      if (is_folder_url(url)) {
        out.push_back({.rule = "script.apply_folder",
                       .mark = file->mark,
                       .message = fmt::format("kubectl apply -f takes files, and {} is a folder on the web", url),
                       .terms = {},
                       .help = "fetch the release and apply its folder, or -k with a ?ref= of a version"});
      } else if (names_a_branch(url)) {
        out.push_back({.rule = "script.unpinned",
                       .mark = file->mark,
                       .message = "what is applied changes whenever somebody commits to the branch",
                       .terms = {},
                       .help = "name a tag or commit, and keep the file with the design"});
      }
    }
    const bool fetches = command.runs("curl") || command.runs("wget");
    if (!fetches || !command.piped || i + 1 >= c.script.commands.size()) continue;
    const ShellCommand& next = c.script.commands[i + 1];
    if (!next.runs("bash") && !next.runs("sh")) continue;
    out.push_back({.rule = "script.pipe_to_shell",
                   .mark = mark(command),
                   .message = "what comes from the net runs at once, whole or cut off, and nobody has seen it",
                   .terms = {},
                   .help = "fetch a version, compare its sha256, then run it"});
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// nvidia-smi

bool is_geforce(std::string text) {
  for (char& ch : text) ch = static_cast<char>(ch >= 'A' && ch <= 'Z' ? ch + 32 : ch);
  for (const char* name : {"geforce", "2080ti", "2080-ti", "rtx2080", "rtx-2080", "rtx3090", "rtx-3090", "rtx4090",
                           "rtx-4090", "rtx5090", "rtx-5090", "gtx10", "gtx-10"}) {
    if (text.find(name) != std::string::npos) return true;
  }
  return false;
}

void check_smi_options(const ShellCommand& command, const Vocabulary& v, Remarks& out) {
  for (std::size_t i = 1; i < command.words.size(); ++i) {
    const ShellWord& word = command.words[i];
    const std::string option = word.text.substr(0, word.text.find('='));
    if (!option.starts_with('-') || option.size() < 2 || option.starts_with("--help")) continue;
    if (option.find_first_of("0123456789$") != std::string::npos) continue;  // a value
    if (std::find(v.smi_options.begin(), v.smi_options.end(), option) != v.smi_options.end()) continue;
    // One dash and a word: -virt-mode for --virt-mode.
    const std::string close = did_you_mean("-" + option, v.smi_options);
    const bool virtualisation = option.find("virtualization") != std::string::npos;
    out.push_back({.rule = "script.smi_option",
                   .mark = word.mark,
                   .message = fmt::format("nvidia-smi has no option {}", option),
                   .terms = {},
                   .help = virtualisation  ? "the mode is set with -vm (3: vGPU), and only on a hypervisor"
                           : close.empty() ? "nvidia-smi --help lists them"
                                           : fmt::format("did you mean \"{}\"?", close)});
  }
}

void check_smi(const ScriptCase& c, Remarks& out) {
  const Vocabulary& v = c.vocabulary;
  bool geforce = is_geforce(std::string(c.text));
  for (const ShellCommand& command : c.script.commands) {
    if (!command.runs("nvidia-smi")) continue;
    const bool vgpu = command.runs("nvidia-smi", {"vgpu"});
    const bool sub = command.words.size() > 1 && std::find(v.smi_commands.begin(), v.smi_commands.end(),
                                                           command.words[1].text) != v.smi_commands.end();
    if (!sub) check_smi_options(command, v, out);
    const ShellWord* made = vgpu ? command.value("-c") : nullptr;
    if (made != nullptr && !made->text.starts_with('-')) {
      out.push_back(
          {.rule = "script.vgpu_create",
           .mark = mark(command),
           .message = fmt::format("nvidia-smi vgpu -c lists the types that could be created; it creates none of the {}",
                                  made->text),
           .terms = {},
           .help = "vGPUs are made by the hypervisor, or through mdev or SR-IOV in sysfs"});
    }
    const bool mode = command.has("-vm") || command.has("--virt-mode") || command.has("-gpu-virtualization-mode");
    if ((vgpu || mode) && geforce) {
      geforce = false;  // once is enough
      out.push_back({.rule = "script.vgpu_geforce",
                     .mark = mark(command),
                     .message = "GeForce cards have no vGPU: they are not among the devices that its software supports",
                     .terms = {},
                     .help = "pass the whole card through"});
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// What it deploys and waits for

// "kind: X" and "name: Y" of a manifest in a here-document, by their lines: the first name behind each kind.
void names_in(const std::string& manifest, std::vector<std::string>& out) {
  bool wanted = false;
  std::size_t at = 0;
  while (at < manifest.size()) {
    const std::size_t end = std::min(manifest.find('\n', at), manifest.size());
    const std::string_view line = std::string_view(manifest).substr(at, end - at);
    if (line.starts_with("kind:")) wanted = true;
    const std::string_view bare = trimmed(line);
    if (wanted && bare.starts_with("name:")) {
      std::string_view name = trimmed(bare.substr(5));
      if (name.size() > 1 && (name[0] == '"' || name[0] == '\'')) name = name.substr(1, name.size() - 2);
      out.emplace_back(name);
      wanted = false;
    }
    at = end + 1;
  }
}

// The names that the script deploys; empty when it deploys something that it does not show.
std::vector<std::string> deployed_names(const ScriptCase& c) {
  std::vector<std::string> names;
  for (const ShellCommand& command : c.script.commands) {
    if (command.runs("helm") || command.runs("kustomize") || command.runs("terraform") || command.has("-k")) return {};
    for (const ShellWord* file : applied(command)) {
      if (file->text != "-" || command.input.empty()) return {};
      names_in(command.input, names);
    }
    if (command.runs("kubectl", {"create", "deployment"}) && command.words.size() > 3)
      names.push_back(command.words[3].text);
  }
  return names;
}

// "deployment/x" of kubectl wait and kubectl rollout status.
const ShellWord* awaited(const ShellCommand& command) {
  if (!command.runs("kubectl", {"wait"}) && !command.runs("kubectl", {"rollout"})) return nullptr;
  for (const ShellWord& word : command.words) {
    for (const char* kind : {"deployment/", "deploy/", "deployment.apps/", "statefulset/", "sts/", "daemonset/"}) {
      if (word.text.starts_with(kind) && word.text.find('$') == std::string::npos) return &word;
    }
  }
  return nullptr;
}

// "300s", "5m", "1h30m"; nullopt for anything else. kubectl and helm.
std::optional<double> seconds_of(std::string_view word) {
  double sum = 0;
  while (!word.empty()) {
    int count = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
    if (error != std::errc{} || end == word.data() + word.size()) return std::nullopt;
    word.remove_prefix(static_cast<std::size_t>(end - word.data()));
    const char unit = word[0];
    if (unit != 's' && unit != 'm' && unit != 'h') return std::nullopt;
    sum += count * (unit == 's' ? 1.0 : unit == 'm' ? 60.0 : 3600.0);
    word.remove_prefix(1);
  }
  return sum > 0 ? std::optional(sum) : std::nullopt;
}

// The largest model that the script names.
const ModelEntry* named_model(const ScriptCase& c) {
  const ModelEntry* largest = nullptr;
  for (const ModelEntry& model : c.catalog.all<ModelEntry>()) {
    if (!model.hf_repo) continue;
    const std::size_t at = c.text.find(*model.hf_repo);
    if (at == std::string_view::npos) continue;
    const std::size_t end = at + model.hf_repo->size();
    const bool longer = end < c.text.size() && (c.text[end] == '-' || c.text[end] == '.' ||
                                                std::isalnum(static_cast<unsigned char>(c.text[end])) != 0);
    if (!longer && (largest == nullptr || published_weights(*largest) < published_weights(model))) largest = &model;
  }
  return largest;
}

void check_waits(const ScriptCase& c, Remarks& out) {
  const std::vector<std::string> names = deployed_names(c);
  const ModelEntry* model = named_model(c);
  const Seconds load = model != nullptr ? least_load_time(*model, c.catalog) : Seconds{};
  for (const ShellCommand& command : c.script.commands) {
    const ShellWord* target = awaited(command);
    if (target == nullptr) continue;
    const std::string name = target->text.substr(target->text.find('/') + 1);
    if (!names.empty() && std::find(names.begin(), names.end(), name) == names.end()) {
      out.push_back({.rule = "script.wait",
                     .mark = target->mark,
                     .message = fmt::format("the script waits for {} and deploys {}", name, listed(names, " and ")),
                     .terms = {},
                     .help = {}});
    }
    const bool wait = command.runs("kubectl", {"wait"});
    const std::string given = command.text_of("--timeout");
    const auto patience = given.empty() && wait ? std::optional(30.0) : seconds_of(given);
    if (!patience || *patience >= load.value) continue;
    out.push_back(
        {.rule = "script.timeout",
         .mark = mark(command),
         .message =
             fmt::format("{:g} s of patience{}, and {} takes at least {} to load", *patience,
                         given.empty() ? " (kubectl wait without --timeout)" : "", *model->hf_repo, to_string(load)),
         .terms = {fmt::format("{} from the fastest disk of the catalog", to_string(published_weights(*model)))},
         .help = "a timeout from the plan: twice the load, and minutes for compiling"});
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Where it runs, and helm

void check_localhost(const ScriptCase& c, Remarks& out) {
  bool deployed = false, forwarded = false;
  for (const ShellCommand& command : c.script.commands) {
    deployed = deployed || command.runs("kubectl", {"apply"}) || command.runs("helm", {"install"}) ||
               command.runs("helm", {"upgrade"}) || command.runs("kubectl", {"create"});
    forwarded = forwarded || command.runs("kubectl", {"port-forward"}) || command.runs("kubectl", {"proxy"}) ||
                command.runs("ssh") || command.runs("docker") || command.runs("minikube") || command.runs("kind") ||
                command.runs("k3d") || command.runs("systemctl") || command.runs("podman");
    if (!deployed || forwarded || command.runs("kubectl")) continue;
    for (const ShellWord& word : command.words) {
      if (word.text.find("//localhost:") == std::string::npos && word.text.find("//127.0.0.1:") == std::string::npos &&
          !word.text.starts_with("localhost:"))
        continue;
      out.push_back({.rule = "script.localhost",
                     .mark = mark(command),
                     .message = "nothing listens on this machine: the service runs in the cluster",
                     .terms = {},
                     .help = "kubectl port-forward before, or ask from inside with kubectl exec"});
      return;
    }
  }
}

void check_host(const ScriptCase& c, Remarks& out) {
  const bool remote = std::any_of(c.script.commands.begin(), c.script.commands.end(), [](const ShellCommand& command) {
    return command.runs("kubectl", {"apply"}) || command.runs("helm", {"install"}) || command.runs("helm", {"upgrade"});
  });
  if (!remote) return;
  for (const ShellCommand& command : c.script.commands) {
    if (!command.runs("nvidia-smi") || command.words.size() > 1) continue;
    out.push_back({.rule = "script.host",
                   .mark = mark(command),
                   .message = "this looks for a GPU where kubectl runs, which is seldom where the pods do",
                   .terms = {},
                   .help = "kubectl get nodes -o custom-columns=…:.status.allocatable"});
    return;
  }
}

void check_helm(const ScriptCase& c, Remarks& out) {
  std::set<std::string> added;
  for (const ShellCommand& command : c.script.commands) {
    if (command.runs("helm", {"repo", "add"}) && command.words.size() > 3) added.insert(command.words[3].text);
    if (!command.runs("helm", {"install"})) continue;
    std::vector<const ShellWord*> names;
    for (std::size_t i = 2; i < command.words.size(); ++i) {
      const std::string& word = command.words[i].text;
      if (word.starts_with('-')) {
        static const std::set<std::string> kFlags = {
            "--wait",  "--create-namespace", "--atomic",           "--generate-name", "--debug", "--dry-run",
            "--devel", "--replace",          "--dependency-update"};
        if (word.find('=') == std::string::npos && !kFlags.contains(word)) ++i;
      } else {
        names.push_back(&command.words[i]);
      }
    }
    if (names.size() != 2) continue;
    const std::string &release = names[0]->text, &chart = names[1]->text;
    const std::size_t slash = chart.find('/');
    const std::string chart_name = chart.substr(slash == std::string::npos ? 0 : slash + 1);
    const std::vector<std::string>& charts = c.vocabulary.charts;
    if (release != chart_name && std::find(charts.begin(), charts.end(), release) != charts.end() &&
        std::find(charts.begin(), charts.end(), chart_name) != charts.end()) {
      out.push_back({.rule = "script.helm_release",
                     .mark = names[0]->mark,
                     .message = fmt::format("the release is called {} and installs the chart {}, which is another one",
                                            release, chart_name),
                     .terms = {},
                     .help = {}});
    }
    const bool from_repository = slash != std::string::npos && slash > 0 && chart[0] != '.' &&
                                 chart.find(':') == std::string::npos && chart[0] != '$' &&
                                 chart.find('/', slash + 1) == std::string::npos;
    if (from_repository && !command.has("--repo") && !added.contains(chart.substr(0, slash))) {
      out.push_back(
          {.rule = "script.helm_repository",
           .mark = names[1]->mark,
           .message = fmt::format("the script adds no repository {}: the chart is found only where somebody did before",
                                  chart.substr(0, slash)),
           .terms = {},
           .help = "helm repo add, and --version for the chart"});
    }
  }
}

void check_line_ends(std::string_view text, Remarks& out) {
  const std::string_view first = text.substr(0, text.find('\n'));
  if (!first.starts_with("#!") || !first.ends_with('\r')) return;
  out.push_back(
      {.rule = "script.line_ends",
       .mark = {{1, 1}, code_points(first.substr(0, first.size() - 1))},
       .message = "the lines end as on Windows: the system looks for a shell whose name ends with a carriage return",
       .terms = {},
       .help = "dos2unix, and *.sh text eol=lf in .gitattributes"});
}

}  // namespace

void check_script(std::string_view text, const Vocabulary& vocabulary, const Catalog& catalog, Remarks& out) {
  const ShellScript script = read_shell(text);
  const ScriptCase c{text, script, vocabulary, catalog};
  check_line_ends(text, out);
  if (script.commands.empty()) return;
  check_strictness(c, out);
  check_fetches(c, out);
  check_smi(c, out);
  check_waits(c, out);
  check_localhost(c, out);
  check_host(c, out);
  check_helm(c, out);
}

}  // namespace fathom::manifests
