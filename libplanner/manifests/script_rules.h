// Rules on shell scripts that deploy an engine. docs/check.md#files-of-operations
#pragma once

#include <string>
#include <string_view>

#include "catalog/catalog.h"
#include "manifests/remark.h"
#include "manifests/vocabulary.h"

namespace fathom::manifests {

void check_script(std::string_view text, const Vocabulary& vocabulary, const Catalog& catalog, Remarks& out);

}  // namespace fathom::manifests
