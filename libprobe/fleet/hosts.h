// Which nodes a fleet has and what starts a program on them: hosts.yaml, read strictly. docs/probe.md#many-nodes
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "input/error.h"
#include "units/quantity.h"

namespace fathom::probe {

enum class Launcher { kSsh, kMpirun, kSrun, kKubernetes };
const char* to_string(Launcher launcher);

struct Host {
  std::string name;              // of its record and its file
  std::string address;           // for the launcher, and for other nodes to reach it: the name unless it is stated
  std::optional<int> gpus = {};  // that it has to have; 0: none has to be there
};

struct Fleet {
  std::string file;
  Launcher launcher = Launcher::kSsh;
  std::vector<std::string> options;    // of the launcher: {"-p", "2222"}
  std::string program = "fathom";      // on the nodes
  std::vector<std::string> arguments;  // of `fathom probe` there
  std::vector<Position> arguments_at;  // in the file
  Seconds limit{};                     // for one node, launch included; 0: by the depth of the probe
  int port = 5201;                     // of iperf3 between nodes
  std::string image, name_space;       // of Kubernetes: the container, and where its jobs are
  std::optional<int> gpus;             // that every host has to have which does not say otherwise
  std::vector<Host> hosts;
};

inline constexpr std::size_t kMostHosts = 4096;

// Throws InputError with the place of what is wrong. Names and addresses are letters, digits, '.', '_', '-', ':' and '@' alone, and begin
// with none of the marks: they become words of commands and names of files.
Fleet read_hosts(const std::filesystem::path& path);
Fleet parse_hosts(std::string text, const std::string& file_name);

}  // namespace fathom::probe
