// What no key of a record tells alone: whether its parts fit each other. Inside libprobe/record only.
#pragma once

#include "input/reader.h"
#include "record/machine_record.h"

namespace fathom::probe {

// Throws InputError with the place in `root` of a device that is not there, a figure in a unit that its case does not have, a
// shape or a group that cannot be, or two figures of one thing.
void check_record(const MachineRecord& record, const Context& root);

}  // namespace fathom::probe
