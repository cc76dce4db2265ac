// A machine as the probe sees it: it tells what it is, and it has cases to run. The host is one; its GPUs will be another, beside
// it and without a change to it; a recorded machine needs neither, because all that follows looks at the record alone.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "record/machine_record.h"
#include "redfish/redfish.h"
#include "system/system.h"

namespace fathom::probe {

// How much time a node may take: about 2, 10 and 45 minutes.
enum class Depth { kQuick, kStandard, kFull };
constexpr const char* to_string(Depth depth) {
  return depth == Depth::kQuick ? "quick" : depth == Depth::kStandard ? "standard" : "full";
}

struct ProbeOptions {
  Depth depth = Depth::kQuick;
  std::optional<std::filesystem::path> storage;  // a folder to measure the storage in
  std::optional<RedfishAccess> redfish;          // the node's management controller
  std::string peer;                              // where an iperf3 server listens: "HOST" or "HOST:PORT"
  std::vector<std::string> only;                 // cases whose names begin so; empty: all
};

struct Case {
  std::string name;  // "host.memory"; its results' names begin so
  std::function<std::vector<Result>()> run;
};

class Machine {
 public:
  virtual ~Machine() = default;
  virtual void describe(MachineRecord& record) const = 0;  // adds its part of the inventory and the environment
  virtual std::vector<Case> cases() const = 0;             // in the order in which to run them
};

std::unique_ptr<Machine> host_machine(const System& system, const ProbeOptions& options);
std::unique_ptr<Machine> gpu_machine();  // says what is not supported yet

// Describes every machine and runs their cases one after another. A case that throws is a result that says so, and the others
// still run. Throws std::invalid_argument before anything is run when `only` names no case.
using Progress = std::function<void(const std::string& what)>;
MachineRecord run_probe(const std::vector<const Machine*>& machines, const ProbeOptions& options,
                        const Progress& progress);

}  // namespace fathom::probe
