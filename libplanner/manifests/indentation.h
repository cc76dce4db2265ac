// Manifests that lost their indentation on the way through a web page: no YAML, or another one than was meant.
#pragma once

#include <string>
#include <string_view>

#include "manifests/remark.h"

namespace fathom::manifests {

// Reports documents under whose metadata or spec nothing stands, because it begins at the same column, and returns the text
// with their lines empty, so that the other documents keep their places.
std::string without_flattened(std::string_view text, Remarks& out);

}  // namespace fathom::manifests
