// Memory bandwidth as STREAM measures it, by number of threads: read (8 B per element), copy (16 B), triad a = b + s c (24 B).
// Bytes that a store first reads are not counted, as in STREAM. Our loops, so no figure of STREAM's.
#pragma once

#include "cases/host_case.h"

namespace fathom::probe {

std::vector<Result> measure_host_memory(const HostRules& rules, const System& system);

}  // namespace fathom::probe
