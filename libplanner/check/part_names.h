// How makers spell themselves and their parts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "catalog/catalog.h"

namespace fathom {

// Every word must be one that the maker uses for the part, in any of its languages; what is wrong with the first that is
// none, and how it is written.
std::optional<std::string> misspelt_word(const Catalog& catalog, const std::string& vendor, const std::string& name,
                                         std::string_view stated);

}  // namespace fathom
