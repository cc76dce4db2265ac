// What drawings share.
#pragma once

#include <string>

namespace fathom {

// As the content or an attribute of an element.
std::string svg_text(const std::string& text);

}  // namespace fathom
