// A simulation, or a sweep of them, as JSON and its time series as CSV. SI numbers, the unit last in the key.
#pragma once

#include <string>

#include "report/simulate_text.h"

namespace fathom {

std::string simulate_json(const SimulationHead& head, const SimulationResult& result);  // ends with a newline
std::string sweep_json(const SimulationHead& head, const SweepResult& sweep);
std::string series_csv(const SimulationResult& result);

}  // namespace fathom
