// Rules and findings of the tests' own, so that what happens to findings can be tested without the rules of the tree.
#pragma once

#include <string>
#include <vector>

#include "check/check_report.h"
#include "support/scratch_folder.h"

namespace fathom {

inline const RuleBook& small_book() {
  static const ScratchFolder folder;
  static const RuleBook book = [] {
    std::string text = "format: fathom-rules/1\nsources: {A: \"somewhere\"}\nrules:\n";
    const auto rule = [&](const char* id, const char* level) {
      text += "  - {id: " + std::string(id) + ", level: " + level + ", title: a title, why: because & so, source: A}\n";
    };
    rule("schema.input", "error");
    rule("power.supply", "error");
    rule("power.rack", "warning");
    rule("cost.date", "note");
    rule("cost.unused", "off");
    rule("policy.fail-if", "error");
    rule("suppression.unused", "note");
    rule("suppression.reason", "note");
    rule("suppression.form", "note");
    folder.write("rules.yaml", text);
    return RuleBook(folder.path());
  }();
  return book;
}

inline Finding finding(const std::string& rule, Severity severity, int line, int column, int width,
                       const std::string& message = "something is wrong") {
  return {.rule = rule,
          .severity = severity,
          .file = "a.yaml",
          .spot = {{line, column}, width},
          .message = message,
          .terms = {},
          .help = {},
          .mend = {},
          .fingerprint = {}};
}

inline CheckedFile checked_file(const std::string& name, const std::string& text, std::vector<Finding> findings) {
  CheckedFile file{.file = name, .kind = "cluster", .findings = std::move(findings), .text = text};
  for (Finding& f : file.findings) f.file = name;
  finish(file);
  return file;
}

inline CheckReport report_of(std::vector<CheckedFile> files, Severity fail_on = Severity::kError) {
  CheckReport report = make_check_report(std::move(files), small_book(), fail_on);
  report.version = "1.2.3";
  report.folder = "/a folder";
  return report;
}

}  // namespace fathom
