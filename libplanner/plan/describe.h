// Models, loads, layouts and ledgers in the words and values of a Plan. Formats what other rooms computed.
#pragma once

#include <string>

#include "plan/plan.h"
#include "search/search.h"

namespace fathom {

PlanModel describe(const Architecture& architecture);
std::string describe_load(const Workload& workload);
PlanPool describe_pool(const Problem& problem, const Candidate& candidate);  // operators included

}  // namespace fathom
