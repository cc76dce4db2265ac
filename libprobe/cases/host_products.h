// Products of weights and activations on the processor, through the kernels that the engine runs, by instruction set: one token
// (GEMV, which reads every weight once: bytes/s) and many (GEMM: FLOP/s).
#pragma once

#include "cases/host_case.h"
#include "host/matrix.h"

namespace fathom::probe {

// `formats` of the weights; every path of the kernels that this processor runs.
std::vector<Result> measure_host_gemv(const HostRules& rules, const System& system,
                                      const std::vector<host::Storage>& formats);
std::vector<Result> measure_host_gemm(const HostRules& rules, const System& system,
                                      const std::vector<host::Storage>& formats);

}  // namespace fathom::probe
