#include "report/page.h"

#include <fmt/format.h>

#include <cmath>

#include "units/text.h"

namespace fathom {

std::string percent_text(double share, int digits) { return fmt::format("{:.{}f} %", share * 100, digits); }
std::string whole_text(double value) { return grouped(std::llround(value)); }

std::string figure_text(double value) {
  if (value == 0) return "0";
  if (std::abs(value) >= 999.5) return whole_text(value);
  return fmt::format("{:.3g}", value);
}

std::string counted(double count, const std::string& noun) {
  return fmt::format("{} {}{}", figure_text(count), noun, count == 1 ? "" : "s");
}

void Page::title(const std::string& text) {
  line(markdown() ? "# " + text : paint(text, "1"));
  gap();
}

void Page::section(const std::string& title) {
  line();
  line(markdown() ? "## " + title : paint(title, "1"));
  gap();
}

void Page::verdict(const std::string& word, bool yes) {
  line();
  line((markdown() ? "**Verdict: " : "Verdict: ") + paint(word, yes ? "1;32" : "1;31") + (markdown() ? "**" : ""));
  gap();
}

std::string Page::paint(const std::string& text, const char* code) const {
  return colour_ && !markdown() ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
}

}  // namespace fathom
