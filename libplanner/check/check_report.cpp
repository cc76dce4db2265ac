#include "check/check_report.h"

#include <algorithm>

namespace fathom {

namespace {

void add(const CheckedFile& file, CheckCounts& counts) {
  for (const Finding& finding : file.findings) {
    counts.errors += finding.severity == Severity::kError ? 1 : 0;
    counts.warnings += finding.severity == Severity::kWarning ? 1 : 0;
    counts.notes += finding.severity == Severity::kNote ? 1 : 0;
  }
  counts.unreadable += file.unreadable ? 1 : 0;
  counts.suppressed += file.suppressed;
  counts.known += file.known;
  counts.claims_held += file.claims_held;
  counts.claims_contradicted += file.claims_contradicted;
  counts.claims_misleading += file.claims_misleading;
  counts.claims_unchecked += file.claims_unchecked;
}

}  // namespace

CheckReport make_check_report(std::vector<CheckedFile> files, const RuleBook& book, Severity fail_on) {
  CheckReport report{.version = {}, .folder = {}, .fail_on = fail_on, .files = std::move(files), .rules = book.rules()};
  for (const CheckedFile& file : report.files) {
    add(file, report.counts);
    report.passed &= !file.unreadable && std::none_of(file.findings.begin(), file.findings.end(),
                                                      [&](const Finding& f) { return fails(f, fail_on); });
  }
  return report;
}

const char* name_of(Severity severity) {
  switch (severity) {
    case Severity::kOff:
      return "off";
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "";
}

}  // namespace fathom
