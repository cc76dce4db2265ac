// What every report for people is made of: lines, sections, items and tables, for the terminal or as Markdown, and numbers
// as people read them.
#pragma once

#include <string>

#include "report/text_table.h"

namespace fathom {

std::string percent_text(double share, int digits = 0);      // "12 %"
std::string whole_text(double value);                        // "12,345"
std::string figure_text(double value);                       // three significant digits, grouped from a thousand on
std::string counted(double count, const std::string& noun);  // "1 replica", "5 replicas"

class Page {
 public:
  Page(TextStyle style, bool colour) : style_(style), colour_(colour) {}

  bool markdown() const { return style_ == TextStyle::kMarkdown; }
  void line(const std::string& text = {}) { out_ += text + "\n"; }
  void title(const std::string& text);
  void section(const std::string& title);
  void item(const std::string& text) { line((markdown() ? "- " : "  ") + text); }
  void table(const TextTable& t) { out_ += t.render(style_, markdown() ? "" : "  "); }
  void verdict(const std::string& word, bool yes);  // a line of its own in green or red
  void gap() {                                      // what Markdown needs between a table or a line and a list
    if (markdown()) line();
  }
  std::string take() { return std::move(out_); }

 private:
  std::string paint(const std::string& text, const char* code) const;

  TextStyle style_;
  bool colour_;
  std::string out_;
};

}  // namespace fathom
