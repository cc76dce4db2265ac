// Rules on a design itself, one family per function and file. Each points at the line that has to change.
#pragma once

#include "check/design.h"
#include "check/findings.h"

namespace fathom {

void check_power(const Design& design, Findings& findings);          // supplies, circuits, racks, inlet, PUE
void check_network(const Design& design, Findings& findings);        // cards, link names, optics, fibre, PCIe
void check_fabric(const Design& design, Findings& findings);         // ports, cables, oversubscription
void check_compatibility(const Design& design, Findings& findings);  // engine, formats, links between cards, dates
void check_storage(const Design& design, Findings& findings);        // failure domains, raw capacity, disks
void check_cost(const Design& design, Findings& findings);           // licences, missing parts, prices
void check_availability(const Design& design, Findings& findings);   // spares, common cause, what nodes can give
void check_workload(const Design& design, Findings& findings);       // lengths, context, service level
void check_layout(const Design& design, Findings& findings);         // pinned degrees and roles
void check_serving(const Design& design, Findings& findings);        // memory fit, floors of latency, rooflines

}  // namespace fathom
