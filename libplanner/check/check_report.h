// What all printers of a check share: the files, the counts, and whether it passes. docs/check.md
#pragma once

#include <string>
#include <vector>

#include "check/check.h"

namespace fathom {

// The kinds of findings and claims over all files.
struct CheckCounts {
  int errors = 0, warnings = 0, notes = 0;
  int unreadable = 0;  // files
  int suppressed = 0;  // findings that a comment ignores
  int known = 0;       // findings that the baseline has
  int claims_held = 0, claims_contradicted = 0, claims_misleading = 0, claims_unchecked = 0;

  int problems() const { return errors + warnings; }
  int claims() const { return claims_held + claims_contradicted + claims_misleading + claims_unchecked; }
};

struct CheckReport {
  std::string version;                  // of the program
  std::string folder;                   // absolute; machine formats name files from it
  Severity fail_on = Severity::kError;  // kOff: no finding fails
  std::vector<CheckedFile> files;
  std::vector<Rule> rules;  // of the book
  CheckCounts counts = {};
  bool passed = true;  // every file could be read, and no finding is grave enough
};

CheckReport make_check_report(std::vector<CheckedFile> files, const RuleBook& book, Severity fail_on);

inline bool fails(const Finding& finding, Severity fail_on) {
  return fail_on != Severity::kOff && finding.severity >= fail_on;
}

const char* name_of(Severity severity);  // "error"

}  // namespace fathom
