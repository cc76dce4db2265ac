// The checklist's line on redundant power: what supplies and UPSs tell, and what only a person can attest.
#pragma once

#include "checklist/checklist.h"

namespace fathom::probe {

// A feed that is lost takes half of the supplies, dealt evenly to two feeds. What speaks against redundancy fails the line; supplies
// of which half carry what the GPUs may draw pass it; short of that a drill has to be attested.
ChecklistLine power_line(const MachineRecord& record, const Requirements& required);

}  // namespace fathom::probe
