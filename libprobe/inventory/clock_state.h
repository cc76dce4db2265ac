// What chronyd says of the clock, as it says it. Whether that is good is judged by the checklist.
#pragma once

#include "record/machine_record.h"
#include "system/system.h"

namespace fathom::probe {

// `chronyc -c tracking`: fourteen values between commas (chrony 4.3): reference id, its name, stratum, time of the reference,
// offset of the system's clock, last offset, RMS offset, frequency, residual, skew, root delay, root dispersion, interval,
// leap. `now` is in seconds since 1970. Empty for anything else.
std::optional<ClockState> parse_tracking(const std::string& text, double now);

void find_clock(const System& system, double now, MachineRecord& record);  // fills `clock`, or `no_clock`

}  // namespace fathom::probe
