// Settings and limits of the system, the file system under a path, uninterruptible supplies, who attests what.
#pragma once

#include <filesystem>

#include "record/machine_record.h"
#include "system/system.h"

namespace fathom::probe {

std::vector<Setting> find_settings(const System& system);
std::string find_hypervisor(const System& system);  // "" when nothing tells of one

// The type of the mount that `path` (absolute, without links) is in; "" when /proc/self/mountinfo does not tell.
std::string file_system_of(const System& system, const std::string& path);

std::vector<Ups> find_ups(const System& system);  // through NUT (upsc); empty without it

// A YAML file {format: fathom-attestation/1, subject: power redundancy, date, person, evidence}. Throws InputError.
Attestation read_power_attestation(const std::filesystem::path& path);

}  // namespace fathom::probe
