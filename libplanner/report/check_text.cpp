#include "report/check_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "input/excerpt.h"
#include "report/page.h"

namespace fathom {

namespace {

constexpr std::size_t kMostPerFile = 20;

const char* colour_of(Severity severity) {
  return severity == Severity::kError ? "1;31" : severity == Severity::kWarning ? "1;33" : "1;36";
}

class Writer {
 public:
  explicit Writer(const CheckTextOptions& options) : o_(options) {}

  void file(const CheckedFile& file) {
    const std::vector<const Finding*> shown = worst(file.findings);
    for (const Finding* finding : shown) write(*finding, file.text);
    const std::size_t more = file.findings.size() - shown.size();
    if (more > 0) {
      out_ += fmt::format("{}: {} more, none of them graver; --all shows them\n\n", printable(file.file), more);
    }
  }

  std::string take() { return std::move(out_); }

 private:
  // The gravest, by place.
  std::vector<const Finding*> worst(const std::vector<Finding>& all) const {
    std::vector<const Finding*> list;
    for (const Finding& finding : all) list.push_back(&finding);
    if (o_.all || list.size() <= kMostPerFile) return list;
    std::stable_sort(list.begin(), list.end(),
                     [](const Finding* a, const Finding* b) { return a->severity > b->severity; });
    list.resize(kMostPerFile);
    std::sort(list.begin(), list.end());  // all stand in one vector
    return list;
  }

  void write(const Finding& f, const std::string& text) {
    const std::string head = fmt::format("{}[{}]", name_of(f.severity), f.rule);
    out_ += paint(head, colour_of(f.severity)) + paint(": " + printable(f.message), "1") + "\n";
    const Position at = f.spot.at;
    out_ += paint("  --> ", kBlue) + printable(place_text(f.file, at.line, at.column)) + "\n";
    if (const auto line = line_of(text, at.line)) excerpt(*line, f);
    for (const std::string& term : f.terms) detail("term", term);
    if (f.mend) detail("fix", f.mend->text.empty() ? "remove it" : f.mend->text + "  (--fix writes it)");
    if (!f.help.empty()) detail("help", f.help);
    if (explained_.insert(f.rule).second) detail("more", "fathom explain " + f.rule);
    out_ += "\n";
  }

  void excerpt(std::string_view line, const Finding& f) {
    const Excerpt e = excerpt_of(line, f.spot.at.column, f.spot.width);
    const std::string number = fmt::format("{:5} |", f.spot.at.line), gutter(number.size() - 1, ' ');
    out_ += paint(number, kBlue) + " " + e.text + "\n";
    out_ += gutter + paint("|", kBlue) + " " + std::string(static_cast<std::size_t>(e.caret), ' ') +
            paint(std::string(static_cast<std::size_t>(e.width), '^'), colour_of(f.severity)) + "\n";
  }

  void detail(const char* what, const std::string& text) {
    out_ += paint("   = ", kBlue) + fmt::format("{}: {}\n", what, printable(text));
  }

  std::string paint(const std::string& text, const char* code) const {
    return o_.colour ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
  }

  static constexpr const char* kBlue = "34";

  const CheckTextOptions& o_;
  std::set<std::string> explained_;
  std::string out_;
};

}  // namespace

std::string check_text(const CheckReport& report, const CheckTextOptions& options) {
  Writer writer(options);
  for (const CheckedFile& file : report.files) writer.file(file);
  return writer.take();
}

std::string concise_line(const Finding& f) {
  return fmt::format("{}: {}[{}]: {}", printable(place_text(f.file, f.spot.at.line, f.spot.at.column)),
                     name_of(f.severity), f.rule, printable(f.message));
}

std::string check_concise(const CheckReport& report) {
  std::string out;
  for (const CheckedFile& file : report.files) {
    for (const Finding& finding : file.findings) out += concise_line(finding) + "\n";
  }
  return out;
}

std::string check_summary(const CheckReport& report) {
  const CheckCounts& c = report.counts;
  std::vector<std::string> parts;
  if (c.errors > 0) parts.push_back(counted(c.errors, "error"));
  if (c.warnings > 0) parts.push_back(counted(c.warnings, "warning"));
  std::string out = fmt::format("checked {}, {}", counted(static_cast<double>(report.files.size()), "file"),
                                counted(c.problems(), "problem"));
  if (!parts.empty()) out += fmt::format(": {}", fmt::join(parts, ", "));
  if (c.notes > 0) out += ", " + counted(c.notes, "note");
  if (c.known > 0) out += fmt::format("; {} in the baseline", c.known);
  if (c.suppressed > 0) out += fmt::format("; {} ignored by comments", c.suppressed);
  if (c.claims() > 0) out += fmt::format("; {} of {} hold", c.claims_held, counted(c.claims(), "claim"));
  return out;
}

}  // namespace fathom
