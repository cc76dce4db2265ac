// From a machine's record to what the planner's profile is fitted to: the cases that measure an operator, in the planner's
// own shapes. What a plan has no use for is named, not refused: records grow.
#pragma once

#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "profile/fit.h"
#include "record/machine_record.h"

namespace fathom::probe {

struct RecordRates {
  ProfileMeasurements measurements;
  std::vector<std::string>
      unused;  // what could have been used, with the reason; last, what no operator of a plan is timed by
};

// Of several devices the slowest counts, because ranks wait for each other; of several kernels for one shape the planner takes
// the fastest. Figures that are wrong, zero or impossible are left out.
// A machine without GPUs gives the products of its processor (accelerator `host-cpu`). Throws InputError when the catalog does not know
// its GPUs, when they are different ones, or when there is nothing to take.
RecordRates rates_of(const MachineRecord& record, const Catalog& catalog);

}  // namespace fathom::probe
