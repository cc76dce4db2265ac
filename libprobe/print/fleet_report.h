// What a fleet's probe found. Nothing is judged here.
#pragma once

#include <string>

#include "fleet/judge.h"

namespace fathom::probe {

std::string fleet_text(const FleetReport& report, bool markdown, bool colour);
std::string fleet_json(const FleetReport& report);  // ends with a newline

}  // namespace fathom::probe
