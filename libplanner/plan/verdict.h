// Yes or no, and what goes with it: reasons, what a yes rests on, what would fit instead, the runners-up.
#pragma once

#include <vector>

#include "plan/plan.h"
#include "search/search.h"

namespace fathom {

void judge(Plan& plan, const Solution& best, const Workload& workload);        // fits, meets, reasons
void add_caveats(Plan& plan, const Solution& best, const Workload& workload);  // needs the predictions
void add_alternatives(Plan& plan, const SearchResult& found, int all_devices);
void name_most_throughput(Plan& plan, const SearchResult& found);  // needs the alternatives
void explain_shortfall(Plan& plan, const SearchResult& found, const Problem& problem);
void add_remedies(Plan& plan, const Problem& problem, const std::vector<Pool>& pools,
                  const std::vector<PoolChoice>& pinned);
std::string describe_limit(const PlanPool& pool);  // what most of a step is bound by

}  // namespace fathom
