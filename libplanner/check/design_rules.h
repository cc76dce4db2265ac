// Rules on a design itself, one family per function and file. Each points at the line that has to change.
#pragma once

#include "check/design.h"
#include "check/findings.h"

namespace fathom {

void check_power(const Design& design, Findings& findings);          // supplies, circuits, racks, inlet, PUE
void check_network(const Design& design, Findings& findings);        // link names, ports, optics, fibre, PCIe
void check_compatibility(const Design& design, Findings& findings);  // formats, software, end of life
void check_storage(const Design& design, Findings& findings);        // erasure-code domains, load time
void check_cost(const Design& design, Findings& findings);           // licences, missing parts, prices without a date
void check_availability(const Design& design, Findings& findings);   // spares, failover budget, common cause
void check_serving(const Design& design, Findings& findings);        // memory fit, replicas, floors of latency

}  // namespace fathom
