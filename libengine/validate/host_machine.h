// This machine, as far as a run on it must know.
#pragma once

#include <cstdint>
#include <string>

namespace fathom {

std::string describe_host();      // "AMD EPYC 9B14, 2 threads, AVX-512"
std::int64_t available_memory();  // bytes this process may still take, cgroup limit included
std::string today();              // ISO 8601, UTC

}  // namespace fathom
