#include "report/check_markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "input/excerpt.h"
#include "report/check_place.h"
#include "report/check_text.h"

namespace fathom {

namespace {

// Comments of GitHub and GitLab take 65,536 and 1,000,000 characters; a summary that is refused helps nobody.
constexpr std::size_t kMostBytes = 60'000;

// A line that opens every report, so that a script finds the comment to replace.
constexpr const char* kMark = "<!-- fathom-check -->\n";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '@') {
      out += "@<!-- -->";  // names nobody
    } else {
      if (std::string_view("\\`*_[]|~$").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string row(const Finding& f, const CheckReport& report) {
  std::string text = escaped(f.message);
  for (const std::string& term : f.terms) text += "<br>" + escaped(term);
  if (!f.help.empty()) text += "<br>*" + escaped(f.help) + "*";
  const std::string place = place_text(file_name(f.file, report), f.spot.at.line, f.spot.at.column);
  return fmt::format("| {} | {} | {} | {} |\n", name_of(f.severity), escaped(place), escaped(f.rule), text);
}

}  // namespace

std::string check_markdown(const CheckReport& report) {
  std::vector<const Finding*> list;
  for (const CheckedFile& file : report.files) {
    for (const Finding& f : file.findings) list.push_back(&f);
  }
  std::stable_sort(list.begin(), list.end(),
                   [](const Finding* a, const Finding* b) { return a->severity > b->severity; });
  std::string out = kMark;
  out += fmt::format("**fathom check: {}**; {}.\n", report.passed ? "passed" : "failed", check_summary(report));
  if (list.empty()) return out;
  out += "\n| level | place | rule | finding |\n|---|---|---|---|\n";
  std::size_t shown = 0;
  for (; shown < list.size(); ++shown) {
    const std::string next = row(*list[shown], report);
    if (out.size() + next.size() > kMostBytes) break;
    out += next;
  }
  if (shown < list.size()) out += fmt::format("\n{} more, none of them graver.\n", list.size() - shown);
  return out;
}

}  // namespace fathom
