// The power supplies of a node as its management controller tells them (DMTF Redfish: Chassis, PowerSubsystem, and the older Power),
// asked through curl. Nothing is written to the controller.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "record/machine_record.h"
#include "system/system.h"

namespace fathom::probe {

struct RedfishAccess {
  std::string url;                                  // "https://bmc7": where /redfish/v1 is
  std::optional<std::filesystem::path> login = {};  // netrc, so that no password is in a command line or a record
  bool any_certificate = false;                     // controllers sign their own
};

// Why this is no such address; empty when it is. A login over plain http would be read by everybody.
std::string trouble_with_access(const RedfishAccess& access);

// Puts `power`, or why there is none, into the record.
void find_power(const System& system, const RedfishAccess& access, MachineRecord& record);

}  // namespace fathom::probe
