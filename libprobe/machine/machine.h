// A machine as the probe sees it: it tells what it is, and it has cases to run. The host is one, its GPUs are another beside it; a
// recorded machine needs neither, because all that follows looks at the record alone.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
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
  virtual void conclude(MachineRecord&) const {}           // adds what was seen while they ran
};

std::unique_ptr<Machine> host_machine(const System& system, const ProbeOptions& options);
// NVIDIA's GPUs. Where there are none, or this program was built without CUDA, it says of every case why it cannot be.
std::unique_ptr<Machine> gpu_machine(const Catalog& catalog, const ProbeOptions& options);
std::unique_ptr<Machine> without_gpus(const std::string& why);
std::vector<std::string> gpu_case_names();

// Whether it was asked for: "host.memory" names its results, and is named by the case of one, "host.memory.triad".
bool is_wanted(const std::string& case_name, const ProbeOptions& options);

// Describes every machine and runs their cases one after another. A case that throws is a result that says so, and the others
// still run. Throws std::invalid_argument before anything is run when `only` names no case.
using Progress = std::function<void(const std::string& what)>;
MachineRecord run_probe(const std::vector<const Machine*>& machines, const ProbeOptions& options,
                        const Progress& progress);

}  // namespace fathom::probe
