// out = silu(gate) * up. Bound by its bytes. Reference: host/vector_math.h, silu_times.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

struct Swiglu {
  int rows = 0;
  int width = 0;                           // a multiple of 4
  const std::uint16_t* gate_up = nullptr;  // bf16 [rows, 2 * width], gate first
  std::uint16_t* out = nullptr;            // bf16 [rows, width]
};

void swiglu(const Launch& how, const Swiglu& op);

}  // namespace fathom::cuda
