// From direct current inside the node to watts at the wall.
#pragma once

#include <vector>

#include "units/quantity.h"

namespace fathom {

struct PsuPoint {
  double load = 0;        // share of the rated power, (0, 1]
  double efficiency = 0;  // (0, 1]
};
using PsuCurve = std::vector<PsuPoint>;  // by rising load; 80 PLUS tests 10, 20, 50 and 100 %

struct PsuBank {
  PsuCurve curve = {};
  int count = 1;  // supplies that share the load: with N+N all of them, so each stays below half
  Watts rated{};  // of one supply
};

// Linear between the tested loads. Below the first the loss stays what it was there (a supply has a fixed loss), so the
// efficiency falls towards 0; above the last it stays. An empty curve throws std::invalid_argument.
double psu_efficiency(const PsuCurve& curve, double load);

// P_wall = P_dc / eta(P_dc / (count * rated)).
Watts wall_power(Watts dc, const PsuBank& bank);

}  // namespace fathom
