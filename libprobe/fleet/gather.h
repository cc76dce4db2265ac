// What became of each launch: a record, or why there is none. One host that fails stops no other.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "fleet/launch.h"
#include "record/machine_record.h"
#include "system/system.h"

namespace fathom::probe {

struct Answer {
  std::string host;
  int from = -1, to = -1;  // of a pair, as in its launch
  std::optional<MachineRecord> record;
  std::string trouble;  // why there is none: "ssh ended with 255: connect to host node3 port 22: Connection refused"
};

// The record in what a probe printed: its report as JSON, or the record alone; lines before the first brace are somebody else's.
// Throws InputError.
MachineRecord record_of_answer(const std::string& text, const std::string& file_name);

using SaveFile = std::function<void(const std::string& file, const std::string& text)>;  // in the folder of records

// Runs launches side by side, at most kMostAtOnce. Answers, in the order of the launches; records are saved as they come, under
// the file of their launch. Throws std::runtime_error when the launcher is not installed here.
std::vector<Answer> run_launches(const std::vector<Launch>& launches, Seconds limit, const System& system,
                                 const SaveFile& save);

struct FleetAnswers {
  std::vector<Answer> nodes, pairs;
};

// Throws std::runtime_error when the plan's launcher is not installed here: to be asked before anything is made for a run.
void need_launcher(const FleetPlan& plan, const System& system);

FleetAnswers run_fleet(const FleetPlan& plan, const System& system, const SaveFile& save,
                       const std::function<void(const std::string&)>& tell);

// The same from files that were gathered before; a host without a record has a trouble, with the last line of
// what its launch said (errors_file), and a pair without one was not measured.
FleetAnswers read_answers(const FleetPlan& plan, const std::string& folder);

}  // namespace fathom::probe
