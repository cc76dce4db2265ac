#pragma once

#include "checklist/checklist.h"

namespace fathom::probe {

// Bandwidth between nodes by TCP (iperf3), or by RDMA (perftest) where TCP tells nothing.
ChecklistLine network_line(const MachineRecord& record, const Requirements& required);

}  // namespace fathom::probe
