// Is this machine what it should be? From its record alone: results and facts in, findings out. Peers first (devices of one kind
// in one node), the catalog second; a signal that cannot be read is never a pass. docs/probe.md
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "record/machine_record.h"

namespace fathom::probe {

// Rising: a node is what its worst finding is.
enum class Health { kHealthy, kSuspect, kUnknown, kDegraded, kFailed };
const char* to_string(Health health);

struct HealthFinding {
  std::string rule;  // of catalogs/probe_rules.yaml: "probe.slower-than-peers"
  Health health = Health::kSuspect;
  std::string device;
  std::string what;          // "host.memory.triad, threads 2"
  std::string measured;      // "2.1 TB/s"
  std::string expected;      // "4.2 TB/s, median of 3 peers"
  std::string source;        // of the expectation: "peers in this node"
  std::string next;          // what to do
  double share = 1;          // of what is expected, where rates are compared: tells the worst of many
  int figures = 1;           // that it stands for; `what` and `measured` are then the worst
  std::string subject = {};  // the case, or what else `what` begins with: "host.memory.triad"
};

// What a figure was held against.
struct HeldAgainst {
  std::optional<double> reference;  // of the catalogs: the figure's share of it, of times its inverse
  int peers = 0;                    // figures of devices like its own, here and in other nodes
  bool limit = false;               // what hardware can do at most
};

// How many GPUs a node has to have, and who says so.
inline constexpr int kMostGpus = 1024;  // of one node
struct RequiredGpus {
  int count = 0;       // 0: none has to be there
  std::string source;  // "--require-gpus"
};

struct HealthReport {
  Health health = Health::kHealthy;  // of the node
  bool host_alone = false;           // a live run, whose GPUs nobody measured
  bool speed_unjudged = false;       // of a host alone: nothing is known that its figures could be held against
  std::vector<HealthFinding> findings;
  std::vector<std::string> notes;  // settings that cost speed, and are no fault of a part
  std::vector<HeldAgainst> held;   // each result of the record, in its order
  // Figures that can be judged; of these by the first of: a reference, devices like theirs, physical limits, nothing.
  int figures = 0, held_by_reference = 0, held_by_peers_alone = 0, held_by_limits_alone = 0, held_by_nothing = 0;
};

// A node of which nothing was measured is unknown. With records of other nodes, figures are held against those of like devices
// there, too, and the number of GPUs where `required` does not tell it.
HealthReport judge_health(const MachineRecord& record, const Catalog& catalog,
                          const std::vector<MachineRecord>& other_nodes = {},
                          const std::optional<RequiredGpus>& required = {});

// UUIDs of its GPUs and the boot id of its kernel: no other node has one of them.
std::vector<std::string> identities_of(const MachineRecord& record);

}  // namespace fathom::probe
