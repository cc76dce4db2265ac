// What the figures of a case count: a bandwidth for a time, and the other way round, would be judged as slow or fast.
#pragma once

#include <optional>

#include "harness/result.h"

namespace fathom::probe {

// Messages of up to so many bytes are given as times: a rate of eight bytes says nothing.
inline constexpr int kMostTimedBytes = 8;
// Blocks of storage of up to so many bytes are counted, larger ones by their bytes.
inline constexpr int kMostCountedBlock = 65536;

// By its case and shape; absent for cases that this program does not know.
std::optional<Unit> unit_of(const Result& result);

}  // namespace fathom::probe
