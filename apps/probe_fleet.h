// `fathom probe --fleet`: many nodes, through a launcher that is there already.
#pragma once

#include <filesystem>
#include <vector>

#include "machine/machine.h"
#include "output.h"

namespace CLI {
class App;
}

namespace fathom {

struct Session;

struct FleetOptions {
  const CLI::App* verb = nullptr;             // whose options `arguments:` of a fleet are
  std::filesystem::path hosts;                // hosts.yaml
  std::filesystem::path records = "fleet";    // folder of the nodes' records
  bool run = false, judge = false;            // else the launch is printed
  bool pairs = false;                         // the network between every two nodes
  probe::Depth depth = probe::Depth::kQuick;  // of each node
};

int probe_fleet(const FleetOptions& options, const std::vector<OutputRequest>& requests, const Session& session);

}  // namespace fathom
