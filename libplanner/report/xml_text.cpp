#include "report/xml_text.h"

#include "input/utf8.h"

namespace fathom {

namespace {

// XML 1.0 has no control characters but these three, and none of U+FFFE and U+FFFF.
bool is_allowed(char32_t c) { return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c != 0xFFFE && c != 0xFFFF); }

}  // namespace

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    const std::size_t length = point.length == 0 ? 1 : point.length;
    if (point.length == 0 || !is_allowed(point.value)) {
      out += "\uFFFD";
    } else if (point.value == '&') {
      out += "&amp;";
    } else if (point.value == '<') {
      out += "&lt;";
    } else if (point.value == '>') {
      out += "&gt;";
    } else if (point.value == '"') {
      out += "&quot;";
    } else if (point.value == '\n') {
      out += "&#10;";  // a plain one would become a blank in an attribute
    } else {
      out += text.substr(at, length);
    }
    at += length;
  }
  return out;
}

}  // namespace fathom
