// The JSON header of a safetensors file.
#pragma once

#include <string>
#include <vector>

#include "weights/safetensors.h"

namespace fathom {

// Offsets count from the end of the header. Throws InputError, also for what other readers let pass: unknown fields,
// names that come twice, numbers that are no sizes. Takes memory in proportion to the header.
std::vector<StoredTensor> parse_safetensors_header(const std::string& header, const std::string& file);

}  // namespace fathom
