// A kernel that holds a stream until the host says go, so that everything behind it is in the queue when it starts and no launch is waited
// for; and one that does nothing, to see what launching costs.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

// Waits until *gate, in host memory that the device sees, has reached `number`; for `patience_ns` at most, lest a queue that is full
// never opens it.
void start_latch(const Launch& how, const volatile std::uint32_t* gate, std::uint32_t number,
                 std::uint64_t patience_ns);

// Adds one to *launches, which may be nullptr.
void do_nothing(const Launch& how, std::uint32_t* launches);

}  // namespace fathom::cuda
