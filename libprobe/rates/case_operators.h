// What a case runs, as the operators that a plan lists for it: one, or those of a pass over experts. Shapes come from the
// result, counts of bytes and FLOP from the planner.
#pragma once

#include <string>
#include <vector>

#include "harness/result.h"
#include "operators/operator.h"

namespace fathom::probe {

struct CaseOperators {
  std::vector<Operator> list;  // one after another
  std::string why;             // there are none: "it does not tell m"; empty where the case is no operator of a plan
};
CaseOperators operators_of(const Result& result);

}  // namespace fathom::probe
