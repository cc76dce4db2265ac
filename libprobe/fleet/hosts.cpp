#include "fleet/hosts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <string_view>

#include "health/health.h"
#include "input/content.h"
#include "input/reader.h"
#include "input/utf8.h"

namespace fathom::probe {

namespace {

constexpr Launcher kLaunchers[] = {Launcher::kSsh, Launcher::kMpirun, Launcher::kSrun, Launcher::kKubernetes};

// `first`: the marks that it may begin with.
bool is_plain(const std::string& word, std::string_view marks, std::string_view first) {
  const auto either = [](std::string_view of) {
    return [of](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || of.find(c) != of.npos; };
  };
  return !word.empty() && word.size() <= 253 && either(first)(word.front()) &&
         std::all_of(word.begin(), word.end(), either(marks));
}

std::string plain_word(const Context& at, std::string_view marks, const std::string& what,
                       std::string_view first = {}) {
  std::string word;
  read(at, word);
  if (!is_plain(word, marks, first)) {
    at.fail("'" + word + "' is no " + what,
            "letters, digits and the marks " + std::string(marks) + ", and no mark first");
  }
  return word;
}

std::optional<int> read_gpus(MapReader& reader) {
  const Value* value = reader.take("gpus");
  if (value == nullptr) return std::nullopt;
  int gpus = 0;
  read(reader.context(*value), gpus);
  if (gpus < 0 || gpus > kMostGpus) reader.context(*value).fail(fmt::format("a node has from 0 to {} GPUs", kMostGpus));
  return gpus;
}

constexpr std::string_view kNameMarks = ".-_", kAddressMarks = ".-_:@";

Host read_host(const Context& at, Launcher launcher) {
  if (at.value.kind == Value::Kind::kScalar) {
    const std::string name = plain_word(at, kNameMarks, "name of a host");
    return {.name = name, .address = name, .gpus = {}};
  }
  MapReader reader(at.file, at.value, "a host");
  Host host;
  host.name = plain_word(reader.context(reader.need("name")), kNameMarks, "name of a host");
  host.address = host.name;
  if (const Value* address = reader.take("address")) {
    const Context at_address = reader.context(*address);
    host.address = plain_word(at_address, kAddressMarks, "address");
    const bool by_name = launcher == Launcher::kMpirun || launcher == Launcher::kSrun;
    if (by_name && host.address.find('@') != std::string::npos) {
      at_address.fail(std::string(to_string(launcher)) + " takes no user in an address", "launcher: ssh");
    }
  }
  host.gpus = read_gpus(reader);
  reader.finish();
  return host;
}

std::vector<Host> read_hosts_of(MapReader& root, Launcher launcher) {
  const Context at = root.context(root.need("hosts"));
  if (at.value.kind != Value::Kind::kSequence) fail_kind(at, "a list of hosts");
  if (at.value.items.empty()) at.fail("a fleet has a host at least");
  if (at.value.items.size() > kMostHosts) at.fail("a fleet of more than 4,096 hosts is probed in parts");
  std::vector<Host> hosts;
  std::map<std::string, int> names, addresses;  // with their lines
  for (const Value& item : at.value.items) {
    hosts.push_back(read_host(root.context(item), launcher));
    const Host& host = hosts.back();
    const auto [named, is_new] = names.emplace(host.name, item.at.line);
    if (!is_new) root.context(item).fail(fmt::format("'{}' is named twice: on line {}, too", host.name, named->second));
    // Whoever logs in there, it is one machine.
    const std::string address = host.address.substr(host.address.find('@') + 1);
    const auto [addressed, is_another] = addresses.emplace(address, item.at.line);
    if (!is_another) {
      root.context(item).fail(
          fmt::format("'{}' is the address of two hosts: of that on line {}, too", address, addressed->second),
          "a node is probed once, under one name");
    }
  }
  return hosts;
}

// Words that a terminal or a line of a script would take otherwise.
std::vector<std::string> words(MapReader& root, const std::string& key) {
  const Value* list = root.take(key);
  if (list == nullptr) return {};
  std::vector<std::string> result;
  read(root.context(*list), result);
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (result[i].empty() || find_steering(result[i]) != std::string::npos)
      root.context(list->items[i]).fail("a word is empty or has a control character");
  }
  return result;
}

void read_kubernetes(MapReader& root, Fleet& fleet) {
  const Value* value = root.take("kubernetes");
  if (fleet.launcher != Launcher::kKubernetes) {
    if (value != nullptr) root.context(*value).fail("this is for the launcher kubernetes alone");
    return;
  }
  if (value == nullptr) root.fail("the launcher kubernetes needs the key \"kubernetes\"", "kubernetes: {image: …}");
  MapReader reader(root.file(), *value, "the key \"kubernetes\"");
  fleet.image = plain_word(reader.context(reader.need("image")), ".-_:@/", "image");
  fleet.name_space = "default";
  if (const Value* space = reader.take("namespace"))
    fleet.name_space = plain_word(reader.context(*space), "-", "namespace");
  reader.finish();
}

}  // namespace

const char* to_string(Launcher launcher) {
  switch (launcher) {
    case Launcher::kSsh:
      return "ssh";
    case Launcher::kMpirun:
      return "mpirun";
    case Launcher::kSrun:
      return "srun";
    case Launcher::kKubernetes:
      return "kubernetes";
  }
  return "";
}

Fleet parse_hosts(std::string text, const std::string& file_name) {
  const Document document = parse_yaml(std::move(text), file_name);
  MapReader root(document.file, document.root, "the fleet");
  root.choice("format", {"fathom-hosts/1"});
  Fleet fleet;
  fleet.file = document.file;
  std::vector<std::string> names;
  for (const Launcher launcher : kLaunchers) names.emplace_back(to_string(launcher));
  fleet.launcher = kLaunchers[root.choice("launcher", names, 0)];
  fleet.options = words(root, "options");
  if (const Value* list = document.root.find("arguments")) {
    for (const Value& item : list->items) fleet.arguments_at.push_back(item.at);
  }
  fleet.arguments = words(root, "arguments");
  if (const Value* program = root.take("program"))
    fleet.program = plain_word(root.context(*program), "./-_", "program", "./");
  if (const Value* limit = root.take("limit")) {
    read(root.context(*limit), fleet.limit);
    if (!(fleet.limit >= 1_s && fleet.limit <= 24_hours)) root.context(*limit).fail("a limit is from 1 s to 24 h");
  }
  if (const Value* port = root.take("port")) {
    read(root.context(*port), fleet.port);
    if (fleet.port < 1 || fleet.port > 65535) root.context(*port).fail("a port is from 1 to 65535");
  }
  fleet.gpus = read_gpus(root);
  read_kubernetes(root, fleet);
  fleet.hosts = read_hosts_of(root, fleet.launcher);
  root.finish();
  return fleet;
}

Fleet read_hosts(const std::filesystem::path& path) { return parse_hosts(text_of_file(path), path.string()); }

}  // namespace fathom::probe
