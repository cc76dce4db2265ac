// Text as XML wants it, in elements and in attributes.
#pragma once

#include <string>
#include <string_view>

namespace fathom {

// What XML 1.0 cannot hold (control characters, invalid UTF-8) becomes U+FFFD.
std::string xml_escaped(std::string_view text);

}  // namespace fathom
