// What a case runs, as the operators that a plan lists for it: one, or those of a pass over experts. Shapes come from the
// result, counts of bytes and FLOP from the planner.
#pragma once

#include <optional>
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

// Of one launch of a case that runs these operators and whose figure is `figure`, in the result's unit: rates of products count FLOP, those
// of attention that decodes bytes of the cache.
std::optional<Seconds> time_of(const Result& result, double figure, const std::vector<Operator>& operators);

}  // namespace fathom::probe
