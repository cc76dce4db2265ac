// Settings and limits of the system, the file system under a path, uninterruptible supplies, who attests what.
#pragma once

#include <filesystem>

#include "record/machine_record.h"
#include "system/system.h"

namespace fathom::probe {

std::vector<Setting> find_settings(const System& system);
std::string find_hypervisor(const System& system);  // "" when nothing tells of one

// The mount that `path` (absolute, without links) is in; empty words when /proc/self/mountinfo does not tell.
struct Mount {
  std::string file_system;  // "ext4"
  std::string
      device;  // "259:3", as /proc/diskstats numbers them; of file systems without one a number that is not there
};
Mount mount_of(const System& system, const std::string& path);
std::string file_system_of(const System& system, const std::string& path);

// Read from a block device since the system started; absent when it does not count.
std::optional<Bytes> read_from_device(const System& system, const std::string& device);

std::vector<Ups> find_ups(const System& system);  // through NUT (upsc); empty without it

// A YAML file {format: fathom-attestation/1, subject: power redundancy, date, person, evidence}. Throws InputError.
Attestation read_power_attestation(const std::filesystem::path& path);

}  // namespace fathom::probe
