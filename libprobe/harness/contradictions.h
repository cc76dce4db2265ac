// What no result can be, whoever wrote it: found where records and outputs of tools are read.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "harness/result.h"

namespace fathom::probe {

// Sizes that are no counts, a pair of one device, a group of other size than its ranks. Empty when there is none.
std::string contradiction_in(const Result& result);

// Two figures of one thing: case, device, shape and protocol are the same. Which is right, nobody can tell.
using Twins = std::vector<std::pair<std::size_t, std::size_t>>;  // first and later, by their places
Twins find_twins(const std::vector<Result>& results);

}  // namespace fathom::probe
