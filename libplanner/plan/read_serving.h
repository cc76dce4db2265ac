// What a saved plan holds for the simulation of one pool: its limits, its step times, its watts.
#pragma once

#include "input/reader.h"
#include "plan/read_plan.h"

namespace fathom {

// Keys `serving` and `step_times`. Throws InputError for what does not agree with the pool's layout.
ServingPool read_serving(const Context& serving, const Context& step_times, const SavedPool& pool);

}  // namespace fathom
