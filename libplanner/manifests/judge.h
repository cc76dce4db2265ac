// One file of operations, read and held against every rule of its kind. docs/check.md#files-of-operations
#pragma once

#include <string>

#include "catalog/catalog.h"
#include "manifests/file_kind.h"
#include "manifests/remark.h"

namespace fathom::manifests {

// Throws InputError for a file that cannot be read as what it is.
Remarks judge(FileKind kind, const std::string& file_name, const std::string& text, const Catalog& catalog);

}  // namespace fathom::manifests
