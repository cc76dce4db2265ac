// Which lines of a simulation are drawn: queue, throughput and cache over time, or times over the loads of a sweep.
#pragma once

#include "report/line_chart.h"
#include "report/simulate_text.h"

namespace fathom {

Chart simulate_chart(const SimulationHead& head, const SimulationResult& result);
Chart sweep_chart(const SimulationHead& head, const SweepResult& sweep);

}  // namespace fathom
