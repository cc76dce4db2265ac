// Which figure of a case a line of the checklist looks at.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "checklist/checklist.h"

namespace fathom::probe {

// With what can be told of a figure without any catalog: wrong data, zeros and wrong units are void.
std::vector<Result> results_named(const MachineRecord& record, const std::string& name);

bool has_shape(const Result& r, const char* key, const char* value);

// Why there is nothing to judge: what the first result without a figure says, or that there is none.
void nothing_measured(ChecklistLine& line, const std::vector<Result>& results, const std::string& how);

// Of several figures of one thing the one that says least for it: a void one, else the slowest.
template <class Predicate>
const Result* worst_figure(const std::vector<Result>& results, Predicate is_meant) {
  const Result* worst = nullptr;
  const auto rank = [](const Result& r) { return has_data(r.status) ? r.figure->median : -1.0; };
  for (const Result& r : results) {
    if (r.figure && is_meant(r) && (worst == nullptr || rank(r) < rank(*worst))) worst = &r;
  }
  return worst;
}

}  // namespace fathom::probe
