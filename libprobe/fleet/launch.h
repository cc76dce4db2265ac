// The commands that probe a fleet, as words for this machine: one launch for each host, so that one that fails stops no other. They
// are printed or run; nothing here runs anything.
#pragma once

#include <string>
#include <vector>

#include "fleet/hosts.h"
#include "fleet/schedule.h"
#include "machine/machine.h"

namespace fathom::probe {

struct Step {
  std::vector<std::string> words;
  bool answers = false;  // its output is what the probe said, as JSON
  bool always = false;   // also after a step that failed: it cleans up
};

struct Launch {
  std::string host;           // or "node1 and node2"
  std::string node;           // whose record the answer must be
  std::string file;           // of the answer, in the folder of records: "node1.json"
  std::vector<Step> steps;    // one after another
  int from = -1, to = -1;     // numbers of the hosts of a pair
  std::string manifest_file;  // that they apply, in the same folder; empty: none
  std::string manifest;
};

// What it says beside its answer, in the same folder: "node1.err".
std::string errors_file(const Launch& launch);

inline constexpr std::size_t kMostAtOnce = 64;  // launches side by side

struct FleetPlan {
  std::vector<Launch> nodes;    // all at once
  std::vector<Launch> servers;  // of iperf3, all at once while the rounds run
  std::vector<std::vector<Launch>> rounds;
  Seconds node_limit{}, server_limit{}, pair_limit{};
  Seconds settle{};  // until servers listen
};

struct FleetOrder {
  Depth depth = Depth::kQuick;
  bool pairs = false;        // the network between any two, through iperf3; not under Kubernetes yet: InputError
  std::string folder;        // of the records
  std::string job_template;  // templates/kubernetes/probe-job.yaml; for Kubernetes
  std::string run = {};      // tells this run from others, in names of jobs: letters and digits
  std::vector<std::string> judge = {};  // the command that judges what the script gathered, on this machine
};
FleetPlan plan_fleet(const Fleet& fleet, const FleetOrder& order);

// The command that shows why a host gives no record: whether the program starts there; of Kubernetes, what it knows of the node.
std::string first_look(const Fleet& fleet, const Host& host);

// Until a launch that gives no answer is ended here, too: `limit` is that of its program over there.
Seconds launch_limit(Seconds limit);

// The same as a script for a POSIX shell, which ends with the verdict. Ends with a newline.
std::string script_of(const FleetPlan& plan, const FleetOrder& order);

// One word of a POSIX shell, whatever is in it: plain words as they are, others in single quotes.
std::string shell_word(const std::string& word);
std::string shell_line(const std::vector<std::string>& words);

}  // namespace fathom::probe
