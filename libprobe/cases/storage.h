// What the storage under a folder gives: random reads of 4 KiB, and long reads as a load of weights makes them. Through fio
// where it is installed, else through readers of our own, which say so (`engine`). A file is laid out, read with O_DIRECT,
// and removed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/result.h"
#include "system/system.h"

namespace fathom::probe {

struct StorageRules {
  Bytes file = Bytes(1e9);    // random content; the folder must have twice as much room
  Seconds run = Seconds(5);   // of each pattern
  Seconds ramp = Seconds(1);  // before it
  int jobs = 8, depth = 64;   // of random reads through fio
  int streams = 4;            // of long reads
};

// `folder` as the user named it, `file_system` its type: memory and the layers of containers are not supported, because their
// figures are those of something else.
std::vector<Result> measure_storage(const StorageRules& rules, const std::filesystem::path& folder,
                                    const std::string& file_system, const System& system);

// What the device under the file counts beside what is asked of the file: less of it means that a cache answered.
class DeviceCount {
 public:
  DeviceCount(const System& system, const std::filesystem::path& folder);
  void begin();
  void end(Bytes asked, Result& result) const;  // says in its protocol who answered

 private:
  const System& system_;
  std::string device_;
  std::optional<Bytes> before_;
};

// Without fio: pread with O_DIRECT from so many threads, one operation in flight each.
std::vector<Result> read_directly(const StorageRules& rules, const std::filesystem::path& file, DeviceCount& device);

}  // namespace fathom::probe
