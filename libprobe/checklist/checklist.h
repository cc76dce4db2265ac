// The environment checklist of a design that is to be deployed, line by line, from a machine's record: redundant power, bandwidth
// between nodes, storage operations, clock. What is required is data (catalogs/checklist.yaml), so that a site may ask for more.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "record/machine_record.h"
#include "units/fact.h"

namespace fathom::probe {

struct Requirements {
  Fact<BytesPerSecond> network;   // between two nodes, each way
  Fact<double> storage;           // random reads of 4 KiB per second
  Fact<Seconds> clock;            // most that the clock may be off
  Fact<double> feed_load;         // share of what the supplies of one feed can give, that the GPUs may draw
  Fact<Seconds> ups_runtime;      // on the battery, at the load of now
  Fact<Seconds> attestation_age;  // of a drill, at most
};
Requirements read_requirements(const std::filesystem::path& path);  // throws InputError

struct ChecklistLine {
  std::string id;        // "clock"
  std::string item;      // "clock synchronisation"
  std::string required;  // "within 100 us of true time"
  Status status = Status::kUnknown;
  std::string measured;
  std::string why;  // of every status but `passed`
  std::string next;
};
std::vector<ChecklistLine> check_environment(const MachineRecord& record, const Requirements& requirements);

// chronyd follows no server: with `local stratum 10` it reports an offset of 0 from itself.
bool is_free_running(const ClockState& clock);
// Not memory (tmpfs, ramfs), and not the layers of a container (overlay), whose figures are those of something else.
bool is_storage(const std::string& file_system);

}  // namespace fathom::probe
